import Foundation
import Synchronization

/// Times of moving the same bytes with next to no work on them.
struct Floor {
  /// Copying the checkpoint by one thread.
  var copySeconds: Double
  /// Reading the mapped checkpoint by all cores and writing one byte for each weight.
  var moveSeconds: Double
}

/// Measures the floor on a file; `scratch` is written and removed.
///
/// - Throws: `BenchmarkError` when a file cannot be read or written.
func measureFloor(of path: String, scratch: String) throws -> Floor {
  let file = try MappedBytes(path)
  defer { _ = unsafe unlink(scratch) }
  var start = ContinuousClock.now
  try file.copy(to: scratch)
  let copied = seconds(since: start)
  _ = unsafe unlink(scratch)
  start = ContinuousClock.now
  try file.shrink(to: scratch, threads: ProcessInfo.processInfo.activeProcessorCount)
  return Floor(copySeconds: copied, moveSeconds: seconds(since: start))
}

/// A file in memory, read-only.
// SAFETY: the mapping lives as long as the object, and nobody writes to it.
@safe
private final class MappedBytes: @unchecked Sendable {
  private let bytes: UnsafeRawBufferPointer

  init(_ path: String) throws {
    let descriptor = unsafe open(path, O_RDONLY)
    defer { close(descriptor) }
    let size = lseek(descriptor, 0, SEEK_END)
    guard descriptor >= 0, size > 0,
      let address = unsafe mmap(nil, size, PROT_READ, MAP_SHARED, descriptor, 0),
      unsafe address != MAP_FAILED
    else { throw BenchmarkError("cannot map '\(path)'") }
    unsafe bytes = unsafe UnsafeRawBufferPointer(start: address, count: size)
  }

  deinit {
    unsafe munmap(UnsafeMutableRawPointer(mutating: bytes.baseAddress), bytes.count)
  }

  func copy(to path: String) throws {
    let output = try Output(path)
    try unsafe output.write(bytes, at: 0)
    output.close()
  }

  /// Writes one byte for each four that are read: their maximum by magnitude over runs of 1024 words, so that all are looked at.
  func shrink(to path: String, threads: Int) throws {
    let output = try Output(path)
    let block = 1 << 20
    // A rest of less than a block does not show.
    let blocks = unsafe bytes.count / (4 * block)
    let next = Atomic(0)
    let failed = Atomic(false)
    DispatchQueue.concurrentPerform(iterations: threads) { _ in
      var codes = [UInt8](repeating: 0, count: block)
      while true {
        let index = next.wrappingAdd(1, ordering: .relaxed).oldValue
        if index >= blocks { return }
        fill(&codes, from: index * block)
        do {
          try unsafe codes.withUnsafeBytes { try unsafe output.write($0, at: index * block) }
        } catch { failed.store(true, ordering: .relaxed) }
      }
    }
    output.close()
    if failed.load(ordering: .relaxed) { throw BenchmarkError("cannot write '\(path)'") }
  }

  private func fill(_ codes: inout [UInt8], from word: Int) {
    unsafe codes.withUnsafeMutableBytes { codes in
      let run = 1024
      for start in stride(from: 0, to: codes.count, by: run) {
        let words = unsafe UnsafeRawBufferPointer(
          rebasing: bytes[(word + start) * 4..<(word + start + run) * 4]
        ).bindMemory(to: UInt32.self)
        var highest: UInt32 = 0
        for index in 0..<run { highest = unsafe max(highest, words[index] & 0x7FFF_FFFF) }
        let code = UInt8(truncatingIfNeeded: highest >> 23)
        unsafe codes[start..<start + run].initializeMemory(as: UInt8.self, repeating: code)
      }
    }
  }
}

/// A file that is written at any place.
private struct Output: Sendable {
  private let descriptor: Int32

  init(_ path: String) throws {
    descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
    if descriptor < 0 { throw BenchmarkError("cannot write '\(path)'") }
  }

  func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws {
    var done = 0
    while done < bytes.count {
      let count = unsafe pwrite(
        descriptor, bytes.baseAddress?.advanced(by: done), min(bytes.count - done, 1 << 20),
        offset + done)
      if count <= 0 { throw BenchmarkError("the disk is full") }
      done += count
    }
  }

  func close() { _ = Foundation.close(descriptor) }
}
