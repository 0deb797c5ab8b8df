import CKernels

extension QuantizationSpec {
  /// The specification of a run of weights that share a scale.
  var singleGroup: irc_code_spec {
    var spec = kernelSpec
    spec.group = 0
    return spec
  }
}

extension ScaleRule {
  /// Writes scales, and zero points unless symmetric, of w (rows, columns) with a stride: (rows, groups of `spec`).
  func write(
    _ scale: UnsafeMutablePointer<Float>, _ zero: UnsafeMutablePointer<Int8>?,
    of w: UnsafePointer<Float>, stride: Int, rows: Int, columns: Int, _ spec: irc_code_spec
  ) {
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
