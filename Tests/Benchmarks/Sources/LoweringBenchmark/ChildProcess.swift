import Foundation

/// What one run of a command cost.
struct RunCost {
  /// Time from start to end.
  var seconds: Double
  /// Time of all cores, user and system.
  var processorSeconds: Double
  /// Most memory of its own that was seen, in bytes.
  var anonymousBytes: Int
  /// Most resident memory, mapped pages included, in bytes.
  var residentBytes: Int
  /// How often memory was looked at.
  var samples: Int
}

/// Runs a command to its end while watching its memory.
///
/// - Throws: `BenchmarkError` when it fails, with what it said.
func measure(_ command: String, _ arguments: [String]) throws -> RunCost {
  let process = Process()
  process.executableURL = URL(fileURLWithPath: command)
  process.arguments = arguments
  process.standardOutput = FileHandle.nullDevice
  let before = childProcessorSeconds()
  let start = ContinuousClock.now
  try process.run()
  var cost = RunCost(
    seconds: 0, processorSeconds: 0, anonymousBytes: 0, residentBytes: 0, samples: 0)
  let status = "/proc/\(process.processIdentifier)/status"
  while process.isRunning {
    if let text = try? String(contentsOfFile: status, encoding: .utf8),
      let anonymous = kilobytes("RssAnon", in: text), let highest = kilobytes("VmHWM", in: text)
    {
      cost.anonymousBytes = max(cost.anonymousBytes, anonymous * 1024)
      cost.residentBytes = max(cost.residentBytes, highest * 1024)
      cost.samples += 1
    }
    usleep(2000)
  }
  cost.seconds = seconds(since: start)
  process.waitUntilExit()
  guard process.terminationStatus == 0, process.terminationReason == .exit else {
    let line = ([command] + arguments).joined(separator: " ")
    throw BenchmarkError("'\(line)' failed with status \(process.terminationStatus)")
  }
  guard cost.samples > 0 else { throw BenchmarkError("'\(status)' shows no memory") }
  cost.processorSeconds = childProcessorSeconds() - before
  return cost
}

/// Seconds that have passed.
func seconds(since start: ContinuousClock.Instant) -> Double {
  (ContinuousClock.now - start) / .seconds(1)
}

/// The number behind a key such as `VmHWM:     1234 kB`.
private func kilobytes(_ key: String, in status: String) -> Int? {
  for line in status.split(separator: "\n") where line.hasPrefix(key + ":") {
    return line.dropFirst(key.count + 1).split(whereSeparator: \.isWhitespace).first.flatMap {
      Int($0)
    }
  }
  return nil
}

/// Time of all cores that ended children have used.
private func childProcessorSeconds() -> Double {
  var usage = rusage()
  unsafe getrusage(RUSAGE_CHILDREN.rawValue, &usage)
  let (user, system) = (usage.ru_utime, usage.ru_stime)
  return Double(user.tv_sec + system.tv_sec) + Double(user.tv_usec + system.tv_usec) / 1e6
}
