package import CKernels

/// The values of a table format as the kernels take them; made once and never freed.
enum CodeTable {
  @safe private struct Entry: Sendable {
    let format: TableFormat
    // SAFETY: written before the entry is made, and only read afterwards.
    nonisolated(unsafe) let table: UnsafePointer<irc_code_table>
  }

  private static let all: [Entry] = TableFormat.allCases.map { format in
    let table = UnsafeMutablePointer<irc_code_table>.allocate(capacity: 1)
    unsafe irc_make_code_table(table, format.values, UInt32(format.bits))
    return unsafe Entry(format: format, table: UnsafePointer(table))
  }

  /// The table of `format`.
  static func pointer(of format: TableFormat) -> UnsafePointer<irc_code_table>? {
    guard let entry = all.first(where: { $0.format == format }) else { return nil }
    return unsafe entry.table
  }
}

extension QuantizationSpec {
  /// The specification as the encoders take it; those of scales in E4M3 need `tensorScale` as well.
  package func kernelSpec(tensorScale: Float = 0) -> irc_code_spec {
    var group = 0
    if case .group(let size) = granularity { group = size }
    var table: UnsafePointer<irc_code_table>?
    if case .table(let format) = self.format { unsafe table = CodeTable.pointer(of: format) }
    return unsafe irc_code_spec(
      bits: UInt32(format.bits), symmetric: isSymmetric, scale_type: scaleFormat.kernelType,
      floors_exponent: scaleFormat == .e8m0Floor, tensor_scale: tensorScale, group: group,
      table: table, kind: codeKind)
  }

  /// What a group has in the tensor of scales.
  package var codeKind: irc_code_kind {
    switch format {
    case .integer, .table: IRC_CODES_SCALED
    case .codebook: IRC_CODES_LISTED
    case .binary: isSymmetric ? IRC_CODES_SIGNED : IRC_CODES_OFFSET
    }
  }

  /// The number that scales in E4M3 of a tensor are multiplied by, from the tensor's largest magnitude.
  package func tensorScale(absoluteMaximum: Float) -> Float {
    irc_tensor_scale(absoluteMaximum, kernelSpec())
  }
}

extension ScaleFormat {
  /// How scales lie in memory.
  package var kernelType: irc_scale_type {
    switch self {
    case .f32: IRC_SCALE_F32
    case .f16: IRC_SCALE_F16
    case .e8m0, .e8m0Floor: IRC_SCALE_E8M0
    case .e4m3: IRC_SCALE_E4M3
    }
  }
}
