import IRCGraph
import IRCOps
import IRCSupport
import IRCTensor

/// Mamba-1: pre-norm blocks of a gated selective state space.
///
///     r = embed[ids]
///     each layer:  x, z  = halves of W_in·rms_norm(r)
///                  u     = silu(causal_conv(x))
///                  δ, B, C = parts of W_x·u;   Δ = softplus(W_dt·δ + b_dt);   A = −exp(A_log)
///                  r    += W_out·(selective_scan(u, Δ, A, B, C, D) ⊙ silu(z))
///     logits = W_head·rms_norm(r)
enum MambaFrontend: Frontend {
  static let architectures = ["MambaForCausalLM"]

  static func build(
    _ configuration: ModelConfiguration, _ builder: inout ModelBuilder
  ) throws -> ModelFacts {
    let settings = try MambaSettings(configuration)
    // Files of the original authors call the table by its older name.
    let older = "backbone.embedding.weight"
    let table = builder.has(older) ? older : "backbone.embeddings.weight"
    let tables = try builder.vocabularyTables(
      table: table, head: "lm_head.weight", [settings.vocabulary, settings.hidden],
      areTied: settings.areTied)
    let tokens = TensorType(.i32, [.named("tokens")])
    let ids = try builder.make(Input(name: "ids", type: tokens), at: table)
    var stream = try builder.make(Embedding(), [ids, tables.table], at: table)
    for layer in 0..<settings.layers {
      let prefix = "backbone.layers.\(layer)"
      let x = try norm(stream, "\(prefix).norm.weight", settings, &builder)
      let mixed = try mixer(layer, "\(prefix).mixer", settings, x, &builder)
      stream = try builder.make(Add(), [stream, mixed], at: "\(prefix).mixer.out_proj.weight")
    }
    let normed = try norm(stream, "backbone.norm_f.weight", settings, &builder)
    builder.output(
      "logits", try builder.make(Linear(), [normed, tables.head], at: tables.headName))
    return settings.facts
  }

  private static func norm(
    _ x: ValueID, _ name: String, _ settings: MambaSettings, _ builder: inout ModelBuilder
  ) throws -> ValueID {
    try builder.make(
      RMSNorm(epsilon: settings.epsilon),
      [x, try builder.parameter(name, [settings.hidden])], at: name)
  }

  private static func mixer(
    _ layer: Int, _ prefix: String, _ settings: MambaSettings, _ input: ValueID,
    _ builder: inout ModelBuilder
  ) throws -> ValueID {
    let (inner, states, rank) = (settings.inner, settings.states, settings.rank)
    func part(_ x: ValueID, _ range: Range<Int>, _ name: String) throws -> ValueID {
      try builder.make(
        Slice(axis: 1, lower: range.lowerBound, upper: range.upperBound), [x],
        at: "\(prefix).\(name).weight")
    }
    func hasBias(_ declared: Bool?, _ name: String) -> Bool {
      declared ?? builder.has("\(prefix).\(name).bias")
    }

    let both = try builder.linear(
      input, "\(prefix).in_proj", inputs: settings.hidden, outputs: 2 * inner,
      bias: hasBias(settings.bias, "in_proj"))
    let x = try part(both, 0..<inner, "in_proj")
    let z = try part(both, inner..<2 * inner, "in_proj")

    let u = try builder.make(
      SiLU(), [try convolution(layer, prefix, settings, x, &builder)],
      at: "\(prefix).conv1d.weight")

    let mixed = try builder.linear(
      u, "\(prefix).x_proj", inputs: inner, outputs: rank + 2 * states, bias: false)
    let step = try part(mixed, 0..<rank, "x_proj")
    let b = try part(mixed, rank..<rank + states, "x_proj")
    let c = try part(mixed, rank + states..<rank + 2 * states, "x_proj")
    let delta = try builder.make(
      Softplus(),
      [
        try builder.linear(step, "\(prefix).dt_proj", inputs: rank, outputs: inner, bias: true)
      ], at: "\(prefix).dt_proj.weight")

    let logarithm = "\(prefix).A_log"
    let rates = try builder.make(
      Exponential(), [try builder.parameter(logarithm, [inner, states])], at: logarithm)
    let a = try builder.make(Negate(), [rates], at: logarithm)
    let d = try builder.parameter("\(prefix).D", [inner])
    let state = "layers.\(layer).scan"
    let before = try builder.make(
      State(name: state, type: TensorType(.f32, [.fixed(inner), .fixed(states)])), at: logarithm)
    let scanned = try builder.add(SelectiveScan(), [u, delta, a, b, c, d, before], at: logarithm)
    builder.next(state, scanned[1])

    let gate = try builder.make(SiLU(), [z], at: "\(prefix).in_proj.weight")
    let gated = try builder.make(
      Multiply(), [scanned[0], gate], at: "\(prefix).in_proj.weight")
    return try builder.linear(
      gated, "\(prefix).out_proj", inputs: inner, outputs: settings.hidden,
      bias: hasBias(settings.bias, "out_proj"))
  }

