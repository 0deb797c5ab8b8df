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
    /// Whole seconds in the past, for file systems that know nothing finer.
    func age(_ name: String, _ seconds: Double) throws {
      try FileManager.default.setAttributes(
        [.modificationDate: Date(timeIntervalSinceNow: -seconds)], ofItemAtPath: folder.file(name))
    }
    for name in names { try age(name, 300) }
    #expect(try run() == "made\n")
    #expect(try run().contains("up to date"))
    for name in names {
      try age("out", 200)
      try age(name, 100)
      #expect(try run() == "made\n", "\(name)")
      try age(name, 300)
    }
    // A prerequisite that is gone is no error.
    try FileManager.default.removeItem(atPath: folder.file("plain"))
    #expect(try run() == "made\n")
  }
}
