import Foundation
import Testing

/// Teams of threads and kernels that they share, in a program of its own, which hangs if a thread does not come.
@Suite("Threads")
struct ThreadTests {
  static let sets = ["avx2", "avx512", "amx", "neon"]
  private static let check = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .appendingPathComponent("Threads/check.c")

  /// Builds the program with the kernels, all sets or the portable one, and runs it; what it says is a failure.
  private func runs(_ compiler: URL, _ flags: [String], hasSets: Bool) throws {
    let folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("irc-threads-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let files = try FileManager.default.contentsOfDirectory(atPath: CrossTests.sources.path)
      .sorted()
      .filter { $0.hasSuffix(".c") && $0.hasPrefix("kernels_") && $0 != "kernels_reference.c" }
      .filter { file in hasSets || !Self.sets.contains { file.hasPrefix("kernels_\($0)_") } }
    let without = hasSets ? [] : Self.sets.map { "-DIRC_WITH_\($0.uppercased())=0" }
    let built = folder.appendingPathComponent("check").path
    let arguments =
      ["-std=c11", "-ffp-contract=off", "-Wall", "-Wextra", "-Werror", "-DIRC_SHARE_NS=0"]
      + ["-Iinclude", "-I."] + without + flags + files + [Self.check.path, "-lm", "-o", built]
    let (status, output) = try run(compiler, arguments, in: CrossTests.sources)
    #expect(status == 0 && output.isEmpty, "\(output)")
    guard status == 0 else { return }
    let (result, told) = try run(URL(fileURLWithPath: built), [], in: folder)
    #expect(result == 0 && told.isEmpty, "\(told)")
  }

  @Test(
    "a pool shares kernels without a race and without a change of their bits",
    .enabled(if: program("gcc") != nil, "needs gcc"),
    arguments: ["thread", "address,undefined"])
  func pool(_ sanitizer: String) throws {
    try runs(
      #require(program("gcc")),
      ["-O1", "-g", "-pthread", "-fsanitize=\(sanitizer)", "-fno-sanitize-recover=all"]
        + ["-fuse-ld=bfd"], hasSets: false)
  }

  @Test(
    "so does OpenMP, of every set of this processor",
    .enabled(if: program("gcc") != nil, "needs gcc"))
  func openMP() throws {
    try runs(#require(program("gcc")), ["-O1", "-fopenmp", "-DIRC_OPENMP"], hasSets: true)
  }
}
