public import IRCGraph
public import IRCSupport

/// What passes that divide channels by factors have in common: going through the sites, and dividing.
public struct SiteScaling {
  /// Counts sites.
  public static let smoothed = Statistic("smoothed", "Sites that were smoothed.")
  /// Tells factors.
  public static let factors = RemarkKind("factors", .analysis, "What a site's factors are.")

  private let context: PassContext

  /// Prepares a pass.
  public init(_ context: PassContext) {
    self.context = context
  }

  /// What a pass does to facts, with those that follow from dividing sites of these patterns: gains of normalisations are in use where
  /// their outputs may be divided.
  public static func effects(
    _ effects: PassEffects, dividing sites: [NamePattern]
  ) -> PassEffects {
    var effects = effects
    if sites.contains(where: { SiteSelection.mayMatch($0, .norm) }) {
      effects.establishes = [.normInputsSmoothed]
      effects.preserves = .except([.normGainsFolded])
    }
    return effects
  }

  /// Calls `body` with the sites that each pattern chooses and no earlier one has, those at once that share nothing; what was done to
  /// earlier ones is in the graph by then.
  ///
  /// - Throws: `PassError` when a pattern matches nothing; what `body` throws.
  public func visit(
    _ patterns: [NamePattern], in graph: inout Graph,
    _ body: ([Site], inout Graph) throws -> Void
  ) throws {
    let everything = graph.sites(.scaling)
    // Every pattern is checked before anything is done.
    try SiteSelection(patterns, among: everything).remarkAbsentRoles(in: context)
    var done: Set<SiteIdentity> = []
    for pattern in patterns {
      // What earlier ones changed is in the graph by now, and so are the ways that they opened.
      var waiting = try SiteSelection(
        [pattern], among: done.isEmpty ? everything : graph.sites(.scaling)
      )
      .sites.filter { done.insert(SiteIdentity($0)).inserted }
      // Sites that share something wait for what was done to the others.
      while !waiting.isEmpty {
        let round = SmoothingRound(waiting, in: graph)
        try body(round.sites, &graph)
        waiting = round.rest
      }
    }
    graph.mergeEqualOperations()
  }

  /// Divides the channels of a site by factors, and says which.
  ///
  /// - Parameter alpha: how the factors came about, for the remark.
  /// - Throws: `SiteError` when something cannot take up the factors.
  public func divide(
    by factors: [Double], alpha: Double, at site: Site, in graph: inout Graph
  ) throws {
    let change = try graph.apply(.diagonal(factors.map { 1 / $0 }), at: site, in: context)
    context.count(Self.smoothed)
    context.remarkUntied(change)
    let (least, greatest) = (factors.min() ?? 1, factors.max() ?? 1)
    context.remark(
      Self.factors, at: site.location,
      "site '\(site.name)': alpha \(alpha), factors \(least.remarkText) to \(greatest.remarkText)")
  }
}
