import CKernels
import IRCSupport
public import IRCTensor

extension QuantizationSpec {
  /// Codes of `x`, f32, under given scales or fitted values, on all threads.
  public func codes(of x: Tensor, under set: ScaleSet) throws -> Tensor {
    let view = RowView(of: x, self, set)
    return try unsafe x.withElements(as: Float.self) { elements in
      try unsafe Tensor(x.shape, of: Int8.self) { codes in
        guard let start = elements.baseAddress, let codes = codes.baseAddress else { return }
        let source = unsafe SharedPointer(start)
        let target = unsafe SharedMutablePointer(codes)
        try unsafe view.forRuns(under: set) { rows, scales, zeros in
          let place = rows.lowerBound * view.columns
          unsafe irc_encode_rows(
            target.start + place, view.columns, source.start + place, view.columns, scales, zeros,
            rows.count, view.columns, view.spec)
        }
      }
    }
  }

  /// The values, f32, that codes stand for, on all threads.
  public func values(of codes: Tensor, under set: ScaleSet) throws -> Tensor {
    let view = RowView(of: codes, self, set)
    return try unsafe codes.withElements(as: Int8.self) { elements in
      try unsafe Tensor(codes.shape, of: Float.self) { values in
        guard let start = elements.baseAddress, let values = values.baseAddress else { return }
        let source = unsafe SharedPointer(start)
        let target = unsafe SharedMutablePointer(values)
        try unsafe view.forRuns(under: set) { rows, scales, zeros in
          let place = rows.lowerBound * view.columns
          unsafe irc_decode_rows(
            target.start + place, view.columns, source.start + place, view.columns, scales, zeros,
            rows.count, view.columns, view.spec)
        }
      }
    }
  }

  /// The values that weights, f32 [out, in], have after rounding to nearest, on all threads.
  public func nearestValues(of weights: Tensor, _ rule: ScaleRule = .range) throws -> Tensor {
    try nearestValues(of: weights, under: ScaleSet(fitting: weights, self, rule))
  }

  /// The values that weights, f32 [out, in], have after rounding to nearest under given scales or fitted values, on all threads.
  public func nearestValues(of weights: Tensor, under set: ScaleSet) throws -> Tensor {
    try values(of: codes(of: weights, under: set), under: set)
  }
}

/// A tensor as the kernels see it: with one scale for everything it is a single row.
private struct RowView {
  let rows: Int
  let columns: Int
  /// Scales, or numbers of fitted values, of a row.
  let groups: Int
  let spec: irc_code_spec

  init(of tensor: Tensor, _ spec: QuantizationSpec, _ set: ScaleSet) {
    let hasOneScale = set.scales.count == spec.numbersPerGroup
    let code = spec.kernelSpec(tensorScale: 0)
    self.spec = hasOneScale ? code.singleGroup : code
    rows = hasOneScale ? min(1, tensor.count) : tensor.rows
    columns = hasOneScale ? tensor.count : tensor.columns
    groups =
      (hasOneScale ? 1 : spec.granularity.scales(inRowOf: tensor.columns)) * spec.numbersPerGroup
  }

  /// Calls `body` on all threads for runs of rows of about 64k elements, with their scales and, if there are any, zero points.
  func forRuns(
    under set: ScaleSet,
    _ body: @Sendable (Range<Int>, UnsafePointer<Float>, UnsafePointer<Int8>?) -> Void
  ) throws {
    try unsafe set.scales.withElements(as: Float.self) { scales in
      guard let start = scales.baseAddress else { return }
      let scales = unsafe SharedPointer(start)
      func run(_ zeros: SharedPointer<Int8>?) throws {
        try Parallel.forChunks(of: rows, chunk: max(1, (1 << 16) / max(1, columns))) { range in
          let group = range.lowerBound * groups
          unsafe body(range, scales.start + group, zeros.map { unsafe $0.start + group })
        }
      }
      guard let zeros = set.zeros else { return try run(nil) }
      try unsafe zeros.withElements(as: Int8.self) { zeros in
        guard let start = zeros.baseAddress else { return }
        try run(unsafe SharedPointer(start))
      }
    }
  }
}
