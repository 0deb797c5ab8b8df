import IRCGraph

extension InvarianceRule {
  /// Each axis of the operand tied to the same axis of the result.
  static func elementwise(_ operand: TensorType, _ group: TransformGroup) -> InvarianceRule {
    InvarianceRule(
      ties: operand.shape.indices.map { axis in
        AxisTie([.operand(0, axis), .result(0, axis)], group)
      })
  }
}
