public import IRCPassKit

/// Divides channels of activations by factors and multiplies the weights that read them, so that no channel stands out.
///
///     before: %y = linear %x, %w
///     after:  %y = linear %x / s, %w ⊙ s         // and whatever writes %x has been divided by s
///
/// Exact in real arithmetic: the factors cancel. They vanish into gains, rows of weights, taps of convolutions and, where an
/// activation function stands in the way, into its gate (S-SiLU: silu(z) = s·(z/s)·σ(s·z/s)).
public struct SmoothFusion: Pass {
  public static let info = PassInfo(
    name: "smooth-fusion",
    summary: "Divide outlying channels by factors that the weights around them take up.",
    details: """
      The factor of channel j is max|xⱼ|^α / max|Wⱼ|^(1−α) from calibration. Without `alpha` each \
      site gets the α of a grid whose estimated error of the linear layers' outputs is least, for the formats of `scheme`.

      Sites are chosen by role (`norm`, `activation`, `product`, `value`, `scan`, `state`, `convolution`, `low-rank`) or by name. \
      Patterns are smoothed one after another in the order given, and where sites of one meet at a value or at weights these one after \
      another too, each measured on what the earlier ones left.

      The error is estimated from ranges alone: activations as if one symmetric scale spanned the largest magnitude of the calibration \
      text, weights as if each row, or group, had a symmetric scale of its own. Scales per token, percentiles and zero points of `scheme` \
      make the true error smaller and are not reckoned with.
      """,
    paper:
      "SmoothQuant (arXiv 2211.10438), equation 4; MambaQuant (arXiv 2501.13484), smooth-fused rotation",
    conflicts: FactConflict.changesOfWeights,
    preservesFunction: true, tolerance: 1e-8, usesCalibration: true,
    statistics: [SiteScaling.smoothed],
    remarks: [SiteScaling.factors, .absentRole, .untied])

  @PassOption(
    "Share of the difficulty that moves from activations to weights; null: searched for, site by site.",
    in: 0...1)
  public var alpha: Double? = nil
  @PassOption("Sites to smooth, by role or name; * and ? as in globs.")
  public var sites = [
    NamePattern("norm"), NamePattern("value"), NamePattern("product"), NamePattern("activation"),
    NamePattern("low-rank"),
  ]
  @PassOption("Formats that the search for alpha reckons with.")
  public var scheme = QuantizationScheme(
    weights: QuantizationSpec(.integer(bits: 8), .row),
    activations: .init(spec: QuantizationSpec(.integer(bits: 8), .tensor)))
  @PassOption("Largest ratio of a factor to the typical one, either way.", in: 1...1_000_000)
  public var limit = 1000

  public init() {}

  /// Gains of normalisations are in use afterwards.
  public var effects: PassEffects { SiteScaling.effects(Self.info.effects, dividing: sites) }

  public func run(on graph: inout Graph, in context: PassContext) throws {
    try SiteScaling(context).visit(sites, in: &graph) { chosen, graph in
      try smooth(chosen, in: &graph, context)
    }
  }

  private func smooth(
    _ sites: [Site], in graph: inout Graph, _ context: PassContext
  ) throws {
    let parts = try sites.map { try SmoothingStatistics($0, in: graph) }
    let measured = try context.channelStatistics(pooling: parts.flatMap(\.requests), in: graph)
    var next = 0
    for (site, part) in zip(sites, parts) {
      let statistics = Array(measured[next..<next + part.requests.count])
      next += part.requests.count
      let sides = try part.sides(statistics, in: graph)
      let (chosen, factors) = SmoothingFactors(sides, scheme, limit: Double(limit)).best(alpha)
      try SiteScaling(context).divide(by: factors, alpha: chosen, at: site, in: &graph)
    }
  }
}
