package import CKernels
import Foundation

/// Copies of a matrix of random weights, each with bytes of its own, that are multiplied with in turn: together they are more than
/// the caches hold, so that every product reads its weights from memory.
package final class WeightRing {
  let format: WeightFormat
  let rows: Int
  let cols: Int
  package let copies: Int
  /// Bytes of codes and scales of one copy, without padding.
  package let byteCount: Int
  private let layout: irc_layout
  private let groups: Int
  private let scaleOffset: Int
  private let stride: Int
  private let memory: Memory
  private let values: Memory
  private let levels: Memory
  private let tensorScale = Memory([Float(0.5)])

  /// Fills a ring of at least `bytes` bytes, of two copies at least.
  package init(_ format: WeightFormat, rows: Int, cols: Int, layout: irc_layout, bytes: Int) {
    self.format = format
    self.rows = rows
    self.cols = cols
    self.layout = layout
    groups = format.group == 0 ? 1 : (cols + format.group - 1) / format.group
    let stored = irc_stored_rows(rows, layout)
    let rowBytes = irc_packed_row_bytes(cols, format.bits)
    let scaleBytes = irc_scale_bytes(format.scaleType)
    byteCount = rows * (rowBytes + groups * scaleBytes)
    scaleOffset = stored * rowBytes
    let end = scaleOffset + stored * groups * scaleBytes
    stride = (end + Memory.page - 1) / Memory.page * Memory.page
    copies = max(2, (bytes + byteCount - 1) / byteCount)
    memory = Memory(bytes: stride * copies)
    values = Memory(format.values)
    levels = Memory(format.levels)
    memory.fill(seed: 1)
    for copy in 0..<copies { makeScales(copy, stored * groups) }
  }

  /// Random scales of moderate size; what lies behind the codes is random bits, of which not all are scales.
  private func makeScales(_ copy: Int, _ count: Int) {
    let start = unsafe memory.start + copy * stride + scaleOffset
    switch format.scaleType {
    case IRC_SCALE_F32:
      let words = unsafe start.assumingMemoryBound(to: UInt32.self)
      for index in 0..<count { unsafe words[index] = 0x3A80_0000 | words[index] & 0x7F_FFFF }
    case IRC_SCALE_F16:
      let words = unsafe start.assumingMemoryBound(to: UInt16.self)
      for index in 0..<count { unsafe words[index] = 0x1400 | words[index] & 0x3FF }
    case IRC_SCALE_E8M0:
      let bytes = unsafe start.assumingMemoryBound(to: UInt8.self)
      for index in 0..<count { unsafe bytes[index] = 116 + bytes[index] % 4 }
    default:
      let bytes = unsafe start.assumingMemoryBound(to: UInt8.self)
      for index in 0..<count { unsafe bytes[index] = 0x18 | bytes[index] & 0xF }
    }
  }

  /// The descriptor of a copy; valid as long as the ring.
  package subscript(copy: Int) -> irc_packed_weights {
    let start = unsafe memory.start + copy % copies * stride
    return unsafe irc_packed_weights(
      codes: start, scales: start + scaleOffset, zeros: nil, bits: format.bits,
      scale_type: format.scaleType, out: rows, in: cols,
      group: format.group == 0 ? cols : format.group, groups: groups,
      row_bytes: irc_packed_row_bytes(cols, format.bits),
      values: format.values.isEmpty ? nil : values.numbers(Float.self),
      tensor_scale: tensorScale.numbers(Float.self), kind: IRC_CODES_SCALED, layout: layout,
      levels: format.levels.isEmpty ? nil : levels.numbers(Int8.self), level_step: format.step)
  }
}
