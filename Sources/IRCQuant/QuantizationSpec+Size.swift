extension QuantizationSpec {
  /// Bits that a tensor [rows, columns] takes up: codes, whose rows are filled up to whole blocks of 32, scales and zero points.
  public func storedBits(rows: Int, columns: Int) -> Int {
    let scales = granularity == .tensor ? 1 : rows * granularity.scales(inRowOf: columns)
    let padded = (columns + 31) / 32 * 32
    return rows * padded * format.bits + scales * (scaleFormat.bits + (isSymmetric ? 0 : 8))
  }
}
