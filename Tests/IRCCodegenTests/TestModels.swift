import IRCGraph
import IRCOps
import IRCTensor

/// Small models with every shape that real ones have: widths that no block divides, a dt rank of 8, grouped heads, biases.
enum TestModels {
  static let vocabulary = 101
  private static let tokens = Dimension.named("tokens")
  private static let width = 48

  private static func ids(_ builder: inout ModelBuilder) throws -> ValueID {
    try builder.add(Input(name: "ids", type: TensorType(.i32, [tokens])))
  }

  /// Two Mamba-1 layers and a tied head.
  static func mamba(_ formats: Formats) throws -> Graph {
    var b = ModelBuilder("mamba", formats)
    let (inner, states, rank, taps) = (86 * 2, 16, 8, 4)
    let ids = try ids(&b)
    let table = try b.parameter("backbone.embeddings.weight", [vocabulary, width], scale: 1)
    var h = try b.embedding(ids, table)
    for layer in 0..<2 {
      let name = "backbone.layers.\(layer)"
      let gain = try b.parameter("\(name).norm.weight", [width], scale: 0.2, mean: 1)
      let x = try b.add(RMSNorm(epsilon: 1e-5), h, gain)
      let both = try b.linear(x, "\(name).mixer.in_proj", width, 2 * inner)
      let u = try b.add(Slice(axis: 1, lower: 0, upper: inner), both)
      let z = try b.add(Slice(axis: 1, lower: inner, upper: 2 * inner), both)
      let kernel = try b.add(
        Reshape(shape: [inner, taps]),
        b.parameter("\(name).mixer.conv1d.weight", [inner, 1, taps], scale: 0.5))
      let bias = try b.parameter("\(name).mixer.conv1d.bias", [inner], scale: 0.1)
      let conv = try b.state("\(name).conv", .f32, [.fixed(taps - 1), .fixed(inner)])
      let mixed = try b.graph.add(CausalConvolution(), [u, conv, kernel, bias])
      b.graph.setNextState("\(name).conv", mixed[1])
      let active = try b.add(SiLU(), mixed[0])
      let parts = try b.linear(active, "\(name).mixer.x_proj", inner, rank + 2 * states)
      let dt = try b.add(Slice(axis: 1, lower: 0, upper: rank), parts)
      let inputs = try b.add(Slice(axis: 1, lower: rank, upper: rank + states), parts)
      let outputs = try b.add(
        Slice(axis: 1, lower: rank + states, upper: rank + 2 * states), parts)
      let delta = try b.add(
        Softplus(), b.linear(dt, "\(name).mixer.dt_proj", rank, inner, bias: true))
      let log = try b.parameter("\(name).mixer.A_log", [inner, states], scale: 0.5)
      let a = try b.add(Negate(), b.add(Exponential(), log))
      let d = try b.parameter("\(name).mixer.D", [inner], scale: 0.2, mean: 1)
      let scan = try b.state("\(name).scan", .f32, [.fixed(inner), .fixed(states)])
      let scanned = try b.graph.add(
        SelectiveScan(), [active, delta, a, inputs, outputs, d, scan])
      b.graph.setNextState("\(name).scan", scanned[1])
      let gated = try b.add(Multiply(), scanned[0], b.add(SiLU(), z))
      h = try b.add(Add(), h, b.linear(gated, "\(name).mixer.out_proj", inner, width))
    }
    let gain = try b.parameter("backbone.norm_f.weight", [width], scale: 0.2, mean: 1)
    let x = try b.add(RMSNorm(epsilon: 1e-5), h, gain)
    b.graph.addOutput("logits", try b.product(x, table, []))
    return try b.finished()
  }

  /// Two Llama layers with grouped heads, folded gains and a head of its own.
  static func llama(_ formats: Formats, window: Int = 0) throws -> Graph {
    var b = ModelBuilder("llama", formats, seed: 1000)
    let (heads, keyHeads, size, hidden) = (4, 2, 12, 172)
    let ids = try ids(&b)
    let offset = try b.state("position", .i32, [1])
    let positions = try b.graph.add(Positions(), [ids, offset])
    b.graph.setNextState("position", positions[1])
    let table = try b.parameter("model.embed_tokens.weight", [vocabulary, width], scale: 1)
    var h = try b.embedding(ids, table)
    for layer in 0..<2 {
      let name = "model.layers.\(layer)"
      let gain = try b.parameter("\(name).input_layernorm.weight", [width], scale: 0.2, mean: 1)
      let x = try b.add(RMSNorm(epsilon: 1e-6), h)
      let bias = layer == 0
      let q = try b.linear(
        x, "\(name).self_attn.q_proj", width, heads * size, bias: bias, gain: gain)
      let k = try b.linear(
        x, "\(name).self_attn.k_proj", width, keyHeads * size, bias: bias, gain: gain)
      let v = try b.linear(x, "\(name).self_attn.v_proj", width, keyHeads * size, gain: gain)
      let rope = RotaryEmbedding(headDimension: size, theta: 10_000)
      var caches: [ValueID] = []
      for (part, value) in [("k", try b.add(rope, k, positions[0])), ("v", v)] {
        var rows = [("\(name).\(part)", ElementType.f32, keyHeads * size, value)]
        if formats.hasCodedCaches {
          let spec = IntegerAttention.codes(ofHead: size)
          let scales = try b.add(QuantizationParameters(spec: spec), value)
          rows = [
            (rows[0].0, .i8, rows[0].2, try b.add(Quantize(spec: spec), value, scales)),
            ("\(name).\(part).scales", .f32, keyHeads, scales),
          ]
        }
        for (state, element, columns, new) in rows {
          let cache = try b.state(state, element, [.named("past"), .fixed(columns)])
          let appended = try b.add(Append(), cache, new)
          b.graph.setNextState(state, appended)
          caches.append(appended)
        }
      }
      let attention = Attention(
        heads: heads, keyValueHeads: keyHeads, scale: 1 / Double(size).squareRoot(),
        window: window)
      let op: any Operator = formats.hasCodedCaches ? IntegerAttention(attention) : attention
      let mixed = try b.graph.add(op, [b.add(rope, q, positions[0])] + caches)[0]
      h = try b.add(Add(), h, b.linear(mixed, "\(name).self_attn.o_proj", width, width))
      let after = try b.parameter(
        "\(name).post_attention_layernorm.weight", [width], scale: 0.2, mean: 1)
      let y = try b.add(RMSNorm(epsilon: 1e-6), h, after)
      let gate = try b.add(SiLU(), b.linear(y, "\(name).mlp.gate_proj", width, hidden))
      let up = try b.linear(y, "\(name).mlp.up_proj", width, hidden)
      let down = try b.linear(
        b.add(Multiply(), gate, up), "\(name).mlp.down_proj", hidden, width)
      h = try b.add(Add(), h, down)
    }
    let gain = try b.parameter("model.norm.weight", [width], scale: 0.2, mean: 1)
    let x = try b.add(RMSNorm(epsilon: 1e-6), h, gain)
    b.graph.addOutput("logits", try b.linear(x, "lm_head", width, vocabulary))
    var graph = try b.finished()
    graph.mergeEqualOperations()
    return graph
  }
}
