import CKernels
import Testing

@Suite("Packed formats")
struct PackingTests {
  @Test(arguments: packedBits, oddSizes)
  func roundTrip(bits: UInt32, size: Int) {
    var samples = Samples(UInt64(size))
    let high = 1 << (bits - 1)
    let rows = 3
    let codes = samples.integers(rows * size, in: -high...high - 1)
    let rowBytes = irc_packed_row_bytes(size, bits)
    var packed = [UInt8](repeating: 0xAA, count: rows * rowBytes)
    irc_pack_rows(&packed, codes, size, rows, size, bits)

    var back = [Int8](repeating: 99, count: rows * size)
    irc_unpack_rows(&back, size, packed, rows, size, bits)
    #expect(back == codes)
    for row in 0..<rows {
      let one = Array(packed[row * rowBytes..<(row + 1) * rowBytes])
      let read = (0..<irc_padded(size)).map { irc_code_at_ref(one, $0, bits) }
      let padding = [Int8](repeating: 0, count: irc_padded(size) - size)
      #expect(read == (codes[row * size..<(row + 1) * size] + padding).map(Int32.init))
    }
  }

  @Test func bytesOfABlock() {
    // Codes 0, 1, 2, ... modulo the range show where each one goes.
    func packed(_ bits: UInt32) -> [UInt8] {
      let codes = (0..<32).map { Int8(truncatingIfNeeded: $0 % (1 << bits)) }
      var bytes = [UInt8](repeating: 0, count: Int(4 * bits))
      irc_pack_rows(&bytes, codes, 32, 1, 32, bits)
      return bytes
    }
    #expect(packed(8) == (0..<32).map { UInt8($0) })
    #expect(packed(4) == (0..<16).map { UInt8($0 * 17) })
    let nibbles = (0..<16).map { UInt8($0 * 17) }
    #expect(packed(5) == nibbles + [0x00, 0x00, 0xFF, 0xFF])
    #expect(packed(6) == nibbles + [UInt8](repeating: 0x50, count: 8))
    #expect(packed(7) == nibbles + [UInt8](repeating: 0x50, count: 8) + [0, 0, 0, 0])
    #expect(packed(2) == [0x00, 0x55, 0xAA, 0xFF, 0x00, 0x55, 0xAA, 0xFF])
    #expect(packed(3) == [0x00, 0x55, 0xAA, 0xFF, 0x00, 0x55, 0xAA, 0xFF, 0xF0, 0xF0, 0xF0, 0xF0])
  }

  @Test func rowsOfADescriptorMoveEveryPointer() {
    let matrix = PackedMatrix(
      out: 7, columns: 100, bits: 3, group: 32, halfScales: true, asymmetric: true, seed: 5)
    matrix.withDescriptor { whole in
      let part = irc_packed_rows(whole.pointee, 4, 2)
      for row in 0..<2 {
        var all = [Float](repeating: 0, count: 100)
        var some = all
        irc_dequantize_row(&all, whole, 4 + row)
        withUnsafePointer(to: part) { irc_dequantize_row(&some, $0, row) }
        #expect(all == some)
      }
      #expect(part.out == 2)
    }
  }

  @Test func scalesOfOneByteMoveByOne() {
    for type in [IRC_SCALE_E8M0, IRC_SCALE_E4M3] {
      let matrix = PackedMatrix(
        out: 5, columns: 70, bits: 4, group: 16, halfScales: false, asymmetric: false, seed: 5
      ).with(values: tableValues(4), byteScales: type)
      matrix.withDescriptor { whole in
        let part = irc_packed_rows(whole.pointee, 3, 1)
        var all = [Float](repeating: 0, count: 70)
        var some = all
        irc_dequantize_row(&all, whole, 3)
        withUnsafePointer(to: part) { irc_dequantize_row(&some, $0, 0) }
        #expect(all == some)
      }
    }
  }
}
