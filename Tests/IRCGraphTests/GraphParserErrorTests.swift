import IRCGraph
import IRCOps
import IRCSupport
import Testing

@Suite("Errors in the textual IR")
struct GraphParserErrorTests {
  struct Case: CustomTestStringConvertible, Sendable {
    let testDescription: String
    /// Lines of the graph's body, behind an input `%x` and a constant `%w`.
    let body: String
    let expected: String

    init(_ name: String, _ body: String, _ expected: String) {
      testDescription = name
      self.body = body
      self.expected = expected
    }
  }

  static let cases = [
    Case(
      "unknown operator", "%y = lineer %x, %w : f32[tokens, 4]",
      """
      g.irc:4:6: error: there is no operator 'lineer' [ir.unknown-operator]
       4 | %y = lineer %x, %w : f32[tokens, 4]
         |      ^~~~~~
        hint: did you mean 'linear'?
      """),
    Case(
      "undefined value", "%y = linear %x, %v : f32[tokens, 4]",
      """
      g.irc:4:17: error: '%v' is not made before this line [ir.undefined-value]
       4 | %y = linear %x, %v : f32[tokens, 4]
         |                 ^~
        hint: did you mean '%x'?
      """),
    Case(
      "use before the definition", "%y = silu %z : f32[tokens, 4]\n%z = silu %x : f32[tokens, 4]",
      """
      g.irc:4:11: error: '%z' is not made before this line [ir.undefined-value]
       4 | %y = silu %z : f32[tokens, 4]
         |           ^~
        hint: did you mean '%x'?
      """),
    Case(
      "declared type", "%y = linear %x, %w : f32[tokens, 5]",
      """
      g.irc:4:22: error: 'linear' makes f32[tokens, 3] of these operands [ir.type-mismatch]
       4 | %y = linear %x, %w : f32[tokens, 5]
         |                      ^~~~~~~~~~~~~~
      """),
    Case(
      "refused operands", "%y = embedding %x, %w : f32[4, 4]",
      """
      g.irc:4:6: error: 'embedding': operand 0 ('ids') has type f32[tokens, 4], expected i32 values of rank 1 \
      [ir.type-mismatch]
       4 | %y = embedding %x, %w : f32[4, 4]
         |      ^~~~~~~~~
      """),
    Case(
      "count of results", "%y, %z = silu %x : f32[tokens, 4]",
      """
      g.irc:4:20: error: 2 results are named and 1 have a type [ir.type-mismatch]
       4 | %y, %z = silu %x : f32[tokens, 4]
         |                    ^~~~~~~~~~~~~~
      """),
    Case(
      "missing attribute", "%y = rms_norm %x : f32[tokens, 4]",
      """
      g.irc:4:6: error: attribute 'epsilon' is missing [ir.attribute]
       4 | %y = rms_norm %x : f32[tokens, 4]
         |      ^~~~~~~~
      """),
    Case(
      "ill-typed attribute", "%y = rms_norm %x {epsilon = nan} : f32[tokens, 4]",
      """
      g.irc:4:19: error: attribute 'epsilon' must be a finite number [ir.attribute]
       4 | %y = rms_norm %x {epsilon = nan} : f32[tokens, 4]
         |                   ^~~~~~~~~~~~~
      """),
    Case(
      "unknown attribute", "%y = rms_norm %x {epsilom = 0.5, epsilon = 0.5} : f32[tokens, 4]",
      """
      g.irc:4:19: error: 'rms_norm' has no attribute 'epsilom' [ir.attribute]
       4 | %y = rms_norm %x {epsilom = 0.5, epsilon = 0.5} : f32[tokens, 4]
         |                   ^~~~~~~~~~~~~
        hint: did you mean 'epsilon'?
      """),
    Case(
      "attribute of an operator without any", "%y = silu %x {a = 1} : f32[tokens, 4]",
      """
      g.irc:4:15: error: 'silu' has no attribute 'a' [ir.attribute]
       4 | %y = silu %x {a = 1} : f32[tokens, 4]
         |               ^~~~~
        hint: it has none
      """),
    Case(
      "attribute twice", "%y = rms_norm %x {epsilon = 0.5, epsilon = 0.5} : f32[tokens, 4]",
      """
      g.irc:4:34: error: attribute 'epsilon' is given twice [ir.duplicate]
       4 | %y = rms_norm %x {epsilon = 0.5, epsilon = 0.5} : f32[tokens, 4]
         |                                  ^~~~~~~
      """),
    Case(
      "leaf without a name", "%y = input : f32[tokens, 4]",
      """
      g.irc:4:6: error: attribute 'name' is missing [ir.attribute]
       4 | %y = input : f32[tokens, 4]
         |      ^~~~~
      """),
    Case(
      "value twice", "%x = silu %x : f32[tokens, 4]",
      """
      g.irc:4:1: error: '%x' is made twice [ir.duplicate]
       4 | %x = silu %x : f32[tokens, 4]
         | ^~
      """),
    Case(
      "output twice", "output \"y\" = %x\noutput \"y\" = %x",
      """
      g.irc:5:8: error: "y" is bound twice [ir.duplicate]
       5 | output "y" = %x
         |        ^~~
      """),
    Case(
      "next state twice", "next \"s\" = %x\nnext \"s\" = %x",
      """
      g.irc:5:6: error: "s" is bound twice [ir.duplicate]
       5 | next "s" = %x
         |      ^~~
      """),
    Case(
      "no statement", "fold %x",
      """
      g.irc:4:1: error: expected an operation, 'next', 'output' or '}', not 'fold' [ir.syntax]
       4 | fold %x
         | ^~~~
      """),
    Case(
      "missing type", "%y = silu %x",
      """
      g.irc:5:1: error: expected ':', not '}' [ir.syntax]
       5 | }
         | ^
      """),
    Case(
      "unknown element type", "%y = silu %x : f33[tokens, 4]",
      """
      g.irc:4:16: error: expected a type such as f32[tokens, 64], not 'f33' [ir.syntax]
       4 | %y = silu %x : f33[tokens, 4]
         |                ^~~
      """),
    Case(
      "extent that overflows", "%y = input \"y\" : f32[99999999999999999999]",
      """
      g.irc:4:22: error: this number does not fit into 64 bits [ir.syntax]
       4 | %y = input "y" : f32[99999999999999999999]
         |                      ^~~~~~~~~~~~~~~~~~~~
      """),
    Case(
      "size that overflows", "%y = input \"y\" : f32[281474976710656, 281474976710656]",
      """
      g.irc:4:18: error: this type is too large [ir.syntax]
       4 | %y = input "y" : f32[281474976710656, 281474976710656]
         |                  ^~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~
      """),
    Case(
      "negative extent", "%y = input \"y\" : f32[-1]",
      """
      g.irc:4:22: error: expected an extent: a number up to 2⁴⁸ or a name, not '-1' [ir.syntax]
       4 | %y = input "y" : f32[-1]
         |                      ^~
      """),
    Case(
      "infinite number", "%y = rms_norm %x {epsilon = 1e999} : f32[tokens, 4]",
      """
      g.irc:4:29: error: this number is too large [ir.syntax]
       4 | %y = rms_norm %x {epsilon = 1e999} : f32[tokens, 4]
         |                             ^~~~~
      """),
    Case(
      "open quote", "%y = input \"y : f32[4]",
      """
      g.irc:4:12: error: the quote is not closed on this line [ir.syntax]
       4 | %y = input "y : f32[4]
         |            ^~~~~~~~~~~
      """),
    Case(
      "unknown escape", #"%y = input "\q" : f32[4]"#,
      """
      g.irc:4:12: error: unknown escape; there are \\\\, \\", \\n and \\u{…} [ir.syntax]
       4 | %y = input "\\q" : f32[4]
         |            ^~~
      """),
    Case(
      "character without a meaning, behind wide characters", #"%y = input "日本" ; f32[4]"#,
      """
      g.irc:4:17: error: ";" has no meaning here [ir.syntax]
       4 | %y = input "日本" ; f32[4]
         |                   ^
      """),
    Case(
      "wrong location", "%y = silu %x : f32[tokens, 4] loc(somewhere)",
      """
      g.irc:4:35: error: expected 'checkpoint', 'pass', 'unknown' or a file in quotes, not 'somewhere' [ir.syntax]
       4 | %y = silu %x : f32[tokens, 4] loc(somewhere)
         |                                   ^~~~~~~~~
      """),
    Case(
      "text behind the end", "}\nirc.graph",
      """
      g.irc:5:1: error: nothing may follow the end of the graph [ir.syntax]
       5 | irc.graph
         | ^~~~~~~~~
      """),
  ]

