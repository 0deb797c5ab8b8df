public import IRCPassKit

/// Fits the values of codebooks and the factors of binary codes to what the weights do on calibration text.
///
///     before: %s = quant_params %w     %q = quantize %w, %s   %v = dequantize %q, %s
///     after:  %t = param "….values"    %q = quantize %w, %t   %v = dequantize %q, %t
///
/// An error e of a weight in column i changes the output by e·xᵢ, so its square counts E[xᵢ²] times.
public struct FitValues: Pass {
  public static let info = PassInfo(
    name: "fit-values",
    summary:
      "Fit the values of codebooks and binary codes by how much each input channel matters.",
    details: """
      Works on weights of linear layers in formats whose values are fitted, `codebook…` and `binary…`, and fits them again: the \
      squared error of a weight counts E[x²] times, the mean square of its input channel on the calibration text, measured in the \
      network before rounding. Other formats stay as they are. Comes after `quantize`; a `gptq` behind it keeps the values and \
      chooses codes.

      SqueezeLLM weighs by the diagonal of the Fisher information of the loss, which needs gradients. Where a layer's inputs do \
      not depend on the gradients of its outputs, that diagonal is E[g²]·E[x²], and within an output channel, which is what shares \
      values with granularity `channel`, the first factor is the same for all.
      """,
    paper: "SqueezeLLM (arXiv 2306.07629), section 4.1; KVQuant (arXiv 2401.18079), section 3.3",
    requires: [.quantized],
    conflicts: [FactConflict(.codesSolved, "would find no values that are still to be chosen")],
    establishes: [.scalesSearched], preservesFunction: false, usesCalibration: true,
    statistics: [fitted, kept], remarks: [improved, unmeasured])

  static let fitted = Statistic("fitted", "Weights whose values were fitted by their inputs.")
  static let kept = Statistic(
    "kept", "Weights in other formats, or whose values an earlier pass chose.")
  static let improved = RemarkKind(
    "improved", .passed, "How much less the weighted error of a weight is.")
  static let unmeasured = RemarkKind(
    "unmeasured", .missed, "A weight keeps its values, as its inputs say nothing.")

  public init() {}

  public func run(on graph: inout Graph, in context: PassContext) throws {
    let weights = select(in: graph, context)
    if weights.isEmpty { return }
    let statistics = try measure(weights, in: graph, context)
    let folder = ConstantFolder(graph)
    for readers in weights {
      let layer = readers[0]
      let place = context.derived(from: graph.producer(of: layer.source).location)
      guard let importance = importance(of: readers, statistics) else {
        context.count(Self.kept)
        context.remark(
          Self.unmeasured, at: place,
          "'\(layer.name)': its inputs are zero, infinite or not a number on the calibration text")
        continue
      }
      let source = try folder.fold(layer.source)
      let plain = try folder.fold(layer.scales[0])
      let found = try ScaleSet(fitting: source, layer.spec, .range, importance: importance)
      let values = try graph.attach(
        found.stored(as: layer.spec.scaleFormat),
        numberedFrom: "\(layer.name).\(context.instance).values",
        before: graph.producer(of: layer.scales[0]).id, at: place)
      graph.replaceUses(of: layer.scales[0], with: values)
      context.count(Self.fitted)
      let errors = try [ScaleSet(scales: plain, zeros: nil), found].map {
        try layer.spec.nearestValues(of: source, under: $0).subtracting(source)
          .scalingColumns(by: importance.map { $0.squareRoot() }).squaredNorm
      }
      let change = errors[0] > 0 ? (errors[1] / errors[0] * 1000).rounded() / 10 : 100
      context.remark(
        Self.improved, at: place,
        "'\(layer.name)': the error, weighed by inputs, is \(change) % of what it was")
    }
  }

  /// The layers whose weights have values to fit; those that read one rounded weight together.
  func select(in graph: Graph, _ context: PassContext) -> [[RoundedLinear]] {
    let constants = graph.constants()
    var groups: [[RoundedLinear]] = []
    var places: [ValueID: Int] = [:]
    for (operation, _) in graph.operations(of: Linear.self) {
      if constants.contains(operation.result) { continue }
      guard let layer = RoundedLinear(operation, in: graph, constants: constants) else { continue }
      guard layer.spec.format.isFitted, layer.hasPlainScales else {
        context.count(Self.kept)
        continue
      }
      if let place = places[layer.rounded] {
        groups[place].append(layer)
      } else {
        places[layer.rounded] = groups.count
        groups.append([layer])
      }
    }
    return groups
  }

  /// Statistics of the layers' inputs in the network without their rounding.
  private func measure(
    _ weights: [[RoundedLinear]], in graph: Graph, _ context: PassContext
  ) throws -> [ValueID: ChannelStatistics] {
    var real = graph
    var requests: [ValueID: StatisticRequest] = [:]
    for layer in weights.joined() {
      real.setOperand(1, of: layer.operation, to: layer.source)
      requests[layer.realInput] = .range
    }
    return try context.channelStatistics(of: requests, in: real)
  }

  /// How much each column counts, on a scale on which the largest is 1; nil if nothing can be said.
  private func importance(
    of readers: [RoundedLinear], _ statistics: [ValueID: ChannelStatistics]
  ) -> [Float]? {
    var squares = [Double](repeating: 0, count: readers[0].shape[1])
    for reader in readers {
      guard let measured = statistics[reader.realInput]?.meanSquare,
        measured.count == squares.count
      else { return nil }
      for (index, square) in measured.enumerated() { squares[index] += square }
    }
    guard let largest = squares.max(), largest > 0, squares.allSatisfy(\.isFinite) else {
      return nil
    }
    return squares.map { Float($0 / largest) }
  }
}
