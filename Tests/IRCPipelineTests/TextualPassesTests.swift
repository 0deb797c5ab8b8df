import IRCPassKit
import IRCPassManager
import IRCPipeline
import IRCSupport
import Testing

@Suite struct TextualPassesTests {
  private func read(_ text: String) throws -> [PassInstance] {
    try TextualPasses.read(text, registry: PassRegistry(fakePasses), shipped: shipped)
  }

  @Test(arguments: [
    "fold-norm-gains", "fold-norm-gains,lower-kernels",
    "quantize{clip_share: 0.25, rounds: 3, prescale: false, rounding: stochastic},emit-c{comments: false}",
    "quantize{include: [\"*.a, b}\", c], label: \"it's {[ \\\" é\\n\"}",
    "quantize{scheme: w4a8-static},quantize{scheme: {weights: {format: int3, symmetric: false}, embeddings: none}}",
  ])
  func roundTrip(_ text: String) throws {
    let passes = try read(text).map(\.pass)
    for all in [false, true] {
      let written = TextualPasses.text(of: passes, includingDefaults: all)
      let again = try read(written).map(\.pass)
      #expect(again.map { $0.options.map(\.text) } == passes.map { $0.options.map(\.text) })
      #expect(TextualPasses.text(of: again, includingDefaults: all) == written)
    }
  }

  @Test func printing() throws {
    let text = TextualPasses.text(of: try read("quantize{ rounds: 9 } , lower-kernels").map(\.pass))
    #expect(text == "quantize{rounds: 9},lower-kernels")
  }

  @Test(arguments: [
    ("fold-norm-gain", "--passes:1:1: error: unknown pass 'fold-norm-gain' [passes.unknown]"),
    ("", "--passes:1:1: error: expected the name of a pass [passes.syntax]"),
    ("lower-kernels,", "--passes:1:15: error: expected the name of a pass [passes.syntax]"),
    (
      "lower-kernels quantize",
      "--passes:1:15: error: expected ',' or '{' after 'lower-kernels' [passes.syntax]"
    ),
    (
      "quantize{round: 1}",
      "--passes:1:10: error: pass 'quantize' has no option 'round' [options.unknown-key]"
    ),
    (
      "lower-kernels,quantize{rounds: 0}",
      "--passes:1:32: error: expected a whole number from 1 to 100, found '0' [options.range]"
    ),
    ("quantize{rounds: 1", "--passes:1:19: error: expected ',' or '}' [yaml.syntax]"),
    ("quantize{scheme: w8}", "--passes:1:18: error: unknown scheme 'w8' [scheme.unknown]"),
  ])
  func errors(_ text: String, _ expected: String) {
    let error = #expect(throws: DiagnosticList.self) { try read(text) }
    #expect(
      error?.diagnostics.first?.rendered.split(separator: "\n").first.map(String.init) == expected)
  }
}
