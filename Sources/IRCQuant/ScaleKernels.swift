import CKernels
import IRCTensor

extension QuantizationSpec {
  /// The specification as the encoders take it for weights, f32, whose largest magnitude decides about scales in E4M3.
  func kernelSpec(for weights: Tensor) -> irc_code_spec {
    guard scaleFormat.needsWholeTensor else { return kernelSpec() }
    let largest = unsafe weights.withElements(as: Float.self) { elements in
      guard let start = elements.baseAddress else { return Float(0) }
      return unsafe irc_absmax_f32(start, elements.count)
    }
    return kernelSpec(tensorScale: tensorScale(absoluteMaximum: largest))
  }
}

extension irc_code_spec {
  /// The specification of a run of weights that share a scale.
  var singleGroup: irc_code_spec {
    var spec = self
    spec.group = 0
    return spec
  }
}

extension ScaleRule {
  /// Writes scales, and zero points where `zero` is not nil, of w (rows, columns) with a stride: (rows, groups of `spec`, numbers
  /// of a group).
  ///
  /// - Parameter importance: how much columns count, for fitted formats; nil: alike.
  func write(
    _ scale: UnsafeMutablePointer<Float>, _ zero: UnsafeMutablePointer<Int8>?,
    of w: UnsafePointer<Float>, stride: Int, rows: Int, columns: Int, _ spec: irc_code_spec,
    importance: irc_importance = irc_importance()
  ) {
    if spec.kind != IRC_CODES_SCALED {
      let size = spec.group == 0 ? columns : min(columns, spec.group)
      let bytes = irc_fit_scratch_bytes(size, spec)
      unsafe withUnsafeTemporaryAllocation(byteCount: bytes, alignment: 16) {
        unsafe irc_fit_rows(scale, w, stride, rows, columns, importance, spec, $0.baseAddress)
      }
      return
    }
    switch self {
    case .range:
      unsafe irc_encode_params_rows(scale, zero, w, stride, rows, columns, spec)
    case .search(let norm):
      let size = spec.group == 0 ? columns : min(columns, spec.group)
      unsafe withUnsafeTemporaryAllocation(of: Float.self, capacity: irc_search_scratch(size)) {
        guard let scratch = $0.baseAddress else { return }
        unsafe irc_search_params_rows(
          scale, zero, w, stride, rows, columns, spec, Float(norm), scratch)
      }
    }
  }
}
