import IRCSupport
public import IRCTensor

extension ScaleSet {
  /// Scales and zero points for `weights`, f32 [out, in], by a rule, on all threads.
  public init(fitting weights: Tensor, _ spec: QuantizationSpec, _ rule: ScaleRule) throws {
    let single = spec.granularity == .tensor
    let rows = single ? min(1, weights.count) : weights.rows
    let columns = single ? weights.count : weights.columns
    let groups = single ? 1 : spec.granularity.scales(inRowOf: columns)
    let shape = single ? [1, 1] : [rows, groups]
    let whole = spec.kernelSpec(for: weights)
    let code = single ? whole.singleGroup : whole
    var zeros = [Int8](repeating: 0, count: shape[0] * shape[1])
    scales = try unsafe weights.withElements(as: Float.self) { elements in
      guard let start = elements.baseAddress else { return Tensor(zeros: shape, .f32) }
      let source = unsafe Shared(start)
      return try unsafe Tensor(shape, of: Float.self) { scale in
        try unsafe zeros.withUnsafeMutableBufferPointer { zero in
          guard let scale = scale.baseAddress, let zero = zero.baseAddress else { return }
          let (scales, zeros) = unsafe (Exclusive(scale), Exclusive(zero))
          try Parallel.forChunks(of: rows, chunk: max(1, (1 << 16) / max(1, columns))) { range in
            let first = range.lowerBound
            unsafe rule.write(
              scales.start + first * groups, spec.isSymmetric ? nil : zeros.start + first * groups,
              of: source.start + first * columns, stride: columns, rows: range.count,
              columns: columns, code)
          }
        }
      }
    }
    self.zeros = spec.isSymmetric ? nil : Tensor(shape, zeros)
  }
}

/// An address that several threads read.
///
/// SAFETY: made from a tensor that outlives the parallel loop; nobody writes there.
@safe
struct Shared<Element>: @unchecked Sendable {
  let start: UnsafePointer<Element>
  init(_ start: UnsafePointer<Element>) { unsafe self.start = start }
}

/// An address where several threads write, each its own elements.
///
/// SAFETY: made from memory that outlives the parallel loop; the pieces of the loop do not overlap.
@safe
struct Exclusive<Element>: @unchecked Sendable {
  let start: UnsafeMutablePointer<Element>
  init(_ start: UnsafeMutablePointer<Element>) { unsafe self.start = start }
}
