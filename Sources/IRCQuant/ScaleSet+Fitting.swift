import CKernels
import IRCSupport
public import IRCTensor

extension ScaleSet {
  /// Scales and zero points for `weights`, f32 [out, in], by a rule, or the values of a fitted format, on all threads.
  ///
  /// - Parameter importance: how much the error of each column counts, for fitted formats; nil: alike.
  public init(
    fitting weights: Tensor, _ spec: QuantizationSpec, _ rule: ScaleRule,
    importance: [Float]? = nil
  ) throws {
    precondition(importance.map { $0.count == weights.columns } ?? true, "widths differ")
    // An empty row of importance says nothing, and has no address.
    let importance = importance.map { $0.isEmpty ? [1] : $0 } ?? []
    let single = spec.granularity == .tensor
    let rows = single ? min(1, weights.count) : weights.rows
    let columns = single ? weights.count : weights.columns
    let groups = (single ? 1 : spec.granularity.scales(inRowOf: columns)) * spec.numbersPerGroup
    let shape = [single ? 1 : rows, groups]
    let whole = spec.kernelSpec(for: weights)
    let code = single ? whole.singleGroup : whole
    let hasZeros = spec.hasZeroPoints
    var zeros = [Int8](repeating: 0, count: hasZeros ? shape[0] * shape[1] : 0)
    scales = try unsafe weights.withElements(as: Float.self) { elements in
      guard let start = elements.baseAddress else { return Tensor(zeros: shape, .f32) }
      let source = unsafe SharedPointer(start)
      return try unsafe Tensor(shape, of: Float.self) { scale in
        try unsafe zeros.withUnsafeMutableBufferPointer { zero in
          guard let scale = scale.baseAddress else { return }
          let scales = unsafe SharedMutablePointer(scale)
          let zeros = unsafe zero.baseAddress.map { unsafe SharedMutablePointer($0) }
          try Parallel.forChunks(of: rows, chunk: max(1, (1 << 16) / max(1, columns))) { range in
            let first = range.lowerBound
            unsafe importance.withUnsafeBufferPointer { importance in
              unsafe rule.write(
                scales.start + first * groups,
                hasZeros ? zeros.map { unsafe $0.start + first * groups } : nil,
                of: source.start + first * columns, stride: columns, rows: range.count,
                columns: columns, code,
                importance: irc_importance(
                  weight: importance.isEmpty ? nil : importance.baseAddress,
                  period: importance.count))
            }
          }
        }
      }
    }
    self.zeros = hasZeros ? Tensor(shape, zeros) : nil
  }
}