  static func errors(_ text: String) -> [Diagnostic] {
    do {
      _ = try GraphParser.parse(text, file: "g.irc", registry: .standard)
      return []
    } catch {
      return error.diagnostics
    }
  }

  @Test("Each kind of error shows where it is", arguments: cases)
  func golden(_ example: Case) {
    let text = """
      irc.graph @"g" {stage = "float"} {
      %x = input "x" : f32[tokens, 4]
      %w = generated {shape = [3, 4], values = iota} : f32[3, 4]
      \(example.body)
      }
      """
    #expect(Self.errors(text).map(\.rendered) == [example.expected])
  }

  @Test(
    "Errors of the header",
    arguments: [
      ("", "g.irc:1:1", "the text ends where 'irc.graph' should be"),
      ("graph {}", "g.irc:1:1", "expected 'irc.graph', not 'graph'"),
      ("irc.graph @x {}", "g.irc:1:12", "expected the name of the graph in quotes, not 'x'"),
      (#"irc.graph @"x" {stage = "flaot"} {}"#, "g.irc:1:17", #"there is no stage "flaot""#),
      (#"irc.graph @"x" {stage = 1} {}"#, "g.irc:1:17", "'stage' must be a quoted name"),
      (#"irc.graph @"x" {facts = 1} {}"#, "g.irc:1:17", "'facts' must be a list of quoted names"),
      (#"irc.graph @"x" {facts = [1]} {}"#, "g.irc:1:17", "a fact is a quoted name"),
      (#"irc.graph @"x" {level = 1} {}"#, "g.irc:1:17", "a graph has no attribute 'level'"),
      (#"irc.graph @"x" {stage = "float"} {"#, "g.irc:1:35", "the graph is not closed"),
    ])
  func header(_ text: String, _ place: String, _ message: String) throws {
    let first = try #require(Self.errors(text).first)
    #expect(first.message == message)
    #expect(first.location?.description == place)
  }

  @Test("Several errors are reported together, and none for what follows from them")
  func several() {
    let errors = Self.errors(
      """
      irc.graph @"g" {stage = "float"} {
        %x = input "x" : f32[tokens, 4]
        %a = linnear %x : f32[tokens, 4]
        %b = silu %a : f32[tokens, 5]
        %c = silu %x :
        %d = add %c, %c : f32[tokens, 4]
        %e = silu %d : f32[tokens, 3]
        output "y" = %f
        output "z" = %e
      }
      """)
    #expect(
      errors.map { "\($0.location?.line ?? 0) \($0.id)" } == [
        "3 ir.unknown-operator", "4 ir.type-mismatch", "6 ir.syntax", "7 ir.type-mismatch",
        "8 ir.undefined-value",
      ])
  }

  @Test("At most twenty errors of a file are shown, the first ones")
  func limit() {
    let lines = (0..<50).map { "%\($0) = silu %none : f32[4]" }
    let errors = Self.errors((["irc.graph @\"g\" {} {"] + lines + ["}"]).joined(separator: "\n"))
    #expect(errors.map { $0.location?.line ?? 0 } == Array(2...21))
  }

  @Test(
    "Deep nesting is refused, not followed",
    arguments: [
      "%y = silu %x {a = " + String(repeating: "[", count: 100_000),
      "%y = silu %x {a = " + String(repeating: "f(", count: 100_000),
      "%y = silu %x : f32[1] loc(" + String(repeating: "pass(\"a\", ", count: 100_000),
      "%y = silu %x : f32[" + String(repeating: "1, ", count: 100_000),
      "%y = silu %x : f32[" + String(repeating: "a + ", count: 100_000),
      String(repeating: "%y, ", count: 100_000),
      "%y = add " + String(repeating: "%u, ", count: 200_000),
      "%y = silu %x {" + String(repeating: "a = 1, ", count: 200_000),
      "%y = silu %x {" + (0..<100_000).map { "a\($0) = 1, " }.joined() + "b = 1} : f32[1]",
    ])
  func depth(_ body: String) {
    let errors = Self.errors("irc.graph @\"g\" {} {\n\(body)\n}")
    #expect((1...20).contains(errors.count))
    // A long line in each of many messages would take the memory.
    #expect(errors.allSatisfy { $0.sourceLine == nil })
  }

  @Test("A group as large as an integer can be is one group")
  func largestGroup() throws {
    let graph = try SampleGraphs.parse(
      """
      irc.graph @"group" {stage = "quantized"} {
        %0 = input "x" : f32[tokens, 4]
        %1 = quant_params %0 {format = int8, granularity = group(9223372036854775807), symmetric = true, \
      scales = f32} : f32[tokens, 1]
      }
      """)
    #expect(graph.verify() == [])
  }
}
