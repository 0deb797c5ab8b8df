import Dispatch
import Foundation
import Synchronization

/// Runs work on several threads with results that do not depend on how many there are.
///
/// Work is cut into the same pieces whatever the thread count, and each piece writes only its own result; so outputs are
/// byte-identical for 1 thread and for 64. A call from inside a piece runs serially: the outermost loop has the cores.
public enum Parallel {
  @TaskLocal private static var isInside = false

  private static let limit = Mutex<Int?>(nil)

  /// Number of threads that a loop uses: what `setThreads` said, else all processors.
  public static var threads: Int {
    limit.withLock { $0 } ?? ProcessInfo.processInfo.activeProcessorCount
  }

  /// Limits every later loop to `count` threads (at least 1); nil means all processors.
  public static func setThreads(_ count: Int?) {
    limit.withLock { $0 = count.map { max(1, $0) } }
  }

  /// Calls `body` once for each index of `0..<count`, in any order, and rethrows the error of the lowest index.
  public static func forEach(_ count: Int, _ body: @Sendable (Int) throws -> Void) throws {
    _ = try map(count, body)
  }

  /// The results of `body` for `0..<count`, in order; rethrows the error of the lowest index that failed.
  public static func map<Result: Sendable>(
    _ count: Int, _ body: @Sendable (Int) throws -> Result
  ) throws -> [Result] {
    let workers = min(threads, count)
    if workers <= 1 || isInside { return try (0..<count).map(body) }
    let next = Atomic<Int>(0)
    let slots = Mutex<[Swift.Result<Result, any Error>?]>(Array(repeating: nil, count: count))
    DispatchQueue.concurrentPerform(iterations: workers) { _ in
      $isInside.withValue(true) {
        while true {
          let index = next.wrappingAdd(1, ordering: .relaxed).oldValue
          if index >= count { return }
          let result = Swift.Result { try body(index) }
          slots.withLock { $0[index] = result }
        }
      }
    }
    return try slots.withLock { $0 }.compactMap { try $0?.get() }
  }

  /// Cuts `0..<count` into runs of at most `chunk` and calls `body` once for each run.
  public static func forChunks(
    of count: Int, chunk: Int, _ body: @Sendable (Range<Int>) throws -> Void
  ) throws {
    let pieces = (count + chunk - 1) / chunk
    try forEach(pieces) { piece in
      try body(piece * chunk..<min(count, (piece + 1) * chunk))
    }
  }
}
