import IRCPassKit

/// A linear layer whose weight an earlier pass has given a format.
struct LinearTarget {
  let operation: Operation
  let dequantize: Operation
  let spec: QuantizationSpec
  /// The weight as real numbers.
  let source: ValueID
  /// Scales, and zero points unless symmetric.
  let scales: [ValueID]
  /// Name of the checkpoint tensor.
  let name: String
  /// True if the scales are just those of the weight's range, as `quantize` leaves them.
  let hasPlainScales: Bool

  /// What a linear layer reads; nil if its weight is no rounded constant.
  init?(_ operation: Operation, in graph: Graph, _ constants: Set<ValueID>) {
    let weight = operation.operands[1]
    let dequantize = graph.producer(of: weight)
    guard constants.contains(weight), let form = dequantize.op as? Dequantize,
      let quantize = graph.definition(of: dequantize.operands[0], as: Quantize.self),
      quantize.spec == form.spec
    else { return nil }
    let rounding = graph.producer(of: dequantize.operands[0])
    let scales = Array(rounding.operands.dropFirst())
    guard scales == Array(dequantize.operands.dropFirst()) else { return nil }
    self.operation = operation
    self.dequantize = dequantize
    spec = form.spec
    source = rounding.operands[0]
    self.scales = scales
    name = graph.parameterName(of: source) ?? "weight"
    let parameters = graph.producer(of: scales[0])
    hasPlainScales =
      (parameters.op as? QuantizationParameters)?.spec == form.spec
      && parameters.operands == [source] && parameters.results == scales
  }
}
