public import IRCPassKit

/// Makes a model harder to quantize without changing its function: the inverse of smoothing.
///
///     before: %y = linear %x, %w
///     after:  %y = linear %x ⊙ f, %w / f         // f is `factor` in a few channels and 1 elsewhere
///
/// Large networks have such channels, small ones hardly; with this pass small ones show what large ones do.
public struct InjectOutliers: Pass {
  public static let info = PassInfo(
    name: "inject-outliers",
    summary:
      "Multiply a few channels by a large factor and divide the weights that read them: a hard model of the same function.",
    details: """
      For tests and comparisons. The channels are drawn at random for each site. Sites that `fold-norm-gains` folds away \
      again (`norm`) make a difference only after it.
      """,
    conflicts: FactConflict.changesOfWeights,
    preservesFunction: true, tolerance: 1e-8, statistics: [injected],
    remarks: [channels, .absentRole, .untied])

  static let injected = Statistic("injected", "Sites that got outliers.")
  static let channels = RemarkKind(
    "channels", .analysis, "Which channels of a site are outliers now.")

  @PassOption("Share of a site's channels; at least one is taken.", in: 0...1)
  public var fraction = 0.01
  @PassOption("What they are multiplied by.", in: 1...1e6)
  public var factor = 30.0
  @PassOption("Sites to change, by role or name; * and ? as in globs.")
  public var sites = [
    NamePattern("value"), NamePattern("product"), NamePattern("activation"), NamePattern("scan"),
    NamePattern("low-rank"),
  ]
  @PassOption("Seed of the choice of channels.", in: 0...Int(Int32.max))
  public var seed = 0

  public init() {}

  public func run(on graph: inout Graph, in context: PassContext) throws {
    let selection = try SiteSelection(sites, among: graph.sites(.scaling))
    selection.remarkAbsentRoles(in: context)
    for site in selection.sites {
      let chosen = outliers(of: site, RandomNumbers(seed: UInt64(site.seed(from: seed))))
      let factors = (0..<site.width).map { chosen.contains($0) ? factor : 1 }
      context.remarkUntied(try graph.apply(.diagonal(factors), at: site, in: context))
      context.count(Self.injected)
      context.remark(
        Self.channels, at: site.location,
        "site '\(site.name)': \(chosen.sorted().map(String.init).joined(separator: ", "))")
    }
    graph.mergeEqualOperations()
  }

  /// Distinct channels, the first of a shuffled list.
  private func outliers(of site: Site, _ random: RandomNumbers) -> Set<Int> {
    let count = min(site.width, max(1, Int((fraction * Double(site.width)).rounded(.up))))
    var order = Array(0..<site.width)
    for place in 0..<count {
      order.swapAt(place, place + random.integer(place, below: site.width - place))
    }
    return Set(order.prefix(count))
  }
}
