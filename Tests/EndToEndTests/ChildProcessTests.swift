import Foundation
import IRCTestSupport
import Testing

@Suite("Programs that tests start")
struct ChildProcessTests {
  private func shell(_ script: String, limit: Duration = .seconds(60)) throws -> Program.Outcome {
    try Program.run(["-c", script], executable: "/bin/sh", limit: limit)
  }

  @Test("They start with no signal blocked or ignored, whatever the thread that starts them does")
  func signals() async throws {
    let outcome = try await Task.detached {
      try shell("grep -E '^(SigBlk|SigIgn):' /proc/self/status")
    }.value
    let masks = outcome.output.split(separator: "\n").map { line in
      UInt64(line.suffix(16), radix: 16)
    }
    // Real-time signals, 32 and up, are the C library's.
    #expect(masks.count == 2 && masks.allSatisfy { $0.map { $0 & 0x7FFF_FFFF == 0 } ?? false })
  }

  @Test("Code, signal, output and errors are told")
  func outcomes() throws {
    let outcome = try shell("echo out; echo err >&2; exit 3")
    #expect(outcome.code == 3 && outcome.output == "out\n" && outcome.errors == "err\n")
    #expect(try shell("kill -9 $$").code == -SIGKILL)
    #expect(throws: ChildProcess.Failure.self) {
      try Program.run([], executable: "/no/such/program")
    }
  }

  @Test("What takes too long is ended, with all that it started")
  func limit() throws {
    let folder = try TemporaryFolder()
    let start = ContinuousClock.now
    #expect(throws: ChildProcess.Failure.self) {
      try shell(
        "sleep 60 & echo $! > '\(folder.file("id"))'; wait", limit: .milliseconds(300))
    }
    #expect(ContinuousClock.now - start < .seconds(30))
    let id = try String(contentsOfFile: folder.file("id"), encoding: .utf8)
      .trimmingCharacters(in: .whitespacesAndNewlines)
    // Gone, or a zombie that nobody waits for; the system may take a moment to end it.
    func state() -> String? { try? String(contentsOfFile: "/proc/\(id)/stat", encoding: .utf8) }
    func isGone() -> Bool { state()?.contains(") Z ") ?? true }
    let end = ContinuousClock.now + .seconds(1)
    while !isGone(), ContinuousClock.now < end { usleep(10_000) }
    #expect(isGone(), "\(state() ?? "")")
  }

  @Test(
    "What takes too long is ended while a test only looks at it, and told when it is waited for")
  func limitOfWatched() throws {
    let running = try Program.start(
      ["-c", "sleep 60"], executable: "/bin/sh", limit: .milliseconds(300))
    let end = ContinuousClock.now + .seconds(30)
    while running.isRunning, ContinuousClock.now < end { usleep(10_000) }
    #expect(!running.isRunning)
    #expect(throws: ChildProcess.Failure.self) { try running.wait() }
    // Its id is no longer its own.
    running.kill()
  }

  @Test("What ends in time is not late, whenever it is waited for")
  func waitedForLate() throws {
    let running = try Program.start(
      ["-c", "exit 3"], executable: "/bin/sh", limit: .seconds(5))
    while running.isRunning { usleep(10_000) }
    Thread.sleep(forTimeInterval: 5.2)
    #expect(try running.wait().code == 3)
  }
}
