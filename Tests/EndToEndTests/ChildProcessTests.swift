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
        "(sleep 60; touch '\(folder.file("late"))') & echo $! > '\(folder.file("id"))'; wait",
        limit: .milliseconds(300))
    }
    #expect(ContinuousClock.now - start < .seconds(30))
    let id = try String(contentsOfFile: folder.file("id"), encoding: .utf8)
      .trimmingCharacters(in: .whitespacesAndNewlines)
    // Gone, or a zombie that nobody waits for.
    let state = try? String(contentsOfFile: "/proc/\(id)/stat", encoding: .utf8)
    #expect(state?.contains(") Z ") ?? true, "\(state ?? "")")
  }
}
