import Foundation
import IRCPipeline
import IRCSupport
import Testing

/// A project that is wrong, and all that the user sees of it.
struct MessageCase: Sendable, CustomTestStringConvertible {
  var name: String
  var model: String
  var files: [(name: String, text: String)]
  var settings: [String]
  var expected: String
  var testDescription: String { name }

  init(
    _ name: String, model: String, files: [(name: String, text: String)] = [],
    settings: [String] = [], _ expected: String
  ) {
    self.name = name
    self.model = model
    self.files = files
    self.settings = settings
    self.expected = expected
  }
}

@Suite struct MessageTests {
  @Test(arguments: yamlMessages + modelMessages + pipelineMessages + settingMessages)
  func message(_ example: MessageCase) throws {
    let project = try Project([("model.yaml", example.model)] + example.files)
    #expect(project.messages(example.settings) == example.expected)
  }

  @Test func everyIdentifierIsStable() {
    let all = yamlMessages + modelMessages + pipelineMessages + settingMessages
    let pattern = /\[([a-z-]+\.[a-z0-9-]+)\]/
    let ids = Set(
      all.flatMap { example in
        example.expected.split(separator: "\n").filter { $0.contains(": error: ") }
          .flatMap { $0.matches(of: pattern).map { String($0.1) } }
      })
    #expect(
      ids.sorted() == [
        "file.missing", "file.unreadable", "language.version",
        "model.calibration", "model.name", "options.constraint", "options.missing-key",
        "options.missing-value", "options.range", "options.type", "options.unknown-key",
        "passes.unknown", "pipeline.duplicate-exporter", "pipeline.entry", "pipeline.include-cycle",
        "pipeline.no-scheme", "pipeline.unknown", "pipeline.unknown-variable", "plugin.missing",
        "plugin.not-a-library", "scheme.unknown", "set.syntax",
        "set.unknown-pass", "yaml.duplicate-key", "yaml.empty", "yaml.key", "yaml.syntax",
        "yaml.too-deep", "yaml.unsupported",
      ])
  }

  @Test func manyErrorsAreCut() throws {
    let names = (0..<25).map { "x\($0)" }.joined(separator: ", ")
    let project = try Project([("model.yaml", "irc: 1\nsource: tiny\npipeline: [\(names)]\n")])
    let lines = project.messages().split(separator: "\n")
    #expect(lines.filter { $0.contains("unknown pass") }.count == 20)
    #expect(lines.last == "error: and 5 more [errors.more]")
  }

  @Test func errorsComeFileByFileInOrder() throws {
    let project = try Project([
      ("model.yaml", "irc: 1\nsource: tiny\npipeline: b.yaml\ntarget: neo\n"),
      ("b.yaml", "irc: 1\npasses: [include: a.yaml, nothing-b]\n"),
      ("a.yaml", "irc: 1\npasses: [nothing-a]\n"),
    ])
    let files = project.messages(["outputs=x"]).split(separator: "\n")
      .filter { $0.contains(": error:") }.map { String($0.prefix { $0 != ":" }) }
    #expect(files == ["model.yaml", "b.yaml", "a.yaml", "--set"])
  }

  @Test func includesCannotMultiply() throws {
    var files: [(name: String, text: String)] = [
      ("model.yaml", "irc: 1\nsource: tiny\npipeline: p0.yaml\n")
    ]
    for level in 0..<20 {
      let next = "p\(level + 1).yaml"
      files.append(("p\(level).yaml", "irc: 1\npasses: [include: \(next), include: \(next)]\n"))
    }
    files.append(("p20.yaml", "irc: 1\npasses: [lower-kernels]\n"))
    #expect(try Project(files).messages().contains("[pipeline.too-long]"))
  }

  @Test func unreadableModelFile() throws {
    let project = try Project([])
    #expect(
      project.messages()
        == "error: cannot read 'model.yaml': No such file or directory [file.unreadable]")
  }

  @Test func notUnicode() throws {
    let project = try Project([])
    let bytes = Array("irc: 1\nname: é".utf8) + [0xFF, 0x41]
    try Data(bytes).write(to: URL(fileURLWithPath: project.path + "/model.yaml"))
    #expect(
      project.messages()
        == """
        model.yaml:2:8: error: not UTF-8 text from byte 15 on [file.not-utf8]
          hint: save the file as UTF-8
        """)
  }

  @Test func largeFile() throws {
    let project = try Project([("model.yaml", String(repeating: "# x\n", count: 1 << 17))])
    #expect(
      project.messages()
        == "model.yaml: error: the file has more than 262144 bytes [yaml.too-large]")
  }
}
