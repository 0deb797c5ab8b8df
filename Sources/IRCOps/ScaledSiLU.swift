private import CKernels
public import IRCGraph
public import IRCTensor

/// x·σ(scale ⊙ x): SiLU that a channel scale can pass, for x [..., n] and scale [n].
///
/// MambaQuant (arXiv 2501.13484, section 4.2) calls it S-SiLU: dividing x by s and giving s as the scale divides the result by s.
public struct ScaledSiLU: PlainOperator, KernelOperator {
  public static let name = "scaled_silu"

  public init() {}

  public func resultTypes(_ operands: [TensorType]) throws(OperatorError) -> [TensorType] {
    let check = try OperandCheck(operands, ["x", "scale"])
    try check.real(0, rank: 2...Int.max)
    try check.exactly(1, .f32, check[0].shape.suffix(1))
    return [check[0]]
  }

  /// With x' = x·P·D and scale' = scale·P·D⁻¹ the gate stays in its place and the result becomes y·P·D.
  public func invariance(_ operands: [TensorType]) -> InvarianceRule {
    let last = operands[0].rank - 1
    var rule = InvarianceRule(ties: [
      AxisTie([.operand(0, last), .result(0, last)], .monomial, role: .activation),
      AxisTie([.operand(0, last), .operand(1, 0)], .monomial, .inverseTranspose),
    ])
    rule.ties += (0..<last).map { AxisTie([.operand(0, $0), .result(0, $0)], .permutation) }
    return rule
  }

  public var rowwiseOperands: [Int]? { [0] }

  public func evaluateByKernel(_ operands: [Tensor]) throws -> [Tensor] {
    let (rows, columns) = (operands[0].rows, operands[0].columns)
    return unsafe withPointers(operands, as: Float.self) { pointers in
      let (x, scale) = unsafe (pointers[0], pointers[1])
      return [
        unsafe makeTensor(operands[0].shape, of: Float.self) { target in
          unsafe irc_scaled_silu_rows_f32(target, x, columns, scale, rows, columns)
        }
      ]
    }
  }

  public func evaluate<Scalar: Real>(
    _ operands: [Tensor], as scalar: Scalar.Type
  ) throws -> [Tensor] {
    let (rows, columns) = (operands[0].rows, operands[0].columns)
    return unsafe withPointers(operands, as: Scalar.self) { pointers in
      let (x, scale) = unsafe (pointers[0], pointers[1])
      return [
        unsafe makeTensor(operands[0].shape, of: Scalar.self) { target in
          for row in 0..<rows {
            let start = row * columns
            for column in 0..<columns {
              let value = unsafe x[start + column]
              unsafe target[start + column] =
                value / (1 + Scalar.exponential(-(value * scale[column])))
            }
          }
        }
      ]
    }
  }
}