  private static func convolution(
    _ layer: Int, _ prefix: String, _ settings: MambaSettings, _ x: ValueID,
    _ builder: inout ModelBuilder
  ) throws -> ValueID {
    let (inner, taps) = (settings.inner, settings.taps)
    let name = "\(prefix).conv1d.weight"
    let state = "layers.\(layer).conv"
    let before = try builder.make(
      State(name: state, type: TensorType(.f32, [.fixed(taps - 1), .fixed(inner)])), at: name)
    let weight = try builder.make(
      Reshape(shape: [inner, taps]), [try builder.parameter(name, [inner, 1, taps])], at: name)
    var operands = [x, before, weight]
    let bias = "\(prefix).conv1d.bias"
    if settings.convolutionBias ?? builder.has(bias) {
      operands.append(try builder.parameter(bias, [inner]))
    }
    let results = try builder.add(CausalConvolution(), operands, at: name)
    builder.next(state, results[1])
    return results[0]
  }
}

/// What config.json says about a Mamba network, checked.
struct MambaSettings {
  let vocabulary: Int
  let hidden: Int
  let inner: Int
  let states: Int
  /// Rank of the step size projection.
  let rank: Int
  /// Width of the convolution.
  let taps: Int
  let layers: Int
  let epsilon: Double
  let areTied: Bool
  /// Whether in_proj and out_proj have biases; nil: if the checkpoint has them.
  ///
  /// Versions of Hugging Face's configuration class differ in the default, so the tensors decide.
  let bias: Bool?
  /// Whether the convolution has a bias; nil: if the checkpoint has it.
  let convolutionBias: Bool?
  let facts: ModelFacts

  /// Reads config.json to its end.
  ///
  /// - Throws: `DiagnosticList` with everything that is wrong with it.
  init(_ file: ModelConfiguration) throws {
    file.expect("model_type", "\"mamba\"") { try $0.string() == "mamba" }
    file.expect("hidden_act", "\"silu\"") { try $0.string() == "silu" }
    file.expect("rms_norm", "true") { try $0.bool() }
    file.expect("ssm_cfg", "an empty object") { try $0.object().isEmpty }
    vocabulary = file.int("vocab_size", in: Limits.width)
    hidden = file.int("hidden_size", in: Limits.width)
    layers = file.int("num_hidden_layers", in: Limits.layers)
    states = file.int("state_size", in: Limits.width, default: 16)
    taps = file.int("conv_kernel", in: 1...1024, default: 4)
    let expansion = file.int("expand", in: 1...1024, default: 2)
    inner = file.int("intermediate_size", in: Limits.width, default: expansion * hidden)
    let automatic = (hidden + 15) / 16
    rank =
      file.optional("time_step_rank") { value in
        if case .string("auto") = value.content { return automatic }
        return try value.int(in: Limits.width)
      } ?? automatic
    epsilon = file.double("layer_norm_epsilon", in: 0...1, default: 1e-5)
    areTied = file.bool("tie_word_embeddings", default: true)
    bias = file.optionalBool("use_bias")
    convolutionBias = file.optionalBool("use_conv_bias")

    // Older names of the same sizes.
    let (hidden, inner, layers) = (hidden, inner, layers)
    let areSound = file.isSound
    file.expect("d_model", "\(hidden), as 'hidden_size'") { try $0.int() == hidden || !areSound }
    file.expect("d_inner", "\(inner), as 'intermediate_size'") {
      try $0.int() == inner || !areSound
    }
    file.expect("n_layer", "\(layers), as 'num_hidden_layers'") {
      try $0.int() == layers || !areSound
    }

    // How weights were initialised and which implementation computes; all of it is done in f32 here.
    file.ignore(
      "time_step_scale", "time_step_min", "time_step_max", "time_step_floor",
      "time_step_init_scheme", "rescale_prenorm_residual", "residual_in_fp32", "fused_add_norm",
      "pad_vocab_size_multiple", "use_mambapy", "use_associative_scan", "pad_token_id")
    facts = ModelFacts(
      vocabularySize: vocabulary, contextLength: nil,
      startID: file.tokens("bos_token_id", below: vocabulary).first,
      endIDs: file.tokens("eos_token_id", below: vocabulary))
    try file.finish()
  }
}
