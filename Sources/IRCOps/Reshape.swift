public import IRCGraph
public import IRCTensor

/// The same elements in the same order under another fixed shape.
public struct Reshape: Operator {
  public static let name = "reshape"

  /// Extents of the result.
  public let shape: [Int]

  /// Says what the result's shape is.
  public init(shape: [Int]) {
    self.shape = shape
  }

  public init(reading attributes: inout AttributeReader) {
    shape = attributes.ints("shape")
  }

  public var attributes: [(name: String, value: Attribute)] {
    [("shape", .list(shape.map(Attribute.int)))]
  }

  public func resultTypes(_ operands: [TensorType]) throws(OperatorError) -> [TensorType] {
    let check = try OperandCheck(operands, ["x"])
    let result = try TensorType(check[0].element, shape.map(Dimension.fixed)).checked()
    let count = shape.reduce(1, *)
    try check.expect(
      0, check[0].fixedShape?.reduce(1, *) == count,
      "fixed extents with \(count) elements for shape \(shape)")
    return [result]
  }

  /// An axis that keeps its extent and what lies before it stays the axis that it was.
  public func invariance(_ operands: [TensorType]) -> InvarianceRule {
    guard let before = operands[0].fixedShape else { return .opaque }
    var ties: [AxisTie] = []
    for (axis, extent) in before.enumerated() where extent > 1 {
      let outer = before[..<axis].reduce(1, *)
      for (other, otherExtent) in shape.enumerated()
      where otherExtent == extent && shape[..<other].reduce(1, *) == outer {
        ties.append(AxisTie([.operand(0, axis), .result(0, other)], .general))
      }
    }
    return InvarianceRule(ties: ties)
  }

  public func evaluate(_ operands: [Tensor], in context: EvaluationContext) throws -> [Tensor] {
    [operands[0].reshaped(shape)]
  }
}
