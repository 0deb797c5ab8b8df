package import CKernels

extension QuantizationSpec {
  /// The specification as the kernels take it.
  package var kernelSpec: irc_code_spec {
    var group = 0
    if case .group(let size) = granularity { group = size }
    return irc_code_spec(
      bits: UInt32(format.bits), symmetric: isSymmetric, scale_is_f16: scaleFormat == .f16,
      group: group)
  }
}
