public import IRCGraph
public import IRCTensor

/// The entries `lower ..< upper` along one axis.
public struct Slice: Operator {
  public static let name = "slice"

  /// Which axis is cut.
  public let axis: Int
  /// First entry that stays.
  public let lower: Int
  /// First entry after those that stay.
  public let upper: Int

  /// Says what stays.
  public init(axis: Int, lower: Int, upper: Int) {
    self.axis = axis
    self.lower = lower
    self.upper = upper
  }

  public init(reading attributes: inout AttributeReader) {
    axis = attributes.int("axis")
    lower = attributes.int("lower")
    upper = attributes.int("upper")
  }

  public var attributes: [(name: String, value: Attribute)] {
    [("axis", .int(axis)), ("lower", .int(lower)), ("upper", .int(upper))]
  }

  public func resultTypes(_ operands: [TensorType]) throws(OperatorError) -> [TensorType] {
    let check = try OperandCheck(operands, ["x"])
    let extent = axis >= 0 && axis < check[0].rank ? check[0].shape[axis].fixed : nil
    try check.expect(
      0, extent.map { 0 <= lower && lower <= upper && upper <= $0 } ?? false,
      "a fixed extent of at least \(upper) at axis \(axis) (for \(lower)..<\(upper))")
    var shape = check[0].shape
    shape[axis] = .fixed(upper - lower)
    return [TensorType(check[0].element, shape)]
  }

  /// A transform of the cut axis passes if it keeps the channels that stay among themselves: T is then block diagonal, and its
  /// block for `lower ..< upper` is the transform of the result.
  public func invariance(_ operands: [TensorType]) -> InvarianceRule {
    InvarianceRule(
      ties: operands[0].shape.indices.map { index in
        AxisTie(
          [.operand(0, index), .result(0, index)], .general,
          index == axis ? .slice(lower: lower, upper: upper) : .identity)
      })
  }

  public var rowwiseOperands: [Int]? { axis == 0 ? nil : [0] }

  public func evaluate(_ operands: [Tensor], in context: EvaluationContext) throws -> [Tensor] {
    let x = operands[0]
    if axis == 0 { return [x.slice(rows: lower..<upper)] }
    var shape = x.shape
    shape[axis] = upper - lower
    let inner = x.shape[(axis + 1)...].reduce(1, *) * x.elementType.byteCount
    let outer = x.shape[..<axis].reduce(1, *)
    return [
      try unsafe x.rearranged(shape) { source, target in
        unsafe copyBlocks(
          outer, bytes: (upper - lower) * inner, from: source + lower * inner,
          every: x.shape[axis] * inner, to: target, every: (upper - lower) * inner)
      }
    ]
  }
}
