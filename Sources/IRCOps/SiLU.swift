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

  /// A function of single elements passes reorderings.
  public func invariance(_ operands: [TensorType]) -> InvarianceRule {
    .elementwise(operands[0], .permutation, role: .activation)
  }

  /// x·σ(s ⊙ x) = silu(s ⊙ x) / s lets channel factors pass.
  public func adaptation(_ operands: [TensorType]) -> Adaptation? {
    operands[0].shape.last.map {
      Adaptation(becomes: ScaledSiLU(), unit: TensorType(.f32, [$0]))
    }
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
