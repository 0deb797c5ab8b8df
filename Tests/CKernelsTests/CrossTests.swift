import Foundation
import IRCTestSupport
import Testing

/// Every set of kernels against the references, in a program of its own: with sanitizers, with another
/// compiler, and for processors that only an emulator has here.
@Suite("Sets of kernels")
struct CrossTests {
  static let sources = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("Sources/CKernels")
  static let checks = ["Cross/check.c", "Cross/rows.c"].map {
    URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent($0)
  }

  /// Builds the program and runs it, by `emulator` if there is one; returns the sets that it tried.
  private func setsThatAgree(
    _ compiler: URL, _ flags: [String], emulator: [String] = []
  ) throws -> [String] {
    let folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("irc-cross-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let files = try FileManager.default.contentsOfDirectory(atPath: Self.sources.path).sorted()
      .filter { $0.hasSuffix(".c") && ($0.hasPrefix("kernels_") || $0.hasPrefix("encode")) }
    let built = folder.appendingPathComponent("check").path
    let arguments =
      ["-std=c11", "-ffp-contract=off", "-Wall", "-Wextra", "-Werror", "-Iinclude"] + flags
      + files + Self.checks.map(\.path) + ["-lm", "-o", built]
    let (status, output) = try run(compiler, arguments, in: Self.sources)
    #expect(status == 0 && output.isEmpty, "\(output)")
    guard status == 0 else { return [] }
    let command = emulator + [built]
    let (result, told) = try run(
      URL(fileURLWithPath: command[0]), Array(command.dropFirst()), in: folder)
    #expect(result == 0, "\(told)")
    return told.split(separator: "\n").map(String.init)
  }

  /// What the processor has must have been tried.
  private func expectThisMachine(_ sets: [String]) {
    #expect(sets.first == "portable")
    #expect(sets.contains("avx2") == Processor.hasAVX2)
    #expect(sets.contains("avx512-vnni") == Processor.hasAVX512VNNI)
    #expect(sets.contains("amx-int8") == Processor.hasAMX)
  }

  @Test(
    "agree with the references under sanitizers", .enabled(if: program("gcc") != nil, "needs gcc"))
  func sanitized() throws {
    // Gold, which some compilers prefer, warns of the sanitizer's own symbols. Optimisers take minutes
    // over the checks in loops that are unrolled.
    let flags = [
      "-O0", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fuse-ld=bfd",
    ]
    expectThisMachine(try setsThatAgree(#require(program("gcc")), flags))
  }

  @Test(
    "agree with the references built by clang",
    .enabled(if: program("clang") != nil, "needs clang"))
  func clang() throws {
    expectThisMachine(try setsThatAgree(#require(program("clang")), ["-O2"]))
  }

  @Test(
    "agree with the references on AArch64",
    .enabled(
      if: program("aarch64-linux-gnu-gcc") != nil && program("qemu-aarch64") != nil,
      "needs gcc-aarch64-linux-gnu and qemu-user"))
  func arm() throws {
    let emulator = try [#require(program("qemu-aarch64")).path, "-cpu", "max"]
    let sets = try setsThatAgree(
      #require(program("aarch64-linux-gnu-gcc")), ["-O2", "-static"], emulator: emulator)
    #expect(sets == ["portable", "neon-dotprod", "neon-i8mm"])
  }
}
