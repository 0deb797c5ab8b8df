import CKernels
import IRCQuant
import IRCSupport

/// What turns the codes of some rows into numbers, as the sections of the weights file after the codes.
struct PackedParameters {
  var scales: [Float]
  var zeros: [Int8]?
  /// The number of the whole tensor, where the scale format has one.
  var tensorScale: Float = 0
  /// Where the rows start in the tensor.
  var firstRow = 0

  /// The bytes of scales, zero points and the tensor's scale, each if there is such a section.
  ///
  /// - Throws: `Diagnostic` when a scale is no number of the scale format.
  func sections(of name: String, _ packed: PackedTensor) throws -> [[UInt8]] {
    let isFitted = packed.spec.format.isFitted
    var stored = [UInt8](repeating: 0, count: scales.count * packed.scaleBytes)
    let wrong = unsafe stored.withUnsafeMutableBytes { target in
      unsafe irc_pack_scales(
        target.baseAddress, scales, scales.count, packed.scaleFormat.kernelType, tensorScale)
    }
    if wrong < scales.count {
      throw Diagnostic(
        "weights.scale",
        "a \(isFitted ? "fitted value" : "scale") of tensor '\(name)', \(scales[wrong]) in row "
          + "\(firstRow + packed.row(ofScale: wrong)), is no number of \(packed.scaleFormat.rawValue)",
        hint:
          "a pass that chooses \(isFitted ? "values" : "scales") must round them to the scale format of its specification"
      )
    }
    // Values that all rows share come with the first.
    var sections = [
      packed.groups == 0 && firstRow > 0 ? [] : packed.laidOut(stored, size: packed.scaleBytes)
    ]
    if let zeros {
      let bytes = unsafe zeros.withUnsafeBytes { unsafe Array($0) }
      sections.append(packed.laidOut(bytes, size: 1))
    }
    if packed.hasTensorScale {
      // Once for the tensor, with its first rows.
      let bytes = unsafe withUnsafeBytes(of: tensorScale) { unsafe Array($0) }
      sections.append(firstRow == 0 ? bytes : [])
    }
    return sections
  }
}

extension PackedTensor {
  /// The row, counted from the first of them, that one of the numbers in the section of scales belongs to.
  func row(ofScale index: Int) -> Int {
    groups == 0 ? 0 : index / (groups * spec.numbersPerGroup)
  }

  /// Scales or zero points of `size` bytes of some rows [rows, groups] as the layout has them.
  fileprivate func laidOut(_ plain: [UInt8], size: Int) -> [UInt8] {
    guard layout == .panels else { return plain }
    let rows = plain.count / (groups * size)
    let count = irc_stored_rows(rows, IRC_LAYOUT_PANELS) * groups * size
    return unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
      if let target = buffer.baseAddress {
        unsafe irc_interleave_groups(target, plain, rows, groups, size)
      }
      initialized = count
    }
  }

  /// Codes [rows, columns] as the file has them.
  func packed(_ codes: UnsafePointer<Int8>, rows: Int) -> [UInt8] {
    let count = irc_stored_rows(rows, layout.kernelType) * rowBytes
    return unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
      guard let target = buffer.baseAddress else { return }
      switch layout {
      case .rows: unsafe irc_pack_rows(target, codes, columns, rows, columns, UInt32(bits))
      case .panels:
        unsafe irc_pack_panels(
          target, codes, columns, rows, columns, UInt32(bits), !spec.format.isInteger)
      }
      initialized = count
    }
  }
}
