import Foundation
import Synchronization

/// A program that was started as from a shell: with no signal blocked or ignored, and no file open but its three streams.
///
/// `Foundation.Process` hands down what the calling thread blocks, and threads that Swift runs tests on block all signals: CMake and
/// Ninja, which are told by SIGCHLD that a compiler has ended, would wait for ever.
final class ChildProcess: Sendable {
  /// Its id, which is that of its process group too.
  let id: pid_t
  private let command: String
  private let limit: Duration
  private let state = Mutex(State())

  private struct State {
    /// True when it was waited for: its id may then be that of another process.
    var hasEnded = false
    /// True when it took too long.
    var isLate = false
  }

  /// What cannot be told by an exit code.
  enum Failure: Error, CustomStringConvertible {
    case noStart(String, Int32)
    case tookTooLong(String, Duration)

    var description: String {
      switch self {
      case .noStart(let command, let code):
        "'\(command)' does not start: \(String(cString: strerror(code)))"
      case .tookTooLong(let command, let limit): "'\(command)' was ended after \(limit)"
      }
    }
  }

  /// Starts a program, without looking for it in PATH.
  ///
  /// - Parameters:
  ///   - environment: all variables that it sees.
  ///   - output, errors: files that are there.
  ///   - limit: how long it may take, from now on, before it is ended with all that it started.
  init(
    _ executable: String, _ arguments: [String], environment: [String: String], output: String,
    errors: String, limit: Duration
  ) throws {
    command = ([executable] + arguments).joined(separator: " ")
    self.limit = limit
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 2, errors, O_WRONLY, 0)
    for file in Self.inheritedFiles { posix_spawn_file_actions_addclose(&actions, file) }

    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var signals = sigset_t()
    sigemptyset(&signals)
    posix_spawnattr_setsigmask(&attributes, &signals)
    sigfillset(&signals)
    posix_spawnattr_setsigdefault(&attributes, &signals)
    posix_spawnattr_setpgroup(&attributes, 0)
    posix_spawnattr_setflags(
      &attributes,
      Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP))

    var words = ([executable] + arguments).map { strdup($0) } + [nil]
    var variables = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
    defer { for text in words + variables { free(text) } }
    var id: pid_t = 0
    let code = posix_spawn(&id, executable, &actions, &attributes, &words, &variables)
    guard code == 0 else { throw Failure.noStart(command, code) }
    self.id = id
    DispatchQueue.global().asyncAfter(deadline: .now() + limit / .seconds(1)) { [self] in
      state.withLock { state in
        guard !state.hasEnded, isRunning else { return }
        state.isLate = true
        killGroup()
      }
    }
  }

  /// Files beyond the three streams that a child would have open; pipes of another test are not to stay open by it.
  private static var inheritedFiles: [Int32] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []
    return names.compactMap { Int32($0) }.filter {
      $0 > 2 && fcntl($0, F_GETFD) & FD_CLOEXEC == 0
    }
  }

  /// Ends it, with all that it started and that is still in its group.
  func kill() {
    state.withLock { state in
      if !state.hasEnded { killGroup() }
    }
  }

  private func killGroup() { _ = Foundation.kill(-id, SIGKILL) }

  /// True until it ends, on its own or because it takes too long.
  var isRunning: Bool {
    var information = siginfo_t()
    let code = waitid(P_PID, id_t(id), &information, WEXITED | WNOHANG | WNOWAIT)
    return code == 0 && information.si_signo == 0
  }

  /// Waits for its end.
  ///
  /// - Returns: the exit code; minus the signal when one ended it.
  /// - Throws: `Failure.tookTooLong` when it had to be ended.
  func wait() throws -> Int32 {
    var information = siginfo_t()
    while waitid(P_PID, id_t(id), &information, WEXITED | WNOWAIT) != 0, errno == EINTR {}
    // The id is its own until it is waited for below.
    let isLate = state.withLock { state in
      state.hasEnded = true
      return state.isLate
    }
    var status: Int32 = 0
    while waitpid(id, &status, 0) < 0, errno == EINTR {}
    if isLate { throw Failure.tookTooLong(command, limit) }
    let signal = status & 0x7F
    return signal == 0 ? status >> 8 & 0xFF : -signal
  }
}
