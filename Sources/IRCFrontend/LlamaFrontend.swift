import IRCGraph
import IRCOps
import IRCTensor

/// Llama and the architectures that differ from it in little: pre-norm blocks of rotary attention and gated FFN.
///
///     r = embed[ids]
///     each layer:  r += Wo·attention(rope(Wq·n), rope(Wk·n), Wv·n),  n = rms_norm(r)
///                  r += Wdown·(silu(Wgate·m) ⊙ Wup·m),               m = rms_norm(r)
///     logits = W_head·rms_norm(r)
///
/// Rotary pairs are halves (channel i with i + head_dim / 2), as Hugging Face stores q and k.
enum LlamaFrontend: Frontend {
  static let architectures = Variant.all.map(\.architecture)

  static func build(
    _ configuration: ModelConfiguration, _ builder: inout ModelBuilder
  ) throws -> ModelFacts {
    let settings = try LlamaSettings(configuration)
    let names = (table: "model.embed_tokens.weight", head: "lm_head.weight")
    let tables = try builder.vocabularyTables(
      table: names.table, head: names.head, [settings.vocabulary, settings.hidden],
      areTied: settings.areTied)
    let tokens = TensorType(.i32, [.named("tokens")])
    let ids = try builder.make(Input(name: "ids", type: tokens), at: names.table)
    let offset = try builder.make(
      State(name: "position", type: TensorType(.i32, [1])), at: names.table)
    let placed = try builder.add(Positions(), [ids, offset], at: names.table)
    builder.next("position", placed[1])

    var stream = try builder.make(Embedding(), [ids, tables.table], at: names.table)
    for layer in 0..<settings.layers {
      stream = try block(layer, settings, stream, positions: placed[0], &builder)
    }
    let gain = "model.norm.weight"
    let normed = try builder.make(
      RMSNorm(epsilon: settings.epsilon),
      [stream, try builder.parameter(gain, [settings.hidden])], at: gain)
    builder.output(
      "logits", try builder.make(Linear(), [normed, tables.head], at: tables.headName))
    builder.ignore("*.rotary_emb.inv_freq", reason: "follows from rope_theta")
    builder.ignore("*.rotary_emb.cos_cached", reason: "follows from rope_theta")
    builder.ignore("*.rotary_emb.sin_cached", reason: "follows from rope_theta")
    return settings.facts
  }

  private static func block(
    _ layer: Int, _ settings: LlamaSettings, _ input: ValueID, positions: ValueID,
    _ builder: inout ModelBuilder
  ) throws -> ValueID {
    let prefix = "model.layers.\(layer)"
    func norm(_ x: ValueID, _ name: String) throws -> ValueID {
      let gain = try builder.parameter("\(prefix).\(name).weight", [settings.hidden])
      return try builder.make(
        RMSNorm(epsilon: settings.epsilon), [x, gain], at: "\(prefix).\(name).weight")
    }
    let attended = try attention(
      layer, settings, try norm(input, "input_layernorm"), positions: positions, &builder)
    let middle = try builder.make(
      Add(), [input, attended], at: "\(prefix).self_attn.o_proj.weight")

    let x = try norm(middle, "post_attention_layernorm")
    let (hidden, width) = (settings.hidden, settings.feedForward)
    func project(_ x: ValueID, _ name: String, _ inputs: Int, _ outputs: Int) throws -> ValueID {
      let prefix = "\(prefix).mlp.\(name)"
      return try builder.linear(
        x, prefix, inputs: inputs, outputs: outputs,
        bias: settings.feedForwardBias ?? builder.has("\(prefix).bias"))
    }
    let gate = try builder.make(
      SiLU(), [try project(x, "gate_proj", hidden, width)], at: "\(prefix).mlp.gate_proj.weight")
    let gated = try builder.make(
      Multiply(), [gate, try project(x, "up_proj", hidden, width)],
      at: "\(prefix).mlp.up_proj.weight")
    let output = try project(gated, "down_proj", width, hidden)
    return try builder.make(Add(), [middle, output], at: "\(prefix).mlp.down_proj.weight")
  }

  private static func attention(
    _ layer: Int, _ settings: LlamaSettings, _ x: ValueID, positions: ValueID,
    _ builder: inout ModelBuilder
  ) throws -> ValueID {
    let prefix = "model.layers.\(layer).self_attn"
    let queryWidth = settings.heads * settings.headDimension
    let keyWidth = settings.keyValueHeads * settings.headDimension
    func project(_ name: String, _ width: Int) throws -> ValueID {
      try builder.linear(
        x, "\(prefix).\(name)", inputs: settings.hidden, outputs: width,
        bias: settings.projectionBias ?? builder.has("\(prefix).\(name).bias"))
    }
    func rotate(_ x: ValueID, _ name: String) throws -> ValueID {
      try builder.make(
        RotaryEmbedding(headDimension: settings.headDimension, theta: settings.theta),
        [x, positions], at: "\(prefix).\(name).weight")
    }
    func cache(_ x: ValueID, _ state: String, _ name: String) throws -> ValueID {
      let state = "layers.\(layer).\(state)"
      let type = TensorType(.f32, [.named("past"), .fixed(keyWidth)])
      let place = "\(prefix).\(name).weight"
      let past = try builder.make(State(name: state, type: type), at: place)
      let all = try builder.make(Append(), [past, x], at: place)
      builder.next(state, all)
      return all
    }
    let query = try rotate(try project("q_proj", queryWidth), "q_proj")
    let key = try rotate(try project("k_proj", keyWidth), "k_proj")
    let keys = try cache(key, "key", "k_proj")
    let values = try cache(try project("v_proj", keyWidth), "value", "v_proj")
    let mixed = try builder.make(
      Attention(
        heads: settings.heads, keyValueHeads: settings.keyValueHeads,
        scale: 1 / Double(settings.headDimension).squareRoot(), window: settings.windows[layer]),
      [query, keys, values], at: "\(prefix).q_proj.weight")
    return try builder.linear(
      mixed, "\(prefix).o_proj", inputs: queryWidth, outputs: settings.hidden,
      bias: settings.outputBias ?? builder.has("\(prefix).o_proj.bias"))
  }
}

extension LlamaFrontend {
  /// How an architecture differs from Llama.
  struct Variant {
    let architecture: String
    let modelType: String
    /// True if the keys `attention_bias` and `mlp_bias` say whether there are biases.
    var hasBiasKeys = false
    /// True if q, k and v always have biases, and nothing else.
    var hasQueryKeyValueBiases = false
    /// How `sliding_window` is to be understood.
    var window = Window.none

    enum Window {
      /// There is no window.
      case none
      /// `sliding_window` tokens in every layer; 4096 where the key is absent.
      case everywhere
      /// `sliding_window` tokens from layer `max_window_layers` on, if `use_sliding_window`.
      case upperLayers
    }

    static let all = [
      Variant(architecture: "LlamaForCausalLM", modelType: "llama", hasBiasKeys: true),
      Variant(architecture: "MistralForCausalLM", modelType: "mistral", window: .everywhere),
      Variant(
        architecture: "Qwen2ForCausalLM", modelType: "qwen2", hasQueryKeyValueBiases: true,
        window: .upperLayers),
    ]
  }
}
