import IRCCodegen
import IRCGraph
import IRCOps
import IRCQuant
import IRCSupport
import IRCTensor
import Testing

/// Graphs for which no C can be made: each is refused with the operation and the reason.
@Suite struct UnsupportedTests {
  struct Case: CustomTestStringConvertible, Sendable {
    let testDescription: String
    /// What the message must hold.
    let reason: String
    /// Completes a graph that has ids and x [tokens, 8].
    let build: @Sendable (inout ModelBuilder, ValueID, ValueID) throws -> Void

    init(
      _ name: String, _ reason: String,
      _ build: @escaping @Sendable (inout ModelBuilder, ValueID, ValueID) throws -> Void
    ) {
      testDescription = name
      self.reason = reason
      self.build = build
    }
  }

  /// A convolution over a state, which it updates.
  private static func convolution(
    _ b: inout ModelBuilder, _ x: ValueID
  ) throws -> (state: ValueID, results: [ValueID]) {
    let state = try b.state("taps", .f32, [3, 8])
    let weight = try b.parameter("conv", [8, 4], scale: 1)
    return (state, try b.graph.add(CausalConvolution(), [x, state, weight]))
  }

  static let all: [Case] = [
    Case("no output", "0 outputs") { _, _, _ in },
    Case("two outputs", "2 outputs") { b, _, x in
      b.graph.addOutput("logits", x)
      b.graph.addOutput("more", x)
    },
    Case("an output that is constant", "output 'logits'") { b, _, _ in
      b.graph.addOutput("logits", try b.parameter("table", [4, 8], scale: 1))
    },
    Case("a transpose as it runs", "'transpose'") { b, _, x in
      let turned = try b.add(Transpose(order: [1, 0]), x)
      b.graph.addOutput("logits", try b.add(Transpose(order: [1, 0]), turned))
    },
    Case("a weight that is made as it runs", "weight must be a constant") { b, _, x in
      let state = try b.state("weight", .f32, [5, 8])
      b.graph.setNextState("weight", state)
      b.graph.addOutput("logits", try b.add(Linear(), x, state))
    },
    Case("a state that becomes something else", "cannot be updated in place") { b, _, x in
      let (state, results) = try convolution(&b, x)
      b.graph.setNextState("taps", state)
      b.graph.addOutput("logits", results[0])
    },
    Case("a state that is read after its update", "still read after its update") { b, _, x in
      let (state, results) = try convolution(&b, x)
      b.graph.setNextState("taps", results[1])
      let weight = try b.parameter("again", [8, 4], scale: 1)
      let second = try b.graph.add(CausalConvolution(), [results[0], state, weight])
      b.graph.addOutput("logits", second[0])
    },
    Case("two states with one next value", "shares its next value") { b, _, x in
      let (_, results) = try convolution(&b, x)
      _ = try b.state("copy", .f32, [3, 8])
      b.graph.setNextState("taps", results[1])
      b.graph.setNextState("copy", results[1])
      b.graph.addOutput("logits", results[0])
    },
    Case("a state that an ordinary operation makes", "does not update it in place") { b, _, x in
      let state = try b.state("sum", .f32, [3, 8])
      b.graph.setNextState("sum", try b.parameter("constant", [3, 8], scale: 1))
      _ = state
      b.graph.addOutput("logits", x)
    },
    Case("attention without a cache", "must be states") { b, _, x in
      let attention = Attention(heads: 2, keyValueHeads: 2, scale: 0.5, window: 0)
      b.graph.addOutput("logits", try b.add(attention, x, x, x))
    },
    Case("one dynamic scale for all tokens", "granularity 'tensor'") { b, _, x in
      let spec = QuantizationSpec(.integer(bits: 8), .tensor)
      let parameters = try b.graph.add(QuantizationParameters(spec: spec), [x])
      let codes = try b.graph.add(Quantize(spec: spec), [x] + parameters)
      b.graph.addOutput("logits", try b.graph.add(Dequantize(spec: spec), codes + parameters)[0])
    },
    Case("scales of another value", "do not belong to one 'quantize'") { b, _, x in
      let spec = QuantizationSpec(.integer(bits: 8), .row)
      let parameters = try b.graph.add(QuantizationParameters(spec: spec), [x])
      let y = try b.add(Negate(), x)
      let codes = try b.graph.add(Quantize(spec: spec), [y] + parameters)
      b.graph.addOutput("logits", try b.graph.add(Dequantize(spec: spec), codes + parameters)[0])
    },
    Case("a basis that is not folded", "no C template") { b, _, x in
      let matrices = try b.parameter("basis", [1, 8, 8], scale: 1)
      b.graph.addOutput("logits", try b.add(ChannelMatmul(axis: 1), x, matrices))
    },
    Case("activations in a table format", "activations of format fp4") { b, _, x in
      let spec = QuantizationSpec(.table(.fp4), .row)
      let parameters = try b.graph.add(QuantizationParameters(spec: spec), [x])
      let codes = try b.graph.add(Quantize(spec: spec), [x] + parameters)
      b.graph.addOutput("logits", try b.graph.add(Dequantize(spec: spec), codes + parameters)[0])
    },
  ]

  @Test("is refused with its reason", arguments: all)
  func isRefused(_ example: Case) throws {
    var b = ModelBuilder("refused", .float)
    let ids = try b.add(Input(name: "ids", type: TensorType(.i32, [.named("tokens")])))
    let x = try b.add(Embedding(), ids, b.parameter("table", [9, 8], scale: 1))
    try example.build(&b, ids, x)
    let graph = try b.finished()
    let error = #expect(throws: Diagnostic.self) {
      try EmittedModel(graph, .init(name: "refused"))
    }
    #expect(error?.id == "codegen.unsupported")
    #expect(error?.message.contains(example.reason) == true, "\(error?.message ?? "")")
  }
}
