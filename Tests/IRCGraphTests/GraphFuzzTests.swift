import IRCGraph
import IRCOps
import IRCSupport
import IRCTestSupport
import Testing

@Suite("Damaged textual IR")
struct GraphFuzzTests {
  @Test("The parser refuses or reads whatever it is given, and never traps")
  func parser() throws {
    var fuzzer = Fuzzer(
      texts: [SampleGraphs.float, SampleGraphs.kernels, SampleGraphs.small],
      words: [
        "%0", "%1", ", ", " : f32[1]", "f32[", "]", "{", "}", "(", ")", "[", "9223372036854775807",
        "-1", "4611686018427387904", "0", "1e308", "shape = [", "stored = ", "i8", "tokens+", "\"",
        "loc(", "pass(\"p\", ", "next \"cache\" = ", "output \"y\" = ", "concat ", "reshape ",
        "slice ", "attention ", "linear ", "transpose ", "generated ", "group(9223372036854775807)",
        "tensor", "symmetric = false", "state \"s\"", "\\u{", "//",
      ], seed: 11)
    var read = 0
    var refused = 0
    try fuzzer.run(for: .seconds(3)) { bytes in
      let text = String(decoding: bytes, as: UTF8.self)
      do {
        let graph = try GraphParser.parse(text, file: "fuzz.irc", registry: .standard)
        let again = try GraphParser.parse(graph.text, file: "again.irc", registry: .standard)
        #expect(again.text == graph.text)
        _ = graph.verify()
        for operation in graph.operations {
          let operands = operation.operands.map(graph.type(of:))
          _ = operation.op.cost(operands, operation.results.map(graph.type(of:)))
          _ = operation.op.invariance(operands)
        }
        read += 1
      } catch let error as DiagnosticList {
        #expect(!error.diagnostics.isEmpty && error.diagnostics.count <= 20)
        #expect(error.diagnostics.allSatisfy { ($0.location?.line ?? 0) > 0 })
        refused += 1
      }
    }
    #expect(read > 10 && refused > 100)
  }
}
