public import IRCPassKit

/// Narrows the range of each scale of rounded weights to the one with the least rounding error.
///
///     before: %s = quant_params %w   %q = quantize %w, %s   %v = dequantize %q, %s
///     after:  %t = param "….scales"  %q = quantize %w, %t   %v = dequantize %q, %t
///
/// A few large weights that are cut off cost less than a coarse grid for all the others.
public struct ClipSearch: Pass {
  public static let info = PassInfo(
    name: "clip-search",
    summary:
      "Narrow the range of each scale of the weights to the one with the least rounding error.",
    details: """
      Tries fractions of each range from 1 down to 0.16 and keeps the one whose sum of |error|^`norm` over the weights of the scale \
      is least. Only scales and zero points change; formats whose values are fitted have no range. Comes after `quantize`; a `gptq` behind it keeps these scales.
      """,
    paper:
      "GPTQ, reference code (range search with norm 2.4); QuaRot (arXiv 2404.00456), section 5",
    requires: [.quantized],
    conflicts: [FactConflict(.codesSolved, "would find no scales that are still to be chosen")],
    establishes: [.scalesSearched], preservesFunction: false, statistics: [searched, kept],
    remarks: [narrowed])

  static let searched = Statistic("searched", "Weights whose scales were searched for.")
  static let kept = Statistic("kept", "Weights whose scales are not those of their range.")
  static let narrowed = RemarkKind(
    "narrowed", .analysis, "How far a weight's ranges were narrowed.")

  @PassOption("Power of the rounding errors that are added up.", in: 1...4)
  public var norm = 2.4

  public init() {}

  /// Looks at every weight many times.
  public var isCostly: Bool { true }

  public func run(on graph: inout Graph, in context: PassContext) throws {
    let constants = graph.constants()
    let folder = ConstantFolder(graph)
    for (quantize, op) in graph.operations(of: Quantize.self) {
      let (source, scales) = (quantize.operands[0], Array(quantize.operands.dropFirst()))
      guard constants.contains(source) else { continue }
      let parameters = graph.producer(of: scales[0])
      guard !op.spec.format.isFitted,
        (parameters.op as? QuantizationParameters)?.spec == op.spec,
        parameters.operands == [source], parameters.results == scales
      else {
        context.count(Self.kept)
        continue
      }
      let weights = try folder.fold(source)
      let found = try ScaleSet(fitting: weights, op.spec, .search(norm: norm))
      let name = graph.parameterName(of: source) ?? "weight"
      let prefix = "\(name).\(context.instance)"
      let place = context.derived(from: graph.producer(of: source).location)
      var parts = [
        try graph.attach(
          found.stored(as: op.spec.scaleFormat), numberedFrom: "\(prefix).scales",
          before: quantize.id,
          at: place)
      ]
      if let zeros = found.zeros {
        parts.append(
          try graph.attach(zeros, numberedFrom: "\(prefix).zeros", before: quantize.id, at: place))
      }
      for (old, new) in zip(scales, parts) { graph.replaceUses(of: old, with: new) }
      context.count(Self.searched)
      let whole = try folder.fold(scales[0])
      context.remark(
        Self.narrowed, at: place,
        "'\(name)': ranges are \(percent(found.scales, of: whole)) % of the whole on average")
    }
  }

  /// Scales become other numbers of the same shape and format.
  public func forecast(on graph: inout Graph, in context: PassContext) -> PassForecast { .certain }

  /// The mean of `a` as a percentage of the mean of `b`.
  private func percent(_ a: Tensor, of b: Tensor) -> Int {
    // Scales of the largest weights that there are would not add up in single precision.
    func sum(_ scales: Tensor) -> Double {
      scales.array(of: Float.self).reduce(0) { $0 + Double($1) }
    }
    let (part, whole) = (sum(a), sum(b))
    return whole > 0 ? Int((part / whole * 100).rounded()) : 100
  }
}
