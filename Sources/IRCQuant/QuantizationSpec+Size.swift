extension QuantizationSpec {
  /// Bits that a tensor [rows, columns] takes up: codes, scales and zero points, without padding.
  public func storedBits(rows: Int, columns: Int) -> Int {
    let scales = granularity == .tensor ? 1 : rows * granularity.scales(inRowOf: columns)
    return rows * columns * format.bits + scales * (scaleFormat.bits + (isSymmetric ? 0 : 8))
  }
}
