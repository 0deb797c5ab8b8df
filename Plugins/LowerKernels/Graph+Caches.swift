import IRCPassKit

/// Attention over codes reads them where they are kept.
///
///     before: %q = dequantize %c, %s      // %s = quant_params %x, %c = quantize %x, %s
///             %k = dequantize %kc, %ks    %v = dequantize %vc, %vs
///             %y = attention %q, %k, %v
///     after:  %y = integer_attention %x, %kc, %ks, %vc, %vs
///
/// The kernel rounds queries itself, by the rule that the graph has for them.
extension Graph {
  /// Lets attentions read codes; returns how many do, and those that cannot though keys or values are codes.
  mutating func joinCaches() throws -> (count: Int, left: [Operation]) {
    var count = 0
    var left: [Operation] = []
    for (operation, attention) in operations(of: Attention.self) {
      let columns = type(of: operation.operands[0]).shape[1].fixed ?? 0
      let spec = IntegerAttention.codes(ofHead: columns / attention.heads)
      let stored = operation.operands[1...].map { value in
        definition(of: value, as: Dequantize.self)?.spec == spec ? producer(of: value).operands : []
      }
      let query = roundedQuery(operation.operands[0], spec)
      let operands = (query.map { [$0] } ?? []) + stored.joined()
      let kernel = IntegerAttention(attention)
      if (try? kernel.resultTypes(operands.map(type(of:)))) != nil {
        try replace(operation.id, with: kernel, operands)
        count += 1
      } else if operation.operands[1...].contains(where: {
        definition(of: $0, as: Dequantize.self) != nil
      }) {
        left.append(operation)
      }
    }
    removeDeadOperations()
    return (count, left)
  }

  /// What a value is rounded from, with scales that are found as it runs.
  private func roundedQuery(_ value: ValueID, _ spec: QuantizationSpec) -> ValueID? {
    guard definition(of: value, as: Dequantize.self)?.spec == spec else { return nil }
    let parts = producer(of: value).operands
    let quantize = producer(of: parts[0])
    guard (quantize.op as? Quantize)?.spec == spec, quantize.operands[1] == parts[1],
      definition(of: parts[1], as: QuantizationParameters.self)?.spec == spec,
      producer(of: parts[1]).operands == [quantize.operands[0]]
    else { return nil }
    return quantize.operands[0]
  }
}
