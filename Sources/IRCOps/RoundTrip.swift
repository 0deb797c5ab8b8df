import IRCGraph
public import IRCQuant
public import IRCTensor

extension QuantizationSpec {
  /// What is left of a real tensor [..., n] after `quantize` and `dequantize` with scales of its own, in single precision.
  ///
  /// - Throws: `OperatorError` when the format does not fit the shape.
  public func roundTrip(_ x: Tensor) throws -> Tensor {
    _ = try parameterShape(of: x.shape.map { .fixed($0) })
    let (scale, zero) = try quantizationParameters(x, self)
    return try dequantize(quantize(x, scale, zero, self), scale, zero, self)
  }
}
