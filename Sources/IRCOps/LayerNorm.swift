private import CKernels
private import Foundation
public import IRCGraph
public import IRCTensor

/// (x − mean) / √(variance + ε) over the last axis, then times a gain and plus a bias if there are any.
///
/// The variance is the mean square of what the mean leaves (Ba et al., arXiv 1607.06450, equation 3).
public struct LayerNorm: KernelOperator {
  public static let name = "layer_norm"

  /// Added to the variance.
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
    let check = try OperandCheck(operands, ["x", "gain", "bias"], optional: 2)
    guard epsilon >= 0 else { throw OperatorError("epsilon \(epsilon) is negative") }
    try check.real(0, rank: 2...Int.max)
    for index in 1..<check.count { try check.exactly(index, .f32, check[0].shape.suffix(1)) }
    return [check[0]]
  }

  /// Of the named groups only reorderings keep the mean and the distances from it: a rotation would have to fix the diagonal
  /// (1, …, 1). With a gain the result is a product, as in `Multiply`, and a bias moves with the result.
  public func invariance(_ operands: [TensorType]) -> InvarianceRule {
    let last = operands[0].rank - 1
    let (x, result) = (OperatorAxis.operand(0, last), OperatorAxis.result(0, last))
    var ties: [AxisTie]
    if operands.count == 1 {
      ties = [AxisTie([x, result], .permutation)]
    } else {
      ties = [
        AxisTie([x], .permutation),
        AxisTie([x, .operand(1, 0), result], .monomial, .product, role: .norm),
      ]
    }
    if operands.count == 3 { ties.append(AxisTie([.operand(2, 0), result], .monomial)) }
    for axis in 0..<last {
      // A bias has one sign for all rows.
      ties.append(
        AxisTie(
          [.operand(0, axis), .result(0, axis)],
          operands.count == 3 ? .permutation : .signedPermutation))
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
      macs: saturatingProduct(operands.count + 2, results[0].elementCount), reading: operands,
      writing: results)
  }

  public var rowwiseOperands: [Int]? { [0] }

  public func evaluateByKernel(_ operands: [Tensor]) throws -> [Tensor] {
    let (rows, columns) = (operands[0].rows, operands[0].columns)
    return unsafe withPointers(operands, as: Float.self) { pointers in
      let source = unsafe pointers[0]
      let gain = unsafe pointers.count > 1 ? pointers[1] : nil
      let bias = unsafe pointers.count > 2 ? pointers[2] : nil
      return [
        unsafe makeTensor(operands[0].shape, of: Float.self) { target in
          unsafe irc_layer_norm_f32(
            target, source, columns, gain, bias, rows, columns, Float(epsilon))
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
      return [
        unsafe makeTensor(operands[0].shape, of: Scalar.self) { target in
          for row in 0..<rows {
            let x = unsafe source + row * columns
            let y = unsafe target + row * columns
            var sum: Scalar = 0
            for column in 0..<columns { unsafe sum += x[column] }
            let mean = sum / Scalar(columns)
            var square: Scalar = 0
            for column in 0..<columns {
              unsafe y[column] = x[column] - mean
              unsafe square += y[column] * y[column]
            }
            let factor = 1 / (square / Scalar(columns) + Scalar(epsilon)).squareRoot()
            for column in 0..<columns { unsafe y[column] *= factor }
            if unsafe pointers.count > 1 {
              for column in 0..<columns { unsafe y[column] *= pointers[1][column] }
            }
            if unsafe pointers.count > 2 {
              for column in 0..<columns { unsafe y[column] += pointers[2][column] }
            }
          }
        }
      ]
    }
  }
}
