import IRCSupport

/// What config.json says about a network of the Llama family, checked.
struct LlamaSettings {
  let vocabulary: Int
  let hidden: Int
  let feedForward: Int
  let layers: Int
  let heads: Int
  let keyValueHeads: Int
  let headDimension: Int
  let epsilon: Double
  let theta: Double
  let areTied: Bool
  /// Whether q, k and v have biases; nil: those that the checkpoint has.
  let projectionBias: Bool?
  /// Whether the output projection has a bias; nil: if the checkpoint has it.
  let outputBias: Bool?
  /// Whether the three matrices of the FFN have biases; nil: those that the checkpoint has.
  let feedForwardBias: Bool?
  /// Keys that a query of each layer sees; 0: all.
  let windows: [Int]
  let facts: ModelFacts

  /// Reads config.json to its end.
  ///
  /// - Throws: `DiagnosticList` with everything that is wrong with it.
  init(_ file: ModelConfiguration) throws {
    let variant =
      LlamaFrontend.Variant.all.first { $0.architecture == file.architecture }
      ?? LlamaFrontend.Variant.all[0]
    file.expect("model_type", "\"\(variant.modelType)\"") { try $0.string() == variant.modelType }
    file.expect("hidden_act", "\"silu\"") { try $0.string() == "silu" }
    file.expect("rope_scaling", "null: positions are not rescaled")
    file.expect("pretraining_tp", "1") { try $0.int() == 1 }
    file.expect("partial_rotary_factor", "1: all of a head is rotated") { try $0.double() == 1 }

    vocabulary = file.int("vocab_size", in: Limits.width)
    hidden = file.int("hidden_size", in: Limits.width)
    feedForward = file.int("intermediate_size", in: Limits.width)
    layers = file.int("num_hidden_layers", in: Limits.layers)
    heads = file.int("num_attention_heads", in: Limits.width)
    keyValueHeads = file.int("num_key_value_heads", in: Limits.width, default: heads)
    epsilon = file.double("rms_norm_eps", in: 0...1)
    theta = LlamaSettings.theta(file)
    areTied = file.bool("tie_word_embeddings", default: false)

    let declaredDimension = file.optionalInt("head_dim", in: Limits.width)
    headDimension = declaredDimension ?? max(1, hidden / heads)
    if file.isSound {
      if declaredDimension == nil, !hidden.isMultiple(of: heads) {
        file.report(
          "num_attention_heads",
          "'hidden_size' \(hidden) is not a multiple of 'num_attention_heads' \(heads)",
          hint: "give 'head_dim' if a head is not hidden_size / num_attention_heads wide")
      } else if !headDimension.isMultiple(of: 2) {
        file.report(
          declaredDimension == nil ? "num_attention_heads" : "head_dim",
          "a head of \(headDimension) channels cannot be rotated in pairs: the number must be even")
      }
      if !heads.isMultiple(of: keyValueHeads) {
        file.report(
          "num_key_value_heads",
          "'num_attention_heads' \(heads) is not a multiple of 'num_key_value_heads' \(keyValueHeads)"
        )
      }
    }

    if variant.hasBiasKeys {
      projectionBias = file.optionalBool("attention_bias")
      outputBias = projectionBias
      feedForwardBias = file.optionalBool("mlp_bias")
    } else {
      projectionBias = variant.hasQueryKeyValueBiases
      outputBias = false
      feedForwardBias = false
    }
    windows = LlamaSettings.windows(file, variant.window, layers)
    facts = ModelFacts(
      vocabularySize: vocabulary,
      contextLength: file.optionalInt("max_position_embeddings", in: 1...Int(Int32.max)),
      startID: file.tokens("bos_token_id", below: vocabulary).first,
      endIDs: file.tokens("eos_token_id", below: vocabulary))
    file.ignore("pad_token_id")
    try file.finish()
  }

  /// The base of the rotary angles: `rope_theta`, which newer files keep in `rope_parameters`.
  private static func theta(_ file: ModelConfiguration) -> Double {
    let range = 1e-3...1e15
    let nested = file.optional("rope_parameters") { value -> Double? in
      let reader = try JSONObjectReader(value)
      if let type = reader.optional("rope_type"), try type.string() != "default" {
        throw type.diagnostic(
          "config.unsupported", "the value of '\(type.keyPath)' is not supported",
          hint: "supported is \"default\": positions are not rescaled")
      }
      let theta = try reader.optional("rope_theta")?.double(in: range)
      if let unknown = reader.unknownKeys().first { throw unknown }
      return theta
    }
    return file.double("rope_theta", in: range, default: (nested ?? nil) ?? 10_000)
  }

  /// Keys that a query of each layer sees; 0: all.
  private static func windows(
    _ file: ModelConfiguration, _ rule: LlamaFrontend.Variant.Window, _ layers: Int
  ) -> [Int] {
    var windows = [Int](repeating: 0, count: layers)
    switch rule {
    case .none:
      file.expect("sliding_window", "null: a token sees all tokens before it")
      file.expect("layer_types", "full attention in every layer") { value in
        try value.array().allSatisfy { try $0.string() == "full_attention" }
      }
    case .everywhere:
      let width = file.int(
        "sliding_window", in: 1...Int(Int32.max), default: file.isNull("sliding_window") ? 0 : 4096)
      windows = [Int](repeating: width, count: layers)
      checkLayerTypes(file, windows)
    case .upperLayers:
      let isUsed = file.bool("use_sliding_window", default: false)
      let width = file.int("sliding_window", in: 1...Int(Int32.max), default: 4096)
      let first = file.int("max_window_layers", in: 0...Limits.layers.upperBound, default: 28)
      if isUsed { for layer in 0..<layers where layer >= first { windows[layer] = width } }
      file.expect("use_mrope", "false") { try !$0.bool() }
      checkLayerTypes(file, windows)
    }
    return windows
  }

  /// Newer files also list the layers one by one; the list must say the same.
  private static func checkLayerTypes(_ file: ModelConfiguration, _ windows: [Int]) {
    let expected = windows.map { $0 == 0 ? "full_attention" : "sliding_attention" }
    file.expect("layer_types", "a list that agrees with the other keys") { value in
      try value.array().map { try $0.string() } == expected
    }
  }
}

/// Sizes that a configuration may ask for.
enum Limits {
  /// Channels, heads or tokens of a vocabulary.
  static let width = 1...1 << 24
  static let layers = 1...4096
}
