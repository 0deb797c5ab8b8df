public import IRCGraph
public import IRCTensor

/// Values laid end to end along one axis.
public struct Concatenate: Operator {
  public static let name = "concat"

  /// Which axis grows.
  public let axis: Int

  /// Says which axis grows.
  public init(axis: Int) {
    self.axis = axis
  }

  public init(reading attributes: inout AttributeReader) {
    axis = attributes.int("axis")
  }

  public var attributes: [(name: String, value: Attribute)] { [("axis", .int(axis))] }

  public func resultTypes(_ operands: [TensorType]) throws(OperatorError) -> [TensorType] {
    guard !operands.isEmpty else { throw OperatorError("takes one operand or more, found none") }
    let check = try OperandCheck(operands, operands.indices.map { "part \($0)" })
    try check.expect(0, axis >= 0 && axis < check[0].rank, "an axis \(axis)")
    var shape = check[0].shape
    for index in 1..<operands.count {
      var expected = check[0].shape
      let fits = check[index].rank == expected.count
      if fits { expected[axis] = check[index].shape[axis] }
      try check.expect(
        index, fits && check[index] == TensorType(check[0].element, expected),
        "the type of part 0, \(check[0]), but for axis \(axis)")
      shape[axis] = shape[axis] + check[index].shape[axis]
    }
    return [try TensorType(check[0].element, shape).checked()]
  }

  /// A transform of the result's axis passes if it keeps the channels of each part among themselves; each part then takes its own
  /// block of the transform.
  public func invariance(_ operands: [TensorType]) -> InvarianceRule {
    var ties: [AxisTie] = []
    for index in operands[0].shape.indices where index != axis {
      ties.append(
        AxisTie(
          operands.indices.map { .operand($0, index) } + [.result(0, index)], .general))
    }
    var lower = 0
    for (part, type) in operands.enumerated() {
      guard let extent = type.shape[axis].fixed else { return InvarianceRule(ties: ties) }
      ties.append(
        AxisTie(
          [.result(0, axis), .operand(part, axis)], .general,
          .slice(lower: lower, upper: lower + extent)))
      lower += extent
    }
    return InvarianceRule(ties: ties)
  }

  public func evaluate(_ operands: [Tensor], in context: EvaluationContext) throws -> [Tensor] {
    var shape = operands[0].shape
    shape[axis] = operands.reduce(0) { $0 + $1.shape[axis] }
    let outer = shape[..<axis].reduce(1, *)
    let inner = shape[(axis + 1)...].reduce(1, *) * operands[0].elementType.byteCount
    let rowBytes = shape[axis] * inner
    return [
      try unsafe operands[0].rearranged(shape) { _, target in
        var offset = 0
        for part in operands {
          let bytes = part.shape[axis] * inner
          unsafe part.withBytes { source in
            guard let source = source.baseAddress else { return }
            unsafe copyBlocks(
              outer, bytes: bytes, from: source, every: bytes, to: target + offset, every: rowBytes)
          }
          offset += bytes
        }
      }
    ]
  }
}
