import CKernels
import Foundation
import Synchronization

/// Threads that wait for work without sleeping, so that a product of a tenth of a millisecond is not measured with their waking up.
///
/// They only do so inside `whileAwake`; in between they leave the processors to others.
package final class ThreadCrew: Sendable {
  let count: Int
  private let shared = Shared()
  private let bells: [DispatchSemaphore]

  /// What the threads look at while they wait.
  private final class Shared: Sendable {
    let round = Atomic<Int>(0)
    let finished = Atomic<Int>(0)
    let parked = Atomic<Int>(0)
    let isAwake = Atomic<Bool>(false)
    let isOver = Atomic<Bool>(false)
    let job = Mutex<(@Sendable (Int) -> Void)?>(nil)
  }

  /// Waits without sleeping; where others want the processor, perhaps those that are waited for, it lets them go on.
  private struct Patience {
    private var left = 20_000

    mutating func wait() {
      irc_pause()
      if left > 0 { left -= 1 } else { sched_yield() }
    }
  }

  /// Starts all but the first of `count` threads, which is whoever calls; each keeps to one of the processors, if there are any.
  package init(count: Int, processors: [UInt32]) {
    self.count = count
    bells = (1..<max(2, count)).map { _ in DispatchSemaphore(value: 0) }
    let shared = shared
    for index in 1..<max(1, count) {
      let bell = bells[index - 1]
      let processor = index < processors.count ? processors[index] : nil
      Thread.detachNewThread {
        if var processor { _ = unsafe irc_pin_thread(&processor, 1) }
        ThreadCrew.serve(index, shared, bell)
      }
    }
  }

  deinit {
    shared.isOver.store(true, ordering: .releasing)
    for bell in bells { bell.signal() }
  }

  private static func serve(_ index: Int, _ shared: Shared, _ bell: DispatchSemaphore) {
    while true {
      bell.wait()
      if shared.isOver.load(ordering: .acquiring) { return }
      var seen = shared.round.load(ordering: .acquiring)
      var patience = Patience()
      shared.parked.subtract(1, ordering: .acquiringAndReleasing)
      while shared.isAwake.load(ordering: .acquiring) {
        let round = shared.round.load(ordering: .acquiring)
        if round == seen {
          patience.wait()
          continue
        }
        (seen, patience) = (round, Patience())
        let job = shared.job.withLock { $0 }
        job?(index)
        shared.finished.add(1, ordering: .acquiringAndReleasing)
      }
      shared.parked.add(1, ordering: .acquiringAndReleasing)
    }
  }

  /// Keeps the threads awake while `body` runs.
  package func whileAwake<Result>(_ body: () -> Result) -> Result {
    if count == 1 { return body() }
    shared.isAwake.store(true, ordering: .releasing)
    let before = shared.parked.load(ordering: .acquiring)
    for bell in bells { bell.signal() }
    // All of them have seen the present round before the next one begins.
    var patience = Patience()
    while shared.parked.load(ordering: .acquiring) > before - (count - 1) { patience.wait() }
    let result = body()
    shared.isAwake.store(false, ordering: .releasing)
    while shared.parked.load(ordering: .acquiring) < before { patience.wait() }
    return result
  }

  /// Runs `job` once for each index of `0..<count`, on a thread each, and waits for all.
  package func run(_ job: @escaping @Sendable (Int) -> Void) {
    if count == 1 { return job(0) }
    shared.finished.store(0, ordering: .releasing)
    shared.job.withLock { $0 = job }
    shared.round.add(1, ordering: .acquiringAndReleasing)
    job(0)
    var patience = Patience()
    while shared.finished.load(ordering: .acquiring) < count - 1 { patience.wait() }
  }

  /// The part of `0..<total` of a thread, in whole multiples of `unit` but at the end.
  package func part(_ index: Int, of total: Int, unit: Int) -> Range<Int> {
    let units = (total + unit - 1) / unit
    let first = units * index / count * unit
    return min(total, first)..<min(total, units * (index + 1) / count * unit)
  }
}
