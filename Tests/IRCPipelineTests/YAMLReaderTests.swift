import Foundation
import IRCPassKit
import IRCPipeline
import IRCSupport
import IRCTestSupport
import Testing

@Suite struct YAMLReaderTests {
  private func read(_ text: String) -> YAMLDocument {
    YAMLDocument(TextFile(path: "x.yaml", text: text))
  }

  /// The tree in one line, with the place of every scalar.
  private func show(_ value: OptionValue) -> String {
    let place = "@\(value.span.line):\(value.span.column)+\(value.span.length)"
    switch value.content {
    case .null: return "null" + place
    case .unknown: return "unknown" + place
    case .scalar(let text): return text + place
    case .sequence(let items): return "[" + items.map(show).joined(separator: ", ") + "]"
    case .mapping(let entries):
      return "{" + entries.map { "\($0.key): \(show($0.value))" }.joined(separator: ", ") + "}"
    }
  }

  @Test(
    arguments: [
      ("a: 1\nb: [x, 'y z']\n", "{a: 1@1:4+1, b: [x@2:5+1, y z@2:8+5]}"),
      ("a: \"é\\n\"\n", "{a: é\n@1:4+5}"),
      ("\"é語🎉\": x\n", "{é語🎉: x@1:8+1}"),
      ("{e\u{301}: v, 👩‍👩‍👧: w}\n", "{e\u{301}: v@1:5+1, 👩‍👩‍👧: w@1:11+1}"),
      ("\u{FEFF}a: b\r\nc: d\r\n", "{a: b@1:4+1, c: d@2:4+1}"),
      ("a:\nb: ~\nc: null\nd: ''\n", "{a: null@1:1+1, b: null@2:4+1, c: null@3:4+4, d: @4:4+2}"),
      ("- no\n- 007\n- 1e-5\n", "[no@1:3+2, 007@2:3+3, 1e-5@3:3+4]"),
      ("a: |\n  one\n  two\n", "{a: one\ntwo\n@1:4+1}"),
      ("a: {b: {c: [d]}}", "{a: {b: {c: [d@1:13+1]}}}"),
      ("---\na: b # c\n...\n", "{a: b@2:4+1}"),
      ("a\u{85}b: c\n", nil),
    ] as [(String, String?)])
  func places(_ text: String, _ expected: String?) {
    let document = read(text)
    guard let expected else { return }
    #expect(document.problems.isEmpty)
    #expect(document.root.map(show) == expected)
  }

  @Test func fragmentsKeepTheirPlace() throws {
    let file = TextFile(path: "--set", text: "a=1\nké.y=[p, q]")
    let root = YAMLDocument(fragment: "[p, q]", of: file, line: 2, column: 6).root
    #expect(root.map(show) == "[p@2:7+1, q@2:10+1]")
  }

  /// Texts up to the largest that is read, of which each node lies on the same line: time and memory stay in proportion.
  @Test(arguments: [
    ("[" + String(repeating: "a,", count: 120_000) + "]", 0),
    ("[" + String(repeating: "&a b,", count: 40_000) + "]", 40_000),
    ("{" + String(repeating: "a: b,", count: 40_000) + "}", 39_999),
    ("{" + (0..<20_000).map { "a\($0): b," }.joined() + "}", 0),
  ])
  func longLines(_ text: String, _ problems: Int) {
    let document = read(text)
    #expect(document.root != nil)
    #expect(document.problems.count == problems)
    #expect(document.problems.allSatisfy { $0.sourceLine == nil && $0.rendered.utf8.count < 400 })
  }

  @Test func damagedTextGivesMessagesOnly() throws {
    var fuzzer = Fuzzer(
      texts: [
        "irc: 1\nname: x\nsource: tiny\ncalibration: {text: prose.txt, tokens: 16384}\npipeline: rtn-w8a8\nemit: [c]\n",
        "irc: 1\nsource: tiny\npipeline:\n  - quantize: {scheme: {weights: {format: int4, granularity: group, size: 32}}}\n  - emit: $emit\n",
        "a: &x [1, 2]\nb: *x\n<<: {c: d}\n? [e]\n: |\n  text é語\n",
      ],
      words: [
        "{", "}", "[", "]", ": ", "- ", "&a", "*a", "!!", "|\n", "\t", "$scheme", "\u{FEFF}", "\r",
      ])
    let project = try Project([])
    var (good, bad) = (0, 0)
    fuzzer.run(for: .seconds(2)) { bytes in
      guard let text = String(validating: bytes, as: UTF8.self) else { return }
      let document = read(text)
      for problem in document.problems { #expect(!problem.rendered.isEmpty) }
      if document.root == nil { bad += 1 } else { good += 1 }
      #expect(document.root != nil || !document.problems.isEmpty)
      guard (good + bad).isMultiple(of: 20) else { return }
      try? text.write(toFile: project.path + "/model.yaml", atomically: false, encoding: .utf8)
      _ = project.messages(["passes.quantize.label=" + String(text.prefix(20))])
    }
    #expect(good > 100 && bad > 100)
  }
}
