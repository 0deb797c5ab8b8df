/// Records that both sides of the interface know, perhaps in different lengths: fields are added at the end alone.
package enum CRecord {
  /// A record of the other side as this program knows it. Fields that the other side does not have stay as they are in `record`.
  ///
  /// - Parameters:
  ///   - size: what the other side says that its record takes.
  ///   - least: bytes of the record in version 1.0, which every version has.
  /// - Returns: nil where there are fewer bytes than that.
  package static func copy<Record>(
    _ place: UnsafeRawPointer, size: UInt32, atLeast least: Int, into record: Record
  ) -> Record? {
    guard size >= least else { return nil }
    var record = record
    unsafe withUnsafeMutableBytes(of: &record) { bytes in
      unsafe bytes.copyMemory(
        from: UnsafeRawBufferPointer(start: place, count: min(Int(size), bytes.count)))
    }
    return record
  }

  /// Fills a record of the other side, which begins with its size, as far as both know it.
  ///
  /// - Returns: false where there are fewer bytes than in version 1.0.
  package static func fill<Record>(
    _ place: UnsafeMutableRawPointer, atLeast least: Int, from record: Record
  ) -> Bool {
    let size = unsafe place.load(as: UInt32.self)
    guard size >= least else { return false }
    unsafe withUnsafeBytes(of: record) { bytes in
      // The size stays what the other side said.
      let start = MemoryLayout<UInt32>.size
      let count = min(Int(size), bytes.count) - start
      guard let source = bytes.baseAddress else { return }
      unsafe (place + start).copyMemory(from: source + start, byteCount: count)
    }
    return true
  }
}
