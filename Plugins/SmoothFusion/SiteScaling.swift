import IRCPassKit

/// What passes that divide channels by factors have in common: going through the sites, and dividing.
struct SiteScaling {
  static let smoothed = Statistic("smoothed", "Sites that were smoothed.")
  static let factors = RemarkKind("factors", .analysis, "What a site's factors are.")
  static let absent = RemarkKind("absent", .missed, "The network has no site of a role.")

  private let context: PassContext

  init(_ context: PassContext) {
    self.context = context
  }

  /// Calls `body` with the sites that each pattern chooses and no earlier one has; what was done to earlier ones is in the graph by
  /// then.
  func visit(
    _ patterns: [NamePattern], in graph: inout Graph,
    _ body: ([Site], inout Graph) throws -> Void
  ) throws {
    let everything = graph.sites(.scaling)
    // Every pattern is checked before anything is done.
    for role in try SiteSelection(patterns, among: everything).absentRoles {
      context.remark(
        Self.absent, at: .unknown, "the network has no site of role '\(role.rawValue)'")
    }
    var done: Set<String> = []
    for pattern in patterns {
      let chosen = try SiteSelection(
        [pattern], among: done.isEmpty ? everything : graph.sites(.scaling)
      )
      .sites.filter { done.insert($0.name).inserted }
      try body(chosen, &graph)
    }
    graph.mergeEqualOperations()
  }

  /// Divides the channels of a site by factors, and says which.
  func divide(
    by factors: [Double], alpha: Double, at site: Site, in graph: inout Graph
  ) throws {
    let change = try graph.apply(.diagonal(factors.map { 1 / $0 }), at: site, in: context)
    context.count(Self.smoothed)
    context.remarkUntied(change)
    let (least, greatest) = (factors.min() ?? 1, factors.max() ?? 1)
    context.remark(
      Self.factors, at: .unknown,
      "site '\(site.name)': alpha \(alpha), factors \(rounded(least)) to \(rounded(greatest))")
  }
}

private func rounded(_ value: Double) -> String { "\((value * 1000).rounded() / 1000)" }
