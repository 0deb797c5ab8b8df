import CKernels
import Foundation

/// Memory of its own, beginning at a page.
///
/// SAFETY: threads of a crew write parts that do not overlap, and everything else is done by one thread at a time.
@safe
package final class Memory: @unchecked Sendable {
  static let page = 4096

  let start: UnsafeMutableRawPointer
  let byteCount: Int

  /// Zero bytes, all of them there: no product meets a page for the first time.
  package init(bytes: Int) {
    byteCount = max(1, bytes)
    unsafe start = UnsafeMutableRawPointer.allocate(
      byteCount: byteCount, alignment: Memory.page)
    unsafe memset(start, 0, byteCount)
  }

  /// Memory that holds these numbers.
  convenience init<Number: BitwiseCopyable>(_ numbers: [Number]) {
    self.init(bytes: numbers.count * MemoryLayout<Number>.stride)
    unsafe numbers.withUnsafeBytes { bytes in
      guard let source = bytes.baseAddress else { return }
      unsafe memcpy(start, source, bytes.count)
    }
  }

  deinit { unsafe start.deallocate() }

  /// The numbers from the start on.
  package func numbers<Number>(_ type: Number.Type) -> UnsafeMutablePointer<Number> {
    unsafe start.assumingMemoryBound(to: type)
  }

  /// Fills it with random bytes; equal seeds, equal bytes.
  func fill(seed: Int) {
    unsafe irc_probe_fill(start, byteCount, UInt64(truncatingIfNeeded: seed))
  }

  /// Numbers between −1 and 1, all different from those of another seed.
  static func activations(_ count: Int, seed: Int) -> Memory {
    let words = Memory(bytes: count * 4)
    words.fill(seed: seed)
    let bits = unsafe words.numbers(Int32.self)
    let floats = unsafe words.numbers(Float.self)
    for index in 0..<count {
      let word = unsafe bits[index]
      unsafe floats[index] = Float(word) * 0x1p-31
    }
    return words
  }
}
