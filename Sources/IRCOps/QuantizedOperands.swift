import CKernels
import IRCGraph
import IRCQuant
import IRCSupport
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

/// Rows that one piece of a parallel loop takes, so that a piece has about 64k elements.
private func rowsPerPiece(_ columns: Int) -> Int { max(1, (1 << 16) / max(1, columns)) }

/// A tensor as the kernels see it: with one scale for everything it is a single row.
private struct RowView {
  let rows: Int
  let columns: Int
  /// Scales, or numbers of fitted values, of a row.
  let groups: Int
  let spec: irc_code_spec

  init(
    _ tensor: Tensor, _ spec: QuantizationSpec, hasOneScale: Bool, tensorScale: Float = 0
  ) {
    var kernelSpec = spec.kernelSpec(tensorScale: tensorScale)
    if hasOneScale { kernelSpec.group = 0 }
    self.spec = kernelSpec
    rows = hasOneScale ? (tensor.count == 0 ? 0 : 1) : tensor.rows
    columns = hasOneScale ? tensor.count : tensor.columns
    groups =
      (hasOneScale ? 1 : spec.granularity.scales(inRowOf: tensor.columns)) * spec.numbersPerGroup
  }

  /// Calls `body` for runs of rows, on all threads.
  func forRuns(_ body: @Sendable (Range<Int>) -> Void) throws {
    try Parallel.forChunks(of: rows, chunk: rowsPerPiece(columns), body)
  }
}

/// Scales and zero points of `x`, or the values of a fitted format; single precision whatever `x` has.
func quantizationParameters(
  _ x: Tensor, _ spec: QuantizationSpec
) throws -> (scale: Tensor, zero: Tensor?) {
  let x = x.converted(to: .single)
  if spec.format.isFitted { return (try ScaleSet(fitting: x, spec, .range).scales, nil) }
  let hasOneScale = spec.granularity == .tensor
  var tensorScale: Float = 0
  if spec.scaleFormat.needsWholeTensor {
    tensorScale = spec.tensorScale(absoluteMaximum: absoluteMaximum(x))
  }
  let view = RowView(x, spec, hasOneScale: hasOneScale, tensorScale: tensorScale)
  let shape = hasOneScale ? [1, 1] : [view.rows, view.groups]
  var zero: Tensor?
  let scale = try unsafe withPointers([x], as: Float.self) { pointers in
    let source = unsafe SharedPointer(pointers[0])
    return try unsafe makeTensor(shape, of: Float.self) { scale in
      let scale = unsafe SharedMutablePointer(scale)
      func run(_ zero: SharedMutablePointer<Int8>?) throws {
        try view.forRuns { rows in
          let place = rows.lowerBound * view.groups
          unsafe irc_encode_params_rows(
            scale.start + place, zero.map { unsafe $0.start + place },
            source.start + rows.lowerBound * view.columns, view.columns, rows.count, view.columns,
            view.spec)
        }
      }
      if !spec.hasZeroPoints {
        try run(nil)
      } else {
        zero = try unsafe makeTensor(shape, of: Int8.self) {
          try run(unsafe SharedMutablePointer($0))
        }
      }
    }
  }
  return (scale, zero)
}

/// The largest magnitude among the elements, NaNs passed over.
private func absoluteMaximum(_ x: Tensor) -> Float {
  unsafe withPointers([x], as: Float.self) { unsafe irc_absmax_f32($0[0], x.count) }
}

/// Codes of `x` under given scales.
func quantize(
  _ x: Tensor, _ scale: Tensor, _ zero: Tensor?, _ spec: QuantizationSpec
) throws -> Tensor {
  let x = x.converted(to: .single)
  let scale = scale.converted(to: .single)
  let view = RowView(x, spec, hasOneScale: scale.count == spec.numbersPerGroup)
  return try unsafe withPointers([x, scale], as: Float.self) { pointers in
    let source = unsafe SharedPointer(pointers[0])
    let scales = unsafe SharedPointer(pointers[1])
    return try withZeros(zero) { zeros in
      try unsafe makeTensor(x.shape, of: Int8.self) { codes in
        let codes = unsafe SharedMutablePointer(codes)
        try view.forRuns { rows in
          let place = rows.lowerBound * view.columns
          let group = rows.lowerBound * view.groups
          unsafe irc_encode_rows(
            codes.start + place, view.columns, source.start + place, view.columns,
            scales.start + group, zeros.map { unsafe $0.start + group }, rows.count, view.columns,
            view.spec)
        }
      }
    }
  }
}

/// The values that codes stand for, in single precision.
func dequantize(
  _ codes: Tensor, _ scale: Tensor, _ zero: Tensor?, _ spec: QuantizationSpec
) throws -> Tensor {
  let scale = scale.converted(to: .single)
  let view = RowView(codes, spec, hasOneScale: scale.count == spec.numbersPerGroup)
  return try unsafe withPointers([codes], as: Int8.self) { pointers in
    let source = unsafe SharedPointer(pointers[0])
    return try unsafe withPointers([scale], as: Float.self) { pointers in
      let scales = unsafe SharedPointer(pointers[0])
      return try withZeros(zero) { zeros in
        try unsafe makeTensor(codes.shape, of: Float.self) { values in
          let values = unsafe SharedMutablePointer(values)
          try view.forRuns { rows in
            let place = rows.lowerBound * view.columns
            let group = rows.lowerBound * view.groups
            unsafe irc_decode_rows(
              values.start + place, view.columns, source.start + place, view.columns,
              scales.start + group, zeros.map { unsafe $0.start + group }, rows.count,
              view.columns, view.spec)
          }
        }
      }
    }
  }
}

/// Lends zero points that may be missing.
private func withZeros<Result>(
  _ zero: Tensor?, _ body: (SharedPointer<Int8>?) throws -> Result
) rethrows -> Result {
  guard let zero else { return try body(nil) }
  return try unsafe withPointers([zero], as: Int8.self) { pointers in
    try body(unsafe SharedPointer(pointers[0]))
  }
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
