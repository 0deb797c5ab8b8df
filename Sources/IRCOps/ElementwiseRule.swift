import IRCGraph

extension InvarianceRule {
  /// Each axis of the operand, perhaps except one, tied to the same axis of the result.
  static func elementwise(
    _ operand: TensorType, _ group: TransformGroup, except other: Int? = nil,
    role: SiteRole? = nil
  ) -> InvarianceRule {
    InvarianceRule(
      ties: operand.shape.indices.filter { $0 != other }.map { axis in
        AxisTie([.operand(0, axis), .result(0, axis)], group, role: role)
      })
  }
}
