import IRCGraph
import IRCOps
import IRCSupport
import Testing

@Suite("The parser reads what the printer writes")
struct GraphParserTests {
  @Test(
    "Printed graphs come back unchanged",
    arguments: [SampleGraphs.float, SampleGraphs.kernels, SampleGraphs.small])
  func roundTrip(_ text: String) throws {
    let graph = try SampleGraphs.parse(text)
    #expect(graph.text == text)
    #expect(graph.verify() == [])
  }

  @Test("Every operator of the registry occurs in a round trip")
  func everyOperator() throws {
    let graphs = try [SampleGraphs.float, SampleGraphs.kernels].map(SampleGraphs.parse)
    let seen = Set(graphs.flatMap { $0.operations.map(\.op.operatorName) })
    #expect(seen.sorted() == OperatorRegistry.standard.names)
  }

  @Test("Names, space and comments are free")
  func freeForm() throws {
    let graph = try SampleGraphs.parse(
      """
      // A comment before
      irc.graph @ "small" { stage="float" }{ %tokens.in=input"x":f32[ tokens,4 ]// one behind
      %weight-1
        = generated {
          values = iota,
          shape = [4,4] } : f32[4, 2+2]
      %$ = linear %tokens.in, %weight-1 : f32[tokens, 4] loc(unknown) output "y" = %$ }
      """)
    #expect(graph.text == SampleGraphs.small)
  }

  @Test("Windows line ends and tabs are space")
  func lineEnds() throws {
    let text = SampleGraphs.small.split(separator: "\n").joined(separator: "\t\r\n")
    #expect(try SampleGraphs.parse(text).text == SampleGraphs.small)
  }

  @Test(
    "Strings and names of all kinds survive",
    arguments: [
      "", "plain", "quote\" and back\\slash", "line\nfeed\r\t\u{0}\u{7F}", "é and e\u{301}", "日本 🎈",
      "// no comment", "\u{2028}\u{85}",
    ])
  func strings(_ name: String) throws {
    var graph = Graph(name: name)
    let input = try graph.add(
      Input(name: name, type: TensorType(.f32, [.named("tokens"), 2])),
      at: .pass(name, from: .pass("b", from: .checkpoint(name))))[0]
    let output = try graph.add(
      SiLU(), [input], at: .text(SourceLocation(file: name, line: 3, column: 0)))[0]
    graph.addOutput(name, output)
    graph.facts = [Fact(name)]
    let again = try SampleGraphs.parse(graph.text)
    #expect(Array(again.text.utf8) == Array(graph.text.utf8))
    #expect(Array(again.name.utf8) == Array(name.utf8))
    #expect(again.operations.map(\.location) == graph.operations.map(\.location))
  }

  @Test(
    "Numbers come back exactly",
    arguments: [0, -0.0, 1, 1e-05, 0.1, -1e300, 1e16, 123_456_789.125, .leastNonzeroMagnitude, .pi])
  func numbers(_ value: Double) throws {
    var graph = Graph(name: "numbers")
    let made = try graph.add(Generated(shape: [1], values: .splat(value)))[0]
    let again = try SampleGraphs.parse(graph.text)
    let op = try #require(again.definition(of: made, as: Generated.self))
    guard case .splat(let read) = op.values else {
      Issue.record("not a splat")
      return
    }
    #expect(read.bitPattern == value.bitPattern)
  }

  @Test("A graph keeps its stage and facts", arguments: Stage.allCases)
  func header(_ stage: Stage) throws {
    var graph = Graph(name: "empty")
    graph.stage = stage
    graph.facts = [Fact("b"), Fact("a")]
    let again = try SampleGraphs.parse(graph.text)
    #expect(again.stage == stage)
    #expect(again.facts == graph.facts)
    #expect(graph.text.contains(#"facts = ["a", "b"]"#))
  }
}
