import Foundation
import IRCDriver
import IRCTestSupport
import Testing

@Suite("Dependency files")
struct DependencyFileTests {
  @Test("One rule for all outputs, and an empty one for each input, once")
  func form() {
    let file = DependencyFile(
      targets: ["out/a.c", "out/a.weights"],
      prerequisites: ["model.yaml", "m/x.json", "model.yaml"])
    #expect(
      file.text == """
        out/a.c out/a.weights: \\
          model.yaml \\
          m/x.json

        model.yaml:

        m/x.json:

        """)
  }

  @Test("Make reads the paths back, whatever characters they have")
  func make() throws {
    let folder = try TemporaryFolder()
    let names = ["plain", "with space", "a#b", "a$b", "c$$d"]
    for name in names { try folder.write(name, "") }
    try folder.write(
      "rules", DependencyFile(targets: ["out"], prerequisites: names).text)
    try folder.write("Makefile", "include rules\nout:\n\t@touch out; echo made\n")
    func run() throws -> String {
      let process = Process()
      let pipe = Pipe()
      process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
      process.arguments = ["make", "-C", folder.path, "--no-print-directory"]
      process.standardOutput = pipe
      process.standardError = pipe
      try process.run()
      let text = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
      process.waitUntilExit()
      return text
    }
    #expect(try run() == "made\n")
    #expect(try run().contains("up to date"))
    for name in names {
      // Whole seconds, for file systems that know nothing finer.
      try FileManager.default.setAttributes(
        [.modificationDate: Date(timeIntervalSinceNow: 5)], ofItemAtPath: folder.file(name))
      #expect(try run() == "made\n", "\(name)")
      try FileManager.default.setAttributes(
        [.modificationDate: Date(timeIntervalSinceNow: -60)], ofItemAtPath: folder.file(name))
    }
    // A prerequisite that is gone is no error.
    try FileManager.default.removeItem(atPath: folder.file("plain"))
    #expect(try run() == "made\n")
  }
}
