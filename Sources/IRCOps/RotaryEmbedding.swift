private import CKernels
private import Foundation
public import IRCGraph
public import IRCTensor

/// Rotary position embedding: in each head, channels i and i + half turn by position · θ^(−2i/d).
///
/// x [T, heads·d] and positions [T] make [T, heads·d], in the half-split layout of Hugging Face checkpoints.
public struct RotaryEmbedding: KernelOperator {
  public static let name = "rope"

  /// Channels of one head, an even number.
  public let headDimension: Int
  /// Base of the wavelengths.
  public let theta: Double

  /// Makes the operator.
  public init(headDimension: Int, theta: Double) {
    self.headDimension = headDimension
    self.theta = theta
  }

  public init(reading attributes: inout AttributeReader) {
    headDimension = attributes.int("head_dim", in: 2...Int(Int32.max))
    theta = attributes.float("theta")
  }

  public var attributes: [(name: String, value: Attribute)] {
    [("head_dim", .int(headDimension)), ("theta", .float(theta))]
  }

  public func resultTypes(_ operands: [TensorType]) throws(OperatorError) -> [TensorType] {
    let check = try OperandCheck(operands, ["x", "positions"])
    guard headDimension >= 2, headDimension.isMultiple(of: 2), theta > 0 else {
      throw OperatorError(
        "head_dim \(headDimension) must be even and at least 2, and theta \(theta) positive")
    }
    try check.real(0, rank: 2...2)
    try check.expect(
      0, check[0].shape[1].fixed?.isMultiple(of: headDimension) ?? false,
      "a last extent that is a multiple of head_dim \(headDimension)")
    try check.exactly(1, .i32, [check[0].shape[0]])
    return [check[0]]
  }

  /// Rotations of a pair are complex factors, and those commute.
  public func invariance(_ operands: [TensorType]) -> InvarianceRule {
    let heads = (operands[0].shape[1].fixed ?? 0) / headDimension
    return InvarianceRule(ties: [
      AxisTie([.operand(0, 1), .result(0, 1)], .blocks(of: .complexPairs, count: heads))
    ])
  }

  public func cost(_ operands: [TensorType], _ results: [TensorType]) -> Cost {
    Cost(
      macs: saturatingProduct(2, results[0].elementCount), reading: operands, writing: results)
  }

  public func evaluateByKernel(_ operands: [Tensor]) throws -> [Tensor] {
    let x = operands[0]
    let positions = integers(operands[1])
    let frequencies = self.frequencies
    return unsafe withPointers([x], as: Float.self) { pointers in
      let source = unsafe pointers[0]
      return [
        unsafe makeTensor(x.shape, of: Float.self) { target in
          unsafe irc_rope_f32(
            target, source, x.columns, positions, frequencies, x.rows, x.columns / headDimension,
            headDimension)
        }
      ]
    }
  }

  /// Turn of each pair from one position to the next, in radians.
  public var frequencies: [Double] {
    (0..<headDimension / 2).map { pow(theta, -2 * Double($0) / Double(headDimension)) }
  }

  public func evaluate<Scalar: Real>(
    _ operands: [Tensor], as scalar: Scalar.Type
  ) throws -> [Tensor] {
    let x = operands[0]
    let (tokens, columns, half) = (x.shape[0], x.shape[1], headDimension / 2)
    let positions = integers(operands[1])
    // Angles are made in double precision: at position 30,000 a float has no digits left for the fastest pair.
    let frequencies = self.frequencies
    var cosines = [Scalar](repeating: 0, count: half)
    var sines = cosines
    return unsafe withPointers([x], as: Scalar.self) { pointers in
      let source = unsafe pointers[0]
      return [
        unsafe makeTensor(x.shape, of: Scalar.self) { target in
          for token in 0..<tokens {
            for pair in 0..<half {
              let angle = Double(positions[token]) * frequencies[pair]
              cosines[pair] = Scalar(cos(angle))
              sines[pair] = Scalar(sin(angle))
            }
            for head in stride(from: 0, to: columns, by: headDimension) {
              let from = unsafe source + token * columns + head
              let to = unsafe target + token * columns + head
              for pair in 0..<half {
                let (a, b) = unsafe (from[pair], from[pair + half])
                unsafe to[pair] = a * cosines[pair] - b * sines[pair]
                unsafe to[pair + half] = b * cosines[pair] + a * sines[pair]
              }
            }
          }
        }
      ]
    }
  }
}
