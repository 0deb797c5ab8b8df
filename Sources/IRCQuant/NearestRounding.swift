import CKernels
import IRCSupport
public import IRCTensor

extension QuantizationSpec {
  /// The values that weights, f32 [out, in], have after rounding to nearest, on all threads.
  public func nearestValues(of weights: Tensor, _ rule: ScaleRule = .range) throws -> Tensor {
    try nearestValues(of: weights, under: ScaleSet(fitting: weights, self, rule))
  }

  /// The values that weights, f32 [out, in], have after rounding to nearest under given scales or fitted values, on all threads.
  public func nearestValues(of weights: Tensor, under set: ScaleSet) throws -> Tensor {
    let single = set.scales.count == numbersPerGroup
    let rows = single ? min(1, weights.count) : weights.rows
    let columns = single ? weights.count : weights.columns
    let groups = (single ? 1 : granularity.scales(inRowOf: columns)) * numbersPerGroup
    let whole = kernelSpec(for: weights)
    let code = single ? whole.singleGroup : whole
    let scales = set.scales.array(of: Float.self)
    let zeros = set.zeros?.array(of: Int8.self)
    return try unsafe weights.withElements(as: Float.self) { elements in
      guard let start = elements.baseAddress else { return weights }
      let source = unsafe Shared(start)
      return try unsafe Tensor(weights.shape, of: Float.self) { values in
        guard let values = values.baseAddress else { return }
        let target = unsafe Exclusive(values)
        try Parallel.forChunks(of: rows, chunk: max(1, (1 << 16) / max(1, columns))) { range in
          let (first, count) = (range.lowerBound, range.count)
          var codes = [Int8](repeating: 0, count: count * columns)
          unsafe scales.withUnsafeBufferPointer { scales in
            guard let scale = unsafe scales.baseAddress.map({ unsafe $0 + first * groups }) else {
              return
            }
            func run(_ zero: UnsafePointer<Int8>?) {
              unsafe irc_encode_rows(
                &codes, columns, source.start + first * columns, columns, scale, zero, count,
                columns, code)
              unsafe irc_decode_rows(
                target.start + first * columns, columns, codes, columns, scale, zero, count,
                columns, code)
            }
            if let zeros {
              unsafe zeros.withUnsafeBufferPointer {
                unsafe run($0.baseAddress.map { unsafe $0 + first * groups })
              }
            } else {
              run(nil)
            }
          }
        }
      }
    }
  }
}
