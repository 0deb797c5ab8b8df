public import IRCGraph
public import IRCTensor

/// Channels of an axis in another order: y[j] = x[order[j]], for a constant order that names each channel once.
public struct ChannelGather: Operator {
  public static let name = "channel_gather"

  /// Which axis is reordered.
  public let axis: Int

  /// Says which axis is reordered.
  public init(axis: Int) {
    self.axis = axis
  }

  public init(reading attributes: inout AttributeReader) {
    axis = attributes.int("axis")
  }

  public var attributes: [(name: String, value: Attribute)] { [("axis", .int(axis))] }

  public func resultTypes(_ operands: [TensorType]) throws(OperatorError) -> [TensorType] {
    let check = try OperandCheck(operands, ["x", "order"])
    try check.channels(0, axis)
    try check.exactly(1, .i32, [check[0].shape[axis]])
    return [check[0]]
  }

  /// Reordering the order reorders the result; what a transform of x becomes depends on the order's values.
  public func invariance(_ operands: [TensorType]) -> InvarianceRule {
    var rule = InvarianceRule.elementwise(operands[0], .general, except: axis)
    rule.ties.append(AxisTie([.operand(1, 0), .result(0, axis)], .permutation))
    return rule
  }

  public var rowwiseOperands: [Int]? { axis == 0 ? nil : [0] }

  public func evaluate(_ operands: [Tensor], in context: EvaluationContext) throws -> [Tensor] {
    let x = operands[0]
    let order = try permutation(operands[1])
    let inner = x.shape[(axis + 1)...].reduce(1, *) * x.elementType.byteCount
    let (channels, outer) = (order.count, x.shape[..<axis].reduce(1, *))
    return [
      try unsafe x.rearranged(x.shape) { source, target in
        for row in 0..<outer {
          let start = row * channels * inner
          for (channel, from) in order.enumerated() {
            unsafe (target + start + channel * inner).copyMemory(
              from: source + start + from * inner, byteCount: inner)
          }
        }
      }
    ]
  }

  private func permutation(_ tensor: Tensor) throws -> [Int] {
    let order = integers(tensor).map(Int.init)
    var isTaken = Array(repeating: false, count: order.count)
    for channel in order {
      guard order.indices.contains(channel), !isTaken[channel] else {
        throw OperatorError(
          "the order does not name each of \(order.count) channels once: found \(channel)")
      }
      isTaken[channel] = true
    }
    return order
  }
}
