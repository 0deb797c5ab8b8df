import Foundation
import IRCCodegen
import IRCTestSupport
import Testing

/// Models of any name give libraries that compile, beside whatever headers a program includes.
@Suite("Names of models")
struct NameTests {
  private static let taken = [
    "x", "r", "W", "f", "mm", "fd", "aio", "mq", "sem", "timer", "timerfd", "thrd", "mtx", "tss",
    "epoll", "pthread", "pthread_mutex", "posix_spawnattr", "SYS_timer", "math", "time", "Unistd",
    "xmmintrin", "avx2intrin", "mm_malloc", "irc", "irc_x", "irc_kernels", "kernels_math",
  ]
  private static let free = [
    "std", "timers", "mmm", "ircam", "kernels", "novels-mamba", "no-intrin",
  ]

  /// Whatever declares symbols that a model's could be.
  private static let headers = [
    "aio", "complex", "fcntl", "math", "mqueue", "pthread", "sched", "semaphore", "signal", "spawn",
    "stdatomic", "stdio", "stdlib", "string", "sys/epoll", "sys/mman", "sys/stat", "sys/syscall",
    "sys/timerfd", "threads", "time", "unistd",
  ].map { "#include <\($0).h>\n" }.joined()

  @Test(
    "A library compiles with the system's headers before and behind its own, whatever its name is",
    .enabled(if: Compilers.gcc != nil, "gcc is not installed"), arguments: taken + free)
  func compiles(_ name: String) throws {
    // What sets of kernels add are endings, so one name stands for all.
    let target = name == "f" ? Target.native : .portable
    let emitted = try EmittedModel(
      try TestModels.mamba(.w8a8), .init(name: name, target: target))
    let (symbol, macro) = (emitted.report.names.symbol, emitted.report.names.macro)
    let own = "#include \"\(emitted.report.names.header)\"\n"
    let use =
      "int used(void) { return \(symbol)_context_bytes(0) > 0 ? \(macro)_OK : \(macro)_CHUNK; }\n"
    let before = try emitted.folder.write("use-1.c", Self.headers + own + use)
    let behind = try emitted.folder.write("use-2.c", own + Self.headers + use)
    let all = try emitted.folder.write("all.h", Self.headers)
    // A name that is taken is another one in the library, so a few of them show what they do to kernels.
    let kernels =
      Self.free.contains(name) || ["x", "f", "timer", "irc", "kernels_math"].contains(name)
      ? emitted.kernels : []
    try compile(
      try #require(Compilers.gcc),
      ["-D_GNU_SOURCE", "-fsyntax-only", "-I\(emitted.folder.path)", "-include", all]
        + [emitted.folder.file(emitted.report.names.source)] + kernels)
    try compile(
      try #require(Compilers.gcc),
      [
        "-D_GNU_SOURCE", "-fsyntax-only", "-Wall", "-Wextra", "-I\(emitted.folder.path)", before,
        behind,
      ])
  }

  @Test("A name that is taken gets 'model_' in front, with a reason; others stay as they are")
  func rule() {
    for name in Self.taken {
      #expect(ArtifactNames(model: name).stem == "model_" + name)
      #expect(ArtifactNames.conflict(of: name) != nil)
    }
    for name in Self.free {
      #expect(ArtifactNames(model: name).stem == name)
      #expect(ArtifactNames.conflict(of: name) == nil)
    }
    #expect(ArtifactNames.conflict(of: "time") == "<time.h> is a header of the system")
    #expect(ArtifactNames.conflict(of: "timer")?.contains("'timer_'") == true)
  }
}
