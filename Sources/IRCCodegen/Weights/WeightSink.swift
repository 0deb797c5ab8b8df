import Foundation
import IRCSupport

/// The bytes that a block of rows becomes, by section.
struct PackedBlock: Sendable {
  /// The first section: codes or values.
  var main: [UInt8]
  /// Rows of the sections after it.
  var rest: [[UInt8]] = []
}

/// Receives blocks from several threads and appends them to the weights file in their order.
///
/// SAFETY: every member is used under `condition` only.
final class WeightSink: @unchecked Sendable {
  private let condition = NSCondition()
  private let file: StagedFile
  private var checksum = Checksum()
  private var pending: [UInt8] = []
  private var rest: [[UInt8]] = []
  private var next = 0
  private var failed: Int?

  init(file: StagedFile) {
    self.file = file
  }

  /// False if a block before `index` has failed, so that this one is not wanted any more.
  func wants(_ index: Int) -> Bool {
    condition.withLock { failed.map { index < $0 } ?? true }
  }

  /// Tells waiting threads that block `index` will not come.
  func fail(_ index: Int) {
    condition.withLock {
      failed = min(failed ?? index, index)
      condition.broadcast()
    }
  }

  /// Appends block `index` when all before it have been appended; `endsTensor` completes the sections after the first.
  ///
  /// - Throws: `Diagnostic` when the file cannot be written.
  func append(_ block: PackedBlock, index: Int, endsTensor: Bool) throws {
    condition.lock()
    defer { condition.unlock() }
    while next != index && failed == nil { condition.wait() }
    if failed != nil { return }
    do {
      try write(block.main)
      if rest.isEmpty {
        rest = block.rest
      } else {
        for i in rest.indices { rest[i] += block.rest[i] }
      }
      if endsTensor {
        try align()
        for section in rest {
          try write(section)
          try align()
        }
        rest = []
      }
    } catch {
      failed = index
      condition.broadcast()
      throw error
    }
    next += 1
    condition.broadcast()
  }

  /// Appends what comes after the tensors, and the checksum.
  func finish(table: [UInt8]) throws {
    try write(table)
    try align()
    let sum = WeightFile.bytes(of: checksum.value)
    try unsafe sum.withUnsafeBytes { try unsafe file.append($0) }
    try file.close()
  }

  private func align() throws {
    if !pending.isEmpty { try write([UInt8](repeating: 0, count: 64 - pending.count)) }
  }

  private func write(_ bytes: [UInt8]) throws {
    try unsafe bytes.withUnsafeBytes { bytes in
      try unsafe file.append(bytes)
      var bytes = unsafe bytes
      if !pending.isEmpty {
        let count = min(64 - pending.count, bytes.count)
        unsafe pending.append(contentsOf: bytes.prefix(count))
        unsafe bytes = UnsafeRawBufferPointer(rebasing: bytes.dropFirst(count))
        if pending.count < 64 { return }
        unsafe pending.withUnsafeBytes { unsafe checksum.add($0) }
        pending = []
      }
      let whole = bytes.count / 64 * 64
      unsafe checksum.add(UnsafeRawBufferPointer(rebasing: bytes.prefix(whole)))
      unsafe pending.append(contentsOf: bytes.dropFirst(whole))
    }
  }
}
