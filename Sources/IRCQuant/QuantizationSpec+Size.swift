extension QuantizationSpec {
  /// Bits that a tensor [rows, columns] takes up: codes, whose rows are filled up to whole blocks of 32, scales or fitted values,
  /// and zero points.
  public func storedBits(rows: Int, columns: Int) -> Int {
    let groups = granularity == .tensor ? 1 : rows * granularity.scales(inRowOf: columns)
    let padded = (columns + 31) / 32 * 32
    let bitsOfGroup = numbersPerGroup * scaleFormat.bits + (hasZeroPoints ? 8 : 0)
    return rows * padded * format.bits + groups * bitsOfGroup
  }
}
