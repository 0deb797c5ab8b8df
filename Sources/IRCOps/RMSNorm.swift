private import CKernels
private import Foundation
public import IRCGraph
public import IRCTensor

/// x / √(mean of x² + ε) over the last axis, then times a gain if there is one.
public struct RMSNorm: KernelOperator {
  public static let name = "rms_norm"

  /// Added to the mean square.
  public let epsilon: Double

  /// Makes the operator.
  public init(epsilon: Double) {
    self.epsilon = epsilon
  }

  public init(reading attributes: inout AttributeReader) {
    epsilon = attributes.float("epsilon")
  }

  public var attributes: [(name: String, value: Attribute)] { [("epsilon", .float(epsilon))] }

  public func resultTypes(_ operands: [TensorType]) throws(OperatorError) -> [TensorType] {
    let check = try OperandCheck(operands, ["x", "gain"], optional: 1)
    guard epsilon >= 0 else { throw OperatorError("epsilon \(epsilon) is negative") }
    try check.real(0, rank: 2...Int.max)
    if check.count == 2 { try check.exactly(1, .f32, check[0].shape.suffix(1)) }
    return [check[0]]
  }

  /// Rotations keep the mean square. With a gain the result is a product, as in `Multiply`: the x side passes reorderings and
  /// signs, the gain any channel factor.
  public func invariance(_ operands: [TensorType]) -> InvarianceRule {
    let last = operands[0].rank - 1
    var ties: [AxisTie]
    if operands.count == 1 {
      ties = [AxisTie([.operand(0, last), .result(0, last)], .orthogonal)]
    } else {
      ties = [
        AxisTie([.operand(0, last)], .signedPermutation),
        AxisTie(
          [.operand(0, last), .operand(1, 0), .result(0, last)], .monomial, .product, role: .norm),
      ]
    }
    for axis in 0..<last {
      ties.append(AxisTie([.operand(0, axis), .result(0, axis)], .signedPermutation))
    }
    return InvarianceRule(ties: ties)
  }

  /// With a gain, the result takes any channel factor.
  public func adaptation(_ operands: [TensorType]) -> Adaptation? {
    guard operands.count == 1, let width = operands[0].shape.last else { return nil }
    return Adaptation(becomes: self, unit: TensorType(.f32, [width]))
  }

  public func cost(_ operands: [TensorType], _ results: [TensorType]) -> Cost {
    Cost(
      macs: saturatingProduct(operands.count + 1, results[0].elementCount), reading: operands,
      writing: results)
  }

  public var rowwiseOperands: [Int]? { [0] }

  public func evaluateByKernel(_ operands: [Tensor]) throws -> [Tensor] {
    let (rows, columns) = (operands[0].rows, operands[0].columns)
    return unsafe withPointers(operands, as: Float.self) { pointers in
      let source = unsafe pointers[0]
      let gain = unsafe pointers.count == 2 ? pointers[1] : nil
      return [
        unsafe makeTensor(operands[0].shape, of: Float.self) { target in
          unsafe irc_rms_norm_f32(target, source, columns, gain, rows, columns, Float(epsilon))
        }
      ]
    }
  }

  public func evaluate<Scalar: Real>(
    _ operands: [Tensor], as scalar: Scalar.Type
  ) throws -> [Tensor] {
    let (rows, columns) = (operands[0].rows, operands[0].columns)
    return unsafe withPointers(operands, as: Scalar.self) { pointers in
      let source = unsafe pointers[0]
      let gain = unsafe pointers.count == 2 ? pointers[1] : nil
      return [
        unsafe makeTensor(operands[0].shape, of: Scalar.self) { target in
          for row in 0..<rows {
            let x = unsafe source + row * columns
            let y = unsafe target + row * columns
            var sum: Scalar = 0
            for column in 0..<columns { unsafe sum += x[column] * x[column] }
            let factor = 1 / (sum / Scalar(columns) + Scalar(epsilon)).squareRoot()
            if let gain = unsafe gain {
              for column in 0..<columns {
                unsafe y[column] = x[column] * factor * gain[column]
              }
            } else {
              for column in 0..<columns { unsafe y[column] = x[column] * factor }
            }
          }
        }
      ]
    }
  }
}
