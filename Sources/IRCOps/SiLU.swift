private import CKernels
public import IRCGraph
public import IRCTensor

/// x·σ(x) = x / (1 + e^−x) of each element.
public struct SiLU: PlainOperator, KernelOperator {
  public static let name = "silu"

  public init() {}

  public func resultTypes(_ operands: [TensorType]) throws(OperatorError) -> [TensorType] {
    let check = try OperandCheck(operands, ["x"])
    try check.real(0, rank: 0...Int.max)
    return [check[0]]
  }

  /// A function of single elements passes reorderings; with a scale inside the gate, x·σ(s ⊙ x) = silu(s ⊙ x) / s, it lets
  /// a channel scale s pass as well.
  public func invariance(_ operands: [TensorType]) -> InvarianceRule {
    var rule = InvarianceRule.elementwise(operands[0], .permutation)
    if let last = operands[0].shape.indices.last {
      rule.adaptations = [
        Adaptation(
          [.operand(0, last), .result(0, last)], .positiveDiagonal, becomes: ScaledSiLU.name)
      ]
    }
    return rule
  }

  public var rowwiseOperands: [Int]? { [0] }

  public func evaluateByKernel(_ operands: [Tensor]) throws -> [Tensor] {
    [unsafe mapByKernel(operands[0], irc_silu_f32)]
  }

  public func evaluate<Scalar: Real>(
    _ operands: [Tensor], as scalar: Scalar.Type
  ) throws -> [Tensor] {
    [mapElements(operands[0]) { (x: Scalar) in x / (1 + Scalar.exponential(-x)) }]
  }
}
