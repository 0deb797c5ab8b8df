import IRCSupport
import IRCTensor

extension ChannelStatistics {
  /// Says what the bytes are; another number for another layout.
  private static let signature: UInt64 = 0x0003_5453_4E48_4343  // "CCHNST", version 3

  /// The statistics as bytes, to be kept between runs of the program.
  ///
  /// Little-endian numbers of 8 bytes: signature, request, blocks, width, rows and moment rows; then non-finite counts, mean, mean square and
  /// the upper half of each block of the second moment row by row; then, of 4 bytes, least and greatest values and bins; then SHA-256 of all that.
  public func serialized() -> [UInt8] {
    var writer = ByteWriter(capacity: Self.byteCount(request, blocks, width: width) ?? 0)
    writer.put([Self.signature, UInt64(request.rawValue)])
    writer.put([blocks, width, rows, momentRows].map(UInt64.init))
    writer.put(nonFiniteCounts.map(UInt64.init))
    writer.put(mean.map(\.bitPattern))
    writer.put(meanSquare.map(\.bitPattern))
    unsafe secondMoment?.withElements(as: Double.self) { moment in
      let size = width / blocks
      for row in 0..<width {
        unsafe writer.put(moment[row * size + row % size..<(row + 1) * size].map(\.bitPattern))
      }
    }
    writer.put(minimum.map(\.bitPattern))
    writer.put(maximum.map(\.bitPattern))
    writer.put(bins)
    var hasher = SHA256()
    hasher.add(writer.bytes)
    return writer.bytes + hasher.digest().bytes
  }

  /// Reads what `serialized()` wrote; nil if the bytes are of another version, incomplete or damaged.
  public init?(serialized bytes: [UInt8]) {
    let end = bytes.count - Self.checkSize
    guard end >= Self.headerSize else { return nil }
    let check = unsafe bytes.withUnsafeBytes {
      unsafe SHA256.hash(UnsafeRawBufferPointer(rebasing: $0[..<end]))
    }
    var reader = ByteReader(bytes)
    let header = reader.take(6, UInt64.self)
    guard header[0] == Self.signature, let rawValue = UInt8(exactly: header[1]),
      let blocks = Int(exactly: header[2]), let width = Int(exactly: header[3]),
      let rows = Int(exactly: header[4]), let momentRows = Int(exactly: header[5]),
      Self.byteCount(StatisticRequest(rawValue: rawValue), blocks, width: width) == bytes.count,
      check.bytes.elementsEqual(bytes[end...])
    else { return nil }
    request = StatisticRequest(rawValue: rawValue)
    self.blocks = blocks
    self.rows = rows
    self.momentRows = momentRows
    nonFiniteCounts = reader.take(width, UInt64.self).map { Int(truncatingIfNeeded: $0) }
    mean = reader.take(width, UInt64.self).map(Double.init(bitPattern:))
    meanSquare = reader.take(width, UInt64.self).map(Double.init(bitPattern:))
    secondMoment =
      request.contains(.secondMoment)
      ? unsafe Tensor(Self.momentShape(blocks, width: width), of: Double.self) { target in
        let size = width / blocks
        for row in 0..<width {
          let column = row % size
          for (offset, bits) in reader.take(size - column, UInt64.self).enumerated() {
            unsafe target[row * size + column + offset] = Double(bitPattern: bits)
            unsafe target[(row + offset) * size + column] = Double(bitPattern: bits)
          }
        }
      } : nil
    minimum = reader.take(width, UInt32.self).map(Float.init(bitPattern:))
    maximum = reader.take(width, UInt32.self).map(Float.init(bitPattern:))
    bins =
      request.contains(.quantiles) ? reader.take(width * Self.binCount, UInt32.self) : []
  }

  private static let headerSize = 48
  private static let checkSize = 32

  /// The shape of a second moment of so many channels.
  static func momentShape(_ blocks: Int, width: Int) -> [Int] {
    blocks == 1 ? [width, width] : [blocks, width / blocks, width / blocks]
  }

  /// Bytes of statistics of so many channels; nil for widths that no value has, and blocks that it does not consist of.
  static func byteCount(_ request: StatisticRequest, _ blocks: Int, width: Int) -> Int? {
    guard 0..<1 << 24 ~= width, blocks > 0, width.isMultiple(of: blocks) else { return nil }
    let moment = request.contains(.secondMoment) ? width * (width / blocks + 1) / 2 * 8 : 0
    let bins = request.contains(.quantiles) ? width * binCount * 4 : 0
    return headerSize + width * 32 + moment + bins + checkSize
  }
}

/// Puts numbers one after the other, lowest byte first.
private struct ByteWriter {
  private(set) var bytes: [UInt8] = []

  init(capacity: Int) {
    bytes.reserveCapacity(capacity)
  }

  mutating func put<Number: FixedWidthInteger>(_ numbers: [Number]) {
    for number in numbers {
      unsafe withUnsafeBytes(of: number.littleEndian) { unsafe bytes.append(contentsOf: $0) }
    }
  }
}

/// Takes numbers from bytes of which there are enough.
private struct ByteReader {
  private let bytes: [UInt8]
  private var place = 0

  init(_ bytes: [UInt8]) {
    self.bytes = bytes
  }

  mutating func take<Number: FixedWidthInteger & BitwiseCopyable>(
    _ count: Int, _ type: Number.Type
  ) -> [Number] {
    let start = place
    place += count * MemoryLayout<Number>.size
    return unsafe bytes.withUnsafeBytes { raw in
      (0..<count).map { index in
        Number(
          littleEndian: unsafe raw.loadUnaligned(
            fromByteOffset: start + index * MemoryLayout<Number>.size, as: Number.self))
      }
    }
  }
}
