import IRCGraph
import IRCQuant
import IRCTensor

extension OperandCheck {
  /// Fails unless the operands from `first` on are codes of shape `shape`, scales and, if there are any, zero points.
  ///
  /// - Returns: the index after them.
  func quantized(
    _ first: Int, _ spec: QuantizationSpec, shape: [Dimension]
  ) throws(OperatorError) -> Int {
    try exactly(first, .i8, shape)
    return try parameters(first + 1, spec, of: shape)
  }

  /// Fails unless the operands from `first` on are scales and, if there are any, zero points of a tensor of that shape.
  func parameters(
    _ first: Int, _ spec: QuantizationSpec, of shape: [Dimension]
  ) throws(OperatorError) -> Int {
    let full = try spec.parameterShape(of: shape)
    // One scale for everything is always possible: a static activation.
    let single = spec.singleParameterShape
    try expect(
      first, self[first].element == .f32 && [full, single].contains(self[first].shape),
      full == single
        ? "\(TensorType(.f32, single))"
        : "\(TensorType(.f32, full)) or \(TensorType(.f32, single))")
    if !spec.hasZeroPoints { return first + 1 }
    try exactly(first + 1, .i8, self[first].shape)
    return first + 2
  }
}

extension QuantizationSpec {
  /// Extents of the scales of a tensor of one group: [1, 1], [1, n] for the n values of a fitted format.
  var singleParameterShape: [Dimension] { [1, .fixed(numbersPerGroup)] }

  /// Extents of the scales of a tensor: [rows, groups · n], [1, n] for one group, with n numbers a group.
  func parameterShape(of shape: [Dimension]) throws(OperatorError) -> [Dimension] {
    try check()
    guard shape.count >= 2, let columns = shape[shape.count - 1].fixed, columns > 0 else {
      throw OperatorError("cannot quantize shape \(shape): rank 2 and a fixed last extent needed")
    }
    if granularity == .tensor { return singleParameterShape }
    let groups = Dimension.fixed(granularity.scales(inRowOf: columns) * numbersPerGroup)
    if shape.count == 2 { return [shape[0], groups] }
    let outer = shape.dropLast().compactMap(\.fixed)
    guard outer.count == shape.count - 1 else {
      throw OperatorError("cannot quantize shape \(shape): fixed extents needed beyond rank 2")
    }
    return [.fixed(outer.reduce(1, *)), groups]
  }
}

/// Scales and zero points of `x`, or the values of a fitted format; single precision whatever `x` has.
func quantizationParameters(
  _ x: Tensor, _ spec: QuantizationSpec
) throws -> (scale: Tensor, zero: Tensor?) {
  let set = try ScaleSet(fitting: x.converted(to: .single), spec, .range)
  return (set.scales, set.zeros)
}

/// Codes of `x` under given scales.
func quantize(
  _ x: Tensor, _ scale: Tensor, _ zero: Tensor?, _ spec: QuantizationSpec
) throws -> Tensor {
  try spec.codes(
    of: x.converted(to: .single),
    under: ScaleSet(scales: scale.converted(to: .single), zeros: zero))
}

/// The values that codes stand for, in single precision.
func dequantize(
  _ codes: Tensor, _ scale: Tensor, _ zero: Tensor?, _ spec: QuantizationSpec
) throws -> Tensor {
  try spec.values(
    of: codes, under: ScaleSet(scales: scale.converted(to: .single), zeros: zero))
}

/// Reads the operands of one quantized tensor off a list.
struct OperandList {
  private var rest: ArraySlice<Tensor>

  init(_ operands: [Tensor]) { rest = operands[...] }

  /// The next operand.
  mutating func next() -> Tensor { rest.removeFirst() }

  /// The next one if there is one.
  mutating func nextIfPresent() -> Tensor? { rest.popFirst() }

  /// Codes, scale and, if there are any, zero points.
  mutating func quantized(_ spec: QuantizationSpec) -> (codes: Tensor, scale: Tensor, zero: Tensor?)
  {
    let codes = next()
    let scale = next()
    return (codes, scale, spec.hasZeroPoints ? next() : nil)
  }
}
