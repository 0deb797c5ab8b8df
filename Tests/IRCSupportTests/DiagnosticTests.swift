import IRCSupport
import Testing

@Suite("Diagnostics")
struct DiagnosticTests {
  /// The two lines below the message.
  private func shown(_ line: String, column: Int, length: Int = 3) -> [String] {
    let place = SourceLocation(file: "a", line: 7, column: column)
    let diagnostic = Diagnostic("x.y", "wrong", at: place, length: length, sourceLine: line)
    return diagnostic.rendered.split(separator: "\n").dropFirst().map(String.init)
  }

  @Test("Of a long line the part around the fault is shown, with the caret below it")
  func longLines() {
    let line = String(repeating: "a", count: 200) + "BAD" + String(repeating: "c", count: 180)
    for column in [1, 2, 80, 81, 201, 300, 383] {
      let lines = shown(line, column: column)
      #expect(lines.allSatisfy { $0.count <= 160 + 5 }, "column \(column)")
      let caret = lines[1].prefix { $0 != "^" }.count
      let marked = Array(lines[0])[caret]
      #expect(marked == "…" || marked == Array(line)[column - 1], "column \(column)")
    }
    let middle = shown(line, column: 201)
    #expect(middle[0].hasPrefix(" 7 | …aaa") && middle[0].hasSuffix("ccc…"))
    #expect(Array(middle[0])[middle[1].prefix { $0 != "^" }.count...].starts(with: "BAD"))
    #expect(middle[1].hasSuffix("^~~"))
  }

  @Test("A line that is short enough is shown whole")
  func shortLine() {
    let line = String(repeating: "a", count: 160)
    #expect(shown(line, column: 5)[0] == " 7 | \(line)")
  }
}
