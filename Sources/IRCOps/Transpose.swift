public import IRCGraph
public import IRCTensor

/// The axes in another order: axis i of the result is axis `order[i]` of the operand.
public struct Transpose: Operator {
  public static let name = "transpose"

  /// For each axis of the result, the axis of the operand.
  public let order: [Int]

  /// Says how the axes move.
  public init(order: [Int]) {
    self.order = order
  }

  public init(reading attributes: inout AttributeReader) {
    order = attributes.ints("order")
  }

  public var attributes: [(name: String, value: Attribute)] {
    [("order", .list(order.map(Attribute.int)))]
  }

  public func resultTypes(_ operands: [TensorType]) throws(OperatorError) -> [TensorType] {
    let check = try OperandCheck(operands, ["x"])
    guard order.sorted() == Array(0..<order.count) else {
      throw OperatorError("order \(order) does not name each axis once")
    }
    try check.expect(0, check[0].rank == order.count, "rank \(order.count) for order \(order)")
    return [TensorType(check[0].element, order.map { check[0].shape[$0] })]
  }

  /// Axes move and stay themselves.
  public func invariance(_ operands: [TensorType]) -> InvarianceRule {
    InvarianceRule(
      ties: order.enumerated().map { AxisTie([.operand(0, $1), .result(0, $0)], .general) })
  }

  public var rowwiseOperands: [Int]? { order.first == 0 ? [0] : nil }

  public func evaluate(_ operands: [Tensor], in context: EvaluationContext) throws -> [Tensor] {
    let x = operands[0]
    let shape = order.map { x.shape[$0] }
    var strides = Array(repeating: x.elementType.byteCount, count: x.shape.count)
    for axis in strides.indices.dropLast().reversed() {
      strides[axis] = strides[axis + 1] * x.shape[axis + 1]
    }
    let steps = order.map { strides[$0] }
    let size = x.elementType.byteCount
    let last = shape.last ?? 1
    let rows = shape.dropLast().reduce(1, *)
    return [
      try unsafe x.rearranged(shape) { source, target in
        for row in 0..<rows {
          var (rest, start) = (row, 0)
          for axis in shape.indices.dropLast().reversed() {
            start += rest % shape[axis] * steps[axis]
            rest /= shape[axis]
          }
          unsafe copyBlocks(
            last, bytes: size, from: source + start, every: steps.last ?? size,
            to: target + row * last * size, every: size)
        }
      }
    ]
  }
}
