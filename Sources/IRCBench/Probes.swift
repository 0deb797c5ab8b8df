import CKernels
import Foundation

/// What time is taken by: of one thread, the time that the processor gave it, so that other programs do not count; of several, the
/// clock on the wall.
struct Stopwatch {
  private let clock: clockid_t

  init(threads: Int) {
    clock = threads == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC
  }

  /// Seconds from some moment on.
  var now: Double {
    var time = timespec()
    unsafe clock_gettime(clock, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
  }

  /// Seconds that `body` takes.
  func seconds(_ body: () -> Void) -> Double {
    let start = now
    body()
    return now - start
  }
}

/// The middle one; of an even number, the mean of both.
package func median(_ values: [Double]) -> Double {
  let sorted = values.sorted()
  if sorted.isEmpty { return .nan }
  let middle = sorted.count / 2
  return sorted.count.isMultiple(of: 2) ? (sorted[middle - 1] + sorted[middle]) / 2 : sorted[middle]
}

/// Reads from memory: what lies in it is more than the caches hold, and every reading goes on where the last one ended.
final class ReadProbe {
  private let memory: Memory
  private let crew: ThreadCrew
  private let pieces: Int
  private var place = 0
  /// Bytes of one piece for each thread.
  private let piece: Int

  init(bytes: Int, crew: ThreadCrew) {
    self.crew = crew
    piece = max(1 << 16, min(1 << 24, bytes / 8 / crew.count / Memory.page * Memory.page))
    pieces = max(2, bytes / (piece * crew.count))
    memory = Memory(bytes: pieces * piece * crew.count + 2 * Memory.page)
    memory.fill(seed: 7)
  }

  /// Bytes a second, over `duration` seconds at least.
  func rate(for duration: Double) -> Double {
    let stopwatch = Stopwatch(threads: crew.count)
    return crew.whileAwake {
      var bytes = 0
      var elapsed = 0.0
      while elapsed < duration {
        let (memory, piece, count) = (memory, piece, crew.count)
        let start = place * piece * count
        elapsed += stopwatch.seconds {
          crew.run { thread in
            let sum = unsafe irc_probe_read(memory.start + start + thread * piece, piece)
            withExtendedLifetime(sum) {}
          }
        }
        place = (place + 1) % pieces
        bytes += piece * count
      }
      return Double(bytes) / elapsed
    }
  }
}

/// Arithmetic out of registers.
enum PeakProbe {
  /// Operations a second of all threads of a crew; nil where the processor has no such instruction.
  static func rate(of peak: irc_peak, crew: ThreadCrew) -> Double? {
    if !irc_peak_is_there(peak) { return nil }
    var rounds = 1000
    let stopwatch = Stopwatch(threads: crew.count)
    return crew.whileAwake {
      func run() -> Double {
        let rounds = rounds
        return stopwatch.seconds {
          crew.run { _ in
            var sink: Int32 = 0
            _ = unsafe irc_run_peak(peak, rounds, &sink)
          }
        }
      }
      while run() < 0.004, rounds < 1 << 30 { rounds *= 2 }
      var sink: Int32 = 0
      let operations = unsafe irc_run_peak(peak, rounds, &sink) * Double(crew.count)
      // Nothing runs faster than it can: the best of several is the one that was disturbed least.
      return operations / (0..<9).map { _ in run() }.reduce(.infinity, min)
    }
  }
}
