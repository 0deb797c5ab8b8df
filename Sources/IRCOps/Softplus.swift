private import CKernels
public import IRCGraph
public import IRCTensor

/// log(1 + eˣ) of each element, as max(x, 0) + log(1 + e^−|x|), which neither overflows nor cancels.
public struct Softplus: PlainOperator, KernelOperator {
  public static let name = "softplus"

  public init() {}

  public func resultTypes(_ operands: [TensorType]) throws(OperatorError) -> [TensorType] {
    let check = try OperandCheck(operands, ["x"])
    try check.real(0, rank: 0...Int.max)
    return [check[0]]
  }

  /// A function of single elements passes reorderings only.
  public func invariance(_ operands: [TensorType]) -> InvarianceRule {
    .elementwise(operands[0], .permutation)
  }

  public var rowwiseOperands: [Int]? { [0] }

  public func evaluateByKernel(_ operands: [Tensor]) throws -> [Tensor] {
    [unsafe mapByKernel(operands[0], irc_softplus_f32)]
  }

  public func evaluate<Scalar: Real>(
    _ operands: [Tensor], as scalar: Scalar.Type
  ) throws -> [Tensor] {
    [mapElements(operands[0]) { (x: Scalar) in softplus(x) }]
  }
}

/// log(1 + eˣ) of one number.
@inline(__always)
func softplus<Scalar: Real>(_ x: Scalar) -> Scalar {
  max(x, 0) + Scalar.logarithmOnePlus(Scalar.exponential(-abs(x)))
}
