import IRCGraph
import IRCOps
import IRCSupport
import IRCTestSupport
import Testing

@Suite("docs/ir.md")
struct DocumentationTests {
  private func document() throws -> TextFile {
    try TextFile(reading: try #require(Shared.repository) + "/docs/ir.md")
  }

  /// The lines of a section, without its heading.
  private func section(_ heading: String) throws -> [Substring] {
    let lines = try document().lines
    let start = try #require(lines.firstIndex { $0 == "## \(heading)" }) + 1
    return Array(lines[start...].prefix { !$0.hasPrefix("## ") })
  }

  @Test("The example parses, verifies and prints as it stands")
  func example() throws {
    let lines = try section("An example")
    let start = try #require(lines.firstIndex(of: "```irc")) + 1
    let code = lines[start...].prefix { $0 != "```" }
    let text = code.map { $0 + "\n" }.joined()
    let graph = try SampleGraphs.parse(text)
    #expect(graph.verify() == [])
    #expect(text == "// A comment runs to the end of the line.\n" + graph.text)
  }

  @Test("Every operator has a row that names its attributes, and there are no others")
  func operators() throws {
    let rows = try section("Operators").filter { $0.hasPrefix("| `") }
    let names = rows.map { $0.split(separator: "`")[1] }
    #expect(names.sorted() == OperatorRegistry.standard.names.map { $0[...] })

    for graph in try [SampleGraphs.float, SampleGraphs.kernels].map(SampleGraphs.parse) {
      for operation in graph.operations {
        let row = try #require(rows.first { $0.hasPrefix("| `\(operation.op.operatorName)`") })
        if row.contains("as `quant_params`") { continue }
        for attribute in operation.op.attributes {
          #expect(row.contains(attribute.name), "\(operation.op.operatorName)")
        }
      }
    }
  }

  @Test("Every stage and every element type is explained")
  func words() throws {
    let stages = try section("Stages and facts").joined()
    for stage in Stage.allCases { #expect(stages.contains("| `\(stage.rawValue)` |")) }
    let types = try section("Types").joined()
    for type in ["f64", "f32", "f16", "bf16", "i64", "i32", "i8", "u8"] {
      #expect(types.contains("`\(type)`"))
    }
  }
}
