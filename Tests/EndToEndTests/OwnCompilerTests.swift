import Foundation
import IRCSupport
import IRCTestSupport
import Testing

/// `examples/own-compiler`: a compiler with a pass of one's own linked into it.
@Suite("A compiler of one's own")
struct OwnCompilerTests {
  private func model(in folder: TemporaryFolder) throws -> String {
    try folder.write(
      "model.yaml",
      Workbench.modelFile(
        source: Workbench.example, pipeline: "[count-layers, include: rtn-w8a8]"))
  }

  @Test("Its pass is one like any other, beside those that are built in")
  func lowers() throws {
    let folder = try TemporaryFolder()
    let model = try model(in: folder)
    let outcome = try Program.run(
      ["lower", model, "--json", "--quiet"], executable: Installation.ownCompiler)
    #expect(outcome.code == 0, "\(outcome.errors)")
    let pass = try outcome.json()["passes"].array()[0]
    #expect(try pass["instance"].string() == "count-layers")
    #expect(try pass["statistics"]["layers"].int() > 8)
    #expect(try pass["statistics"]["weights"].int() > 400_000)
    let plain = try Program.run("lower", model, "--quiet")
    #expect(plain.code == 1 && plain.errors.contains("unknown pass 'count-layers'"))
  }

  @Test(
    "The example builds as a package that depends on this one, and builds and loads plugins",
    .enabled(if: ProcessInfo.processInfo.environment["IRC_SLOW_TESTS"] != nil, "takes minutes"))
  func package() throws {
    let folder = try TemporaryFolder()
    let swift = ProcessInfo.processInfo.environment["SWIFT"] ?? "swift"
    let built = try Program.run(
      [
        swift, "build", "-c", "release", "--package-path",
        Workbench.repository + "/examples/own-compiler", "--scratch-path", folder.file("build"),
      ], executable: "/usr/bin/env", limit: Program.longest)
    #expect(built.code == 0, "\(built.output) \(built.errors)")
    let program = folder.file("build/release/own-compiler")
    let lowered = try Program.run(
      ["lower", try model(in: folder), "--quiet"], executable: program)
    #expect(lowered.code == 0, "\(lowered.errors)")
    let made = try Program.run(
      ["plugin", "new", "my-pass", "-o", folder.file("my-pass")], executable: program)
    #expect(made.code == 0, "\(made.errors)")
    let tested = try Program.run(
      [folder.file("my-pass/test.sh")], executable: "/bin/sh", environment: ["IRC": program])
    #expect(tested.code == 0, "\(tested.output) \(tested.errors)")
  }
}
