public import IRCGraph
public import IRCTensor

/// The channels along an axis less their mean: x·(I − 11ᵀ/n).
///
/// A projection, so nothing undoes it; constants take it up where only differences between channels matter.
public struct ChannelCentre: RealOperator {
  public static let name = "channel_centre"

  /// Which axis is centred.
  public let axis: Int

  /// Describes the centring.
  public init(axis: Int) {
    self.axis = axis
  }

  public init(reading attributes: inout AttributeReader) {
    axis = attributes.int("axis")
  }

  public var attributes: [(name: String, value: Attribute)] { [("axis", .int(axis))] }

  public func resultTypes(_ operands: [TensorType]) throws(OperatorError) -> [TensorType] {
    let check = try OperandCheck(operands, ["x"])
    try check.channels(0, axis, "at least one channel") { $0 > 0 }
    return [check[0]]
  }

  /// Linear in every other axis; the mean is that of reordered channels too.
  public func invariance(_ operands: [TensorType]) -> InvarianceRule {
    var rule = InvarianceRule.elementwise(operands[0], .general, except: axis)
    rule.ties.append(AxisTie([.operand(0, axis), .result(0, axis)], .permutation))
    return rule
  }

  public func cost(_ operands: [TensorType], _ results: [TensorType]) -> Cost {
    Cost(
      macs: saturatingProduct(2, results[0].elementCount), reading: operands, writing: results)
  }

  public var rowwiseOperands: [Int]? { axis == 0 ? nil : [0] }

  /// The means are in double precision in either case.
  public func evaluate<Scalar: Real>(
    _ operands: [Tensor], as scalar: Scalar.Type
  ) throws -> [Tensor] {
    let shape = operands[0].shape
    let inner = shape[(axis + 1)...].reduce(1, *)
    let (channels, outer) = (shape[axis], shape[..<axis].reduce(1, *))
    return unsafe withPointers(operands, as: Scalar.self) { pointers in
      let source = unsafe pointers[0]
      return [
        unsafe makeTensor(shape, of: Scalar.self) { target in
          var means = [Double](repeating: 0, count: inner)
          for block in 0..<outer {
            let x = unsafe source + block * channels * inner
            let y = unsafe target + block * channels * inner
            unsafe means.withUnsafeMutableBufferPointer { means in
              unsafe centre(y, x, means, channels: channels, inner: inner)
            }
          }
        }
      ]
    }
  }

  @inline(__always)
  private func centre<Scalar: Real>(
    _ y: UnsafeMutablePointer<Scalar>, _ x: UnsafePointer<Scalar>,
    _ means: UnsafeMutableBufferPointer<Double>, channels: Int, inner: Int
  ) {
    if inner == 1 {
      var sum = 0.0
      for channel in 0..<channels { unsafe sum += Double(x[channel]) }
      let mean = sum / Double(channels)
      for channel in 0..<channels { unsafe y[channel] = Scalar(Double(x[channel]) - mean) }
      return
    }
    unsafe means.update(repeating: 0)
    for channel in 0..<channels {
      let row = unsafe x + channel * inner
      for index in 0..<inner { unsafe means[index] += Double(row[index]) }
    }
    for index in 0..<inner { unsafe means[index] /= Double(channels) }
    for channel in 0..<channels {
      let (row, result) = unsafe (x + channel * inner, y + channel * inner)
      for index in 0..<inner { unsafe result[index] = Scalar(Double(row[index]) - means[index]) }
    }
  }
}
