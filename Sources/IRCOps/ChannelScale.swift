public import IRCGraph
public import IRCTensor

/// Each channel along an axis times its factor, or divided by it.
public struct ChannelScale: RealOperator {
  public static let name = "channel_scale"

  /// Which axis is scaled.
  public let axis: Int
  /// True to divide by the factors.
  public let isInverse: Bool

  /// Describes the scaling.
  public init(axis: Int, isInverse: Bool = false) {
    self.axis = axis
    self.isInverse = isInverse
  }

  public init(reading attributes: inout AttributeReader) {
    axis = attributes.int("axis")
    isInverse = attributes.bool("inverse")
  }

  public var attributes: [(name: String, value: Attribute)] {
    [("axis", .int(axis)), ("inverse", .bool(isInverse))]
  }

  public func resultTypes(_ operands: [TensorType]) throws(OperatorError) -> [TensorType] {
    let check = try OperandCheck(operands, ["x", "factors"])
    try check.channels(0, axis)
    try check.exactly(1, .f32, [check[0].shape[axis]])
    return [check[0]]
  }

  /// A product of x and the factors as in `Multiply`; of a quotient, x is the product of the result and the factors.
  public func invariance(_ operands: [TensorType]) -> InvarianceRule {
    var rule = InvarianceRule.elementwise(operands[0], .general, except: axis)
    let ends = [OperatorAxis.operand(0, axis), .result(0, axis)]
    let (first, last) = isInverse ? (ends[1], ends[0]) : (ends[0], ends[1])
    rule.ties.append(AxisTie([first, .operand(1, 0), last], .monomial, .product))
    return rule
  }

  public func cost(_ operands: [TensorType], _ results: [TensorType]) -> Cost {
    Cost(macs: results[0].elementCount, reading: operands, writing: results)
  }

  public var rowwiseOperands: [Int]? { axis == 0 ? [0, 1] : [0] }

  public func evaluate<Scalar: Real>(
    _ operands: [Tensor], as scalar: Scalar.Type
  ) throws -> [Tensor] {
    let shape = operands[0].shape
    let inner = shape[(axis + 1)...].reduce(1, *)
    let (channels, outer) = (shape[axis], shape[..<axis].reduce(1, *))
    return unsafe withPointers(operands, as: Scalar.self) { pointers in
      let (x, factors) = unsafe (pointers[0], pointers[1])
      return [
        unsafe makeTensor(shape, of: Scalar.self) { target in
          guard inner > 1 else {
            for row in 0..<outer {
              unsafe scaleRow(target + row * channels, x + row * channels, factors, channels)
            }
            return
          }
          for row in 0..<outer * channels {
            let factor = unsafe factors[row % channels]
            unsafe scaleRow(target + row * inner, x + row * inner, factor, inner)
          }
        }
      ]
    }
  }

  @inline(__always)
  private func scaleRow<Scalar: Real>(
    _ target: UnsafeMutablePointer<Scalar>, _ x: UnsafePointer<Scalar>,
    _ factors: UnsafePointer<Scalar>, _ count: Int
  ) {
    if isInverse {
      for index in 0..<count { unsafe target[index] = x[index] / factors[index] }
    } else {
      for index in 0..<count { unsafe target[index] = x[index] * factors[index] }
    }
  }

  @inline(__always)
  private func scaleRow<Scalar: Real>(
    _ target: UnsafeMutablePointer<Scalar>, _ x: UnsafePointer<Scalar>, _ factor: Scalar,
    _ count: Int
  ) {
    if isInverse {
      for index in 0..<count { unsafe target[index] = x[index] / factor }
    } else {
      for index in 0..<count { unsafe target[index] = x[index] * factor }
    }
  }
}
