private import CKernels
public import IRCGraph
public import IRCQuant
public import IRCTensor

/// `attention` whose keys and values are codes with a scale for each token and key head.
///
/// q [T, heads·d], key codes i8 [S, keyValueHeads·d] and their scales [S, keyValueHeads], values alike, make [T, heads·d]. Each head
/// of a query is rounded to codes by the same rule before it is multiplied. The products of codes are exact, and the order of the
/// float steps is that of the C kernel, which single precision runs.
public struct IntegerAttention: StagedOperator {
  public static let name = "integer_attention"

  /// What is computed of the values that the codes stand for.
  public let attention: Attention

  /// Makes the operator.
  public init(_ attention: Attention) {
    self.attention = attention
  }

  public init(reading attributes: inout AttributeReader) {
    attention = Attention(reading: &attributes)
  }

  public var attributes: [(name: String, value: Attribute)] { attention.attributes }
  public var earliestStage: Stage { .kernels }

  /// How heads of `size` channels are rounded: to eight bits, with a scale for each token and head.
  public static func codes(ofHead size: Int) -> QuantizationSpec {
    QuantizationSpec(.integer(bits: 8), .group(size))
  }

  /// Channels of a head whose sum of products the kernel can hold.
  private static let mostChannels = 1 << 17

  public func resultTypes(_ operands: [TensorType]) throws(OperatorError) -> [TensorType] {
    let check = try OperandCheck(
      operands, ["q", "key codes", "key scales", "value codes", "value scales"])
    let size = try attention.headDimension(check)
    try check.expect(0, size <= Self.mostChannels, "heads of no more than 2^17 channels")
    let keyHeads = attention.keyValueHeads
    let width = Dimension.fixed(size * keyHeads)
    try check.expect(
      1, check[1].element == .i8 && check[1].rank == 2 && check[1].shape[1] == width,
      "i8[keys, \(width)]: \(keyHeads) heads of \(size) channels")
    let keys = check[1].shape[0]
    try check.exactly(2, .f32, [keys, .fixed(keyHeads)])
    try check.exactly(3, .i8, [keys, width])
    try check.exactly(4, .f32, [keys, .fixed(keyHeads)])
    return [check[0]]
  }

  /// What a cache holds is final once a kernel reads it.
  public func invariance(_ operands: [TensorType]) -> InvarianceRule { .opaque }

  /// As `attention`, whose keys and values are the codes.
  public func cost(_ operands: [TensorType], _ results: [TensorType]) -> Cost {
    let keys = max(1, operands[1].shape[0].constant)
    return Cost(
      macs: saturatingProduct(2, operands[0].elementCount, keys), reading: operands,
      writing: results)
  }

  public func evaluate(_ operands: [Tensor], in context: EvaluationContext) throws -> [Tensor] {
    try attention.checkKeys(operands[1].shape[0], operands[0].shape[0])
    return switch context.precision {
    case .single: evaluateByKernel(operands)
    case .double: try evaluateByValues(operands)
    }
  }

  private func evaluateByKernel(_ operands: [Tensor]) -> [Tensor] {
    let (tokens, columns) = (operands[0].shape[0], operands[0].shape[1])
    let (keys, width) = (operands[1].shape[0], operands[1].shape[1])
    let (heads, keyHeads) = (attention.heads, attention.keyValueHeads)
    let size = columns / heads
    let room = irc_attention_i8_scratch_bytes(keys, heads, keyHeads, size)
    return unsafe withPointers([operands[0], operands[2], operands[4]], as: Float.self) { reals in
      let (q, keyScales, valueScales) = unsafe (reals[0], reals[1], reals[2])
      return unsafe withPointers([operands[1], operands[3]], as: Int8.self) { codes in
        let (k, v) = unsafe (codes[0], codes[1])
        return [
          unsafe makeTensor([tokens, columns], of: Float.self) { target in
            unsafe withUnsafeTemporaryAllocation(
              byteCount: max(1, room), alignment: MemoryLayout<Float>.alignment
            ) { scratch in
              unsafe irc_attention_i8(
                target, q, columns, k, width, keyScales, v, width, valueScales, keyHeads, tokens,
                keys, heads, keyHeads, size, Float(attention.scale), attention.window,
                scratch.baseAddress)
            }
          }
        ]
      }
    }
  }

  /// The oracle is the definition: attention over the values that the codes stand for.
  private func evaluateByValues(_ operands: [Tensor]) throws -> [Tensor] {
    let spec = Self.codes(ofHead: operands[0].shape[1] / attention.heads)
    let (scale, zero) = try quantizationParameters(operands[0], spec)
    let query = try quantize(operands[0], scale, zero, spec)
    let values = try [(query, scale), (operands[1], operands[2]), (operands[3], operands[4])].map {
      try dequantize($0, $1, nil, spec).converted(to: .double)
    }
    return try attention.evaluate(values, as: Double.self)
  }
}
