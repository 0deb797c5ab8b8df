import CKernels
import IRCGraph
import IRCQuant

/// One constant of the graph as the weights file keeps it.
struct StoredTensor {
  /// How the elements are kept.
  enum Content: Hashable {
    /// Single precision.
    case floats(ValueID)
    /// Half precision, as the checkpoint has it.
    case halves(ValueID)
    /// Codes in blocks, with scales and zero points.
    case packed(PackedTensor)
  }

  /// A run of bytes in the file.
  struct Section {
    /// What lies there.
    var role: String
    /// Where it starts, from the start of the data; a multiple of 64.
    var offset: Int
    /// How long it is.
    var bytes: Int
  }

  /// Name of the checkpoint tensor that it stands for.
  var name: String
  /// Name of the constant that a pass computed from that tensor; nil if it is made of the tensor itself.
  var constant: String?
  var content: Content
  var shape: [Int]
  var sections: [Section]

  /// The tensor seen as a matrix.
  var rows: Int { shape.dropLast().reduce(1, *) }
  var columns: Int { shape.last ?? 1 }

  /// How the elements are kept, in words.
  var format: String {
    switch content {
    case .floats: "f32"
    case .halves: "f16"
    case .packed(let packed):
      "\(packed.spec.format) \(packed.spec.granularity)"
        + (packed.spec.isSymmetric ? "" : " asymmetric") + " \(packed.scaleFormat.rawValue)"
    }
  }
}

/// Codes of a matrix with what turns them into numbers.
struct PackedTensor: Hashable {
  var codes: ValueID
  var scale: ValueID
  var zero: ValueID?
  var spec: QuantizationSpec
  var rows: Int
  var columns: Int
  /// Groups of a row in the file; a single scale of the whole tensor is repeated for each row. 0 if all rows share the values of
  /// a fitted format.
  var groups: Int
  /// How scales are kept, which they fit exactly.
  var scaleFormat: ScaleFormat
  /// True if the graph has one scale for everything.
  var hasOneScale: Bool
  /// How codes lie, and with them scales and zero points.
  var layout: CodeLayout

  var bits: Int { spec.format.bits }
  /// Numbers in the section of scales.
  var scaleCount: Int { (groups == 0 ? 1 : storedRows * groups) * spec.numbersPerGroup }
  /// Rows that the file has codes, scales and zero points of.
  var storedRows: Int { irc_stored_rows(rows, layout.kernelType) }
  /// What that section is called.
  var scaleRole: String {
    switch spec.format {
    case .integer, .table: "scales"
    case .codebook: "values"
    case .binary: "factors"
    }
  }
  /// Columns that share a scale.
  var group: Int {
    if case .group(let size) = spec.granularity, !hasOneScale { return size }
    return columns
  }
  /// Bytes of a row of codes: blocks of 32 codes, as in `irc_kernels.h`.
  var rowBytes: Int { (columns + 31) / 32 * 4 * bits }
  var scaleBytes: Int { scaleFormat.bits / 8 }
  /// True if a number of the whole tensor goes with the scales.
  var hasTensorScale: Bool { scaleFormat.needsWholeTensor }
}
