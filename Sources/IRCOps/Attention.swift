private import CKernels
public import IRCGraph
public import IRCTensor

/// Causal attention with grouped key and value heads.
///
/// q [T, heads·d], k and v [S, keyValueHeads·d] make [T, heads·d]. Query t stands at position S − T + t and sees the keys up to
/// there, at most the last `window` of them; query head h reads key head h / (heads / keyValueHeads).
public struct Attention: KernelOperator {
  public static let name = "attention"

  /// Number of query heads, a multiple of `keyValueHeads`.
  public let heads: Int
  /// Number of key and value heads.
  public let keyValueHeads: Int
  /// Factor of the scores before the softmax.
  public let scale: Double
  /// Number of keys that a query sees, itself included; 0 for all.
  public let window: Int

  /// Makes the operator.
  public init(heads: Int, keyValueHeads: Int, scale: Double, window: Int) {
    self.heads = heads
    self.keyValueHeads = keyValueHeads
    self.scale = scale
    self.window = window
  }

  public init(reading attributes: inout AttributeReader) {
    heads = attributes.int("heads", in: 1...Int(Int32.max))
    keyValueHeads = attributes.int("kv_heads", in: 1...Int(Int32.max))
    scale = attributes.float("scale")
    window = attributes.int("window")
  }

  public var attributes: [(name: String, value: Attribute)] {
    [
      ("heads", .int(heads)), ("kv_heads", .int(keyValueHeads)), ("scale", .float(scale)),
      ("window", .int(window)),
    ]
  }

  public func resultTypes(_ operands: [TensorType]) throws(OperatorError) -> [TensorType] {
    let check = try OperandCheck(operands, ["q", "k", "v"])
    let size = try headDimension(check)
    let width = Dimension.fixed(size * keyValueHeads)
    try check.expect(
      1, check[1].element == .f32 && check[1].rank == 2 && check[1].shape[1] == width,
      "f32[keys, \(width)]: \(keyValueHeads) heads of \(size) channels")
    try check.exactly(2, .f32, check[1].shape)
    return [check[0]]
  }

  /// Channels of a head, once queries, operand 0, and attributes fit together.
  func headDimension(_ check: OperandCheck) throws(OperatorError) -> Int {
    guard heads > 0, keyValueHeads > 0, heads.isMultiple(of: keyValueHeads), window >= 0 else {
      throw OperatorError(
        "heads \(heads) must be a multiple of kv_heads \(keyValueHeads), and window \(window) not "
          + "negative")
    }
    try check.real(0, rank: 2...2)
    let columns = check[0].shape[1].fixed ?? 0
    try check.expect(
      0, columns > 0 && columns.isMultiple(of: heads),
      "a last extent that is a multiple of heads \(heads)")
    return columns / heads
  }

  /// Per head, q·kᵀ cancels any T against T⁻ᵀ, and a transform of v's channels passes through the weighted sum.
  public func invariance(_ operands: [TensorType]) -> InvarianceRule {
    let blocks = TransformGroup.blocks(of: .general, count: keyValueHeads)
    let times = heads / keyValueHeads
    return InvarianceRule(ties: [
      AxisTie(
        [.operand(1, 1), .operand(0, 1)], blocks,
        times == 1
          ? .inverseTranspose : .sequence([.inverseTranspose, .blockRepeat(times: times)]),
        role: .score),
      AxisTie(
        [.operand(2, 1), .result(0, 1)], blocks,
        times == 1 ? .identity : .blockRepeat(times: times), role: .value),
    ])
  }

  /// Two products of every query with every key that is known to be there.
  public func cost(_ operands: [TensorType], _ results: [TensorType]) -> Cost {
    let keys = max(1, operands[1].shape[0].constant)
    return Cost(
      macs: saturatingProduct(2, operands[0].elementCount, keys), reading: operands,
      writing: results)
  }

  public func evaluateByKernel(_ operands: [Tensor]) throws -> [Tensor] {
    let (tokens, columns) = (operands[0].shape[0], operands[0].shape[1])
    let (keys, width) = (operands[1].shape[0], operands[1].shape[1])
    try checkKeys(keys, tokens)
    return unsafe withPointers(operands, as: Float.self) { pointers in
      let (q, k, v) = unsafe (pointers[0], pointers[1], pointers[2])
      return [
        unsafe makeTensor([tokens, columns], of: Float.self) { target in
          let room = irc_attention_scratch(keys, heads, keyValueHeads)
          unsafe withUnsafeTemporaryAllocation(of: Float.self, capacity: max(1, room)) { scratch in
            guard let scratch = scratch.baseAddress else { return }
            unsafe irc_attention_f32(
              target, q, columns, k, width, v, width, tokens, keys, heads, keyValueHeads,
              columns / heads, Float(scale), window, scratch)
          }
        }
      ]
    }
  }

  func checkKeys(_ keys: Int, _ tokens: Int) throws(OperatorError) {
    guard keys >= tokens else {
      throw OperatorError("\(tokens) queries have only \(keys) keys")
    }
  }

  public func evaluate<Scalar: Real>(
    _ operands: [Tensor], as scalar: Scalar.Type
  ) throws -> [Tensor] {
    let (tokens, columns) = (operands[0].shape[0], operands[0].shape[1])
    let (keys, width) = (operands[1].shape[0], operands[1].shape[1])
    try checkKeys(keys, tokens)
    let (size, group, past) = (columns / heads, heads / keyValueHeads, keys - tokens)
    let block = min(tokens, 64)
    return unsafe withPointers(operands, as: Scalar.self) { pointers in
      let (q, k, v) = unsafe (pointers[0], pointers[1], pointers[2])
      let scores = UnsafeMutablePointer<Scalar>.allocate(capacity: max(1, block * keys))
      defer { unsafe scores.deallocate() }
      return [
        unsafe makeTensor([tokens, columns], of: Scalar.self) { target in
          // A block of queries at a time: keys after its last query need not be looked at.
          for start in stride(from: 0, to: tokens, by: max(1, block)) {
            let rows = min(block, tokens - start)
            let seen = past + start + rows
            for head in 0..<heads {
              let column = head / group * size
              let place = start * columns + head * size
              unsafe Scalar.multiply(
                m: rows, n: seen, k: size, q + place, lda: columns, transposeA: false,
                k + column, ldb: width, transposeB: true, beta: 0, scores, ldc: seen)
              for row in 0..<rows {
                unsafe softmax(scores + row * seen, count: seen, position: past + start + row)
              }
              unsafe Scalar.multiply(
                m: rows, n: size, k: seen, scores, lda: seen, transposeA: false,
                v + column, ldb: width, transposeB: false, beta: 0, target + place, ldc: columns)
            }
          }
        }
      ]
    }
  }

  /// Turns the scores of the query at `position` into weights, in place; keys it does not see get weight 0.
  @inline(__always)
  func softmax<Scalar: Real>(
    _ row: UnsafeMutablePointer<Scalar>, count: Int, position: Int
  ) {
    let first = window == 0 ? 0 : max(0, position - window + 1)
    let factor = Scalar(scale)
    var largest = -Scalar.infinity
    for key in first...position {
      unsafe row[key] *= factor
      largest = unsafe max(largest, row[key])
    }
    var sum: Scalar = 0
    for key in first...position {
      unsafe row[key] = Scalar.exponential(row[key] - largest)
      unsafe sum += row[key]
    }
    let inverse = 1 / sum
    for key in 0..<first { unsafe row[key] = 0 }
    for key in first...position { unsafe row[key] *= inverse }
    for key in position + 1..<max(count, position + 1) { unsafe row[key] = 0 }
  }
}
