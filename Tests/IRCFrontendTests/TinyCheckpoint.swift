import IRCFrontend
import IRCSupport
import IRCTensor
import IRCTestSupport
import Testing

/// A tensor to be written to a checkpoint, and its values as the reader will see them.
struct TinyTensor {
  let name: String
  let type: String
  let shape: [Int]
  let values: [Double]
  let bytes: [UInt8]

  /// Takes values, rounded to what `type` (F32, F16, BF16, F64 or I64) can hold.
  init(_ name: String, _ type: String, _ shape: [Int], _ values: [Double]) {
    self.name = name
    self.type = type
    self.shape = shape
    func encode<Bits: FixedWidthInteger>(_ bits: [Bits]) -> [UInt8] {
      bits.flatMap { bits in
        (0..<Bits.bitWidth / 8).map { UInt8(truncatingIfNeeded: bits >> Bits(8 * $0)) }
      }
    }
    switch type {
    case "F64":
      self.values = values
      bytes = encode(values.map(\.bitPattern))
    case "F16":
      let rounded = values.map { Float16($0) }
      self.values = rounded.map { Double($0) }
      bytes = encode(rounded.map(\.bitPattern))
    case "BF16":
      let cut = values.map { UInt16(truncatingIfNeeded: Float($0).bitPattern >> 16) }
      self.values = cut.map { Double(Float(bitPattern: UInt32($0) << 16)) }
      bytes = encode(cut)
    case "I64":
      self.values = values
      bytes = encode(values.map { UInt64(bitPattern: Int64($0)) })
    default:
      let rounded = values.map { Float($0) }
      self.values = rounded.map { Double($0) }
      bytes = encode(rounded.map(\.bitPattern))
    }
  }

  /// Random values of deviation `scale` around `mean`; the name is the seed.
  init(random name: String, _ type: String, _ shape: [Int], mean: Double = 0, scale: Double) {
    let seed = name.utf8.reduce(5381 as UInt64) { $0 &* 33 &+ UInt64($1) }
    let numbers = RandomNumbers(seed: seed)
    let count = shape.reduce(1, *)
    self.init(name, type, shape, (0..<count).map { mean + scale * numbers.normal($0) })
  }

  func renamed(_ name: String) -> TinyTensor { TinyTensor(name, type, shape, values) }
}

extension TemporaryFolder {
  /// What is wrong with the model in this folder; the folder's own path is cut out of the messages.
  func problems() -> [Diagnostic] {
    var list: [Diagnostic] = []
    do {
      _ = try ModelFolder.load(path)
    } catch let error as DiagnosticList {
      list = error.diagnostics
    } catch {
      Issue.record("\(error) is no list of diagnostics")
    }
    return list.map { problem in
      var problem = problem
      problem.message = problem.message.replacing(path, with: "FOLDER")
      problem.location?.file.replace(path + "/", with: "")
      problem.location?.file.replace(path, with: "FOLDER")
      return problem
    }
  }
}

/// Writes safetensors files, right ones and wrong ones.
enum Safetensors {
  /// A file from its header's text and its data.
  static func file(header: String, data: [UInt8] = [], length: UInt64? = nil) -> [UInt8] {
    let length = length ?? UInt64(header.utf8.count)
    return (0..<8).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) } + Array(header.utf8) + data
  }

  /// A well-formed file.
  ///
  /// - Parameter shift: bytes by which the data misses a multiple of 8.
  static func file(_ tensors: [TinyTensor], metadata: String? = nil, shift: Int = 0) -> [UInt8] {
    var entries = metadata.map { ["\"__metadata__\": \($0)"] } ?? []
    var data: [UInt8] = []
    for tensor in tensors {
      entries.append(
        """
        "\(tensor.name)": {"dtype": "\(tensor.type)", "shape": \(tensor.shape), \
        "data_offsets": [\(data.count), \(data.count + tensor.bytes.count)]}
        """)
      data += tensor.bytes
    }
    var header = "{" + entries.joined(separator: ", ") + "}"
    while header.utf8.count % 8 != shift { header += " " }
    return file(header: header, data: data)
  }
}

/// A model folder to be written: configuration and tensors, which tests may change before.
struct TinyModel {
  /// Keys and values of config.json as JSON text, one a line.
  var configuration: [(key: String, value: String)]
  var tensors: [TinyTensor]

  /// Text of config.json.
  var configurationText: String {
    "{\n" + configuration.map { "  \"\($0.key)\": \($0.value)" }.joined(separator: ",\n") + "\n}\n"
  }

  /// Line of a key in config.json.
  func line(of key: String) -> Int {
    (configuration.firstIndex { $0.key == key } ?? -2) + 2
  }

  /// Sets a key, or removes it with nil.
  mutating func set(_ key: String, _ value: String?) {
    let place = configuration.firstIndex { $0.key == key }
    switch (place, value) {
    case (let place?, let value?): configuration[place].value = value
    case (let place?, nil): configuration.remove(at: place)
    case (nil, let value?): configuration.append((key, value))
    case (nil, nil): break
    }
  }

  mutating func remove(_ name: String) { tensors.removeAll { $0.name == name } }

  mutating func replace(_ name: String, _ type: String, _ shape: [Int]) {
    remove(name)
    tensors.append(TinyTensor(random: name, type, shape, scale: 1))
  }

  /// Values by name.
  var values: [String: [Double]] {
    Dictionary(uniqueKeysWithValues: tensors.map { ($0.name, $0.values) })
  }

  /// Writes config.json and model.safetensors, or as many shards with an index.
  func write(shards: Int = 1) throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    try folder.write("config.json", configurationText)
    if shards == 1 {
      try folder.write("model.safetensors", Safetensors.file(tensors))
      return folder
    }
    var map: [String] = []
    for shard in 0..<shards {
      let file = "model-0000\(shard + 1)-of-0000\(shards).safetensors"
      let part = tensors.enumerated().filter { $0.offset % shards == shard }.map(\.element)
      try folder.write(file, Safetensors.file(part))
      map += part.map { "    \"\($0.name)\": \"\(file)\"" }
    }
    try folder.write(
      "model.safetensors.index.json",
      "{\n  \"metadata\": {\"total_size\": 1},\n  \"weight_map\": {\n"
        + map.joined(separator: ",\n") + "\n  }\n}\n")
    return folder
  }
}

extension TinyModel {
  /// The model, written and loaded; its files are gone afterwards, but their mapping stays.
  func load(shards: Int = 1) throws -> LoadedModel {
    let folder = try write(shards: shards)
    return try withExtendedLifetime(folder) { try ModelFolder.load(folder.path) }
  }

  /// What is wrong with the model, each message with its place but for the folder.
  func problems() throws -> [Diagnostic] {
    let folder = try write()
    return withExtendedLifetime(folder) { folder.problems() }
  }

  /// Sizes of the Llama-like models: a head is not hidden / heads wide, and the FFN is an odd number.
  static let llama = (
    vocabulary: 23, hidden: 12, feedForward: 19, layers: 3, heads: 4, keys: 2, head: 6
  )

  /// A model of the Llama family with random weights.
  static func llama(
    _ architecture: String = "LlamaForCausalLM", type: String = "F32", tied: Bool = true,
    attentionBiases: [String] = [], feedForwardBiases: Bool = false
  ) -> TinyModel {
    let size = llama
    let model = ["MistralForCausalLM": "mistral", "Qwen2ForCausalLM": "qwen2"][architecture]
    var tensors = [
      TinyTensor(
        random: "model.embed_tokens.weight", type, [size.vocabulary, size.hidden], scale: 1)
    ]
    func linear(_ name: String, _ outputs: Int, _ inputs: Int, bias: Bool) {
      let scale = 1 / Double(inputs).squareRoot()
      tensors.append(TinyTensor(random: "\(name).weight", type, [outputs, inputs], scale: scale))
      if bias { tensors.append(TinyTensor(random: "\(name).bias", type, [outputs], scale: 0.3)) }
    }
    func gain(_ name: String) {
      tensors.append(
        TinyTensor(random: "\(name).weight", type, [size.hidden], mean: 1, scale: 0.2))
    }
    for layer in 0..<size.layers {
      let prefix = "model.layers.\(layer)"
      gain("\(prefix).input_layernorm")
      let widths = [
        ("q_proj", size.heads * size.head, size.hidden),
        ("k_proj", size.keys * size.head, size.hidden),
        ("v_proj", size.keys * size.head, size.hidden),
        ("o_proj", size.hidden, size.heads * size.head),
      ]
      for (name, outputs, inputs) in widths {
        linear(
          "\(prefix).self_attn.\(name)", outputs, inputs, bias: attentionBiases.contains(name))
      }
      gain("\(prefix).post_attention_layernorm")
      linear("\(prefix).mlp.gate_proj", size.feedForward, size.hidden, bias: feedForwardBiases)
      linear("\(prefix).mlp.up_proj", size.feedForward, size.hidden, bias: feedForwardBiases)
      linear("\(prefix).mlp.down_proj", size.hidden, size.feedForward, bias: feedForwardBiases)
    }
    gain("model.norm")
    if !tied { linear("lm_head", size.vocabulary, size.hidden, bias: false) }
    return TinyModel(
      configuration: [
        ("architectures", "[\"\(architecture)\"]"), ("model_type", "\"\(model ?? "llama")\""),
        ("vocab_size", "\(size.vocabulary)"), ("hidden_size", "\(size.hidden)"),
        ("intermediate_size", "\(size.feedForward)"), ("num_hidden_layers", "\(size.layers)"),
        ("num_attention_heads", "\(size.heads)"), ("num_key_value_heads", "\(size.keys)"),
        ("head_dim", "\(size.head)"), ("hidden_act", "\"silu\""),
        ("max_position_embeddings", "64"), ("rms_norm_eps", "1e-05"), ("rope_theta", "500.0"),
        ("rope_scaling", "null"), ("attention_dropout", "0.0"), ("tie_word_embeddings", "\(tied)"),
        ("bos_token_id", "1"), ("eos_token_id", "[2, 3]"), ("torch_dtype", "\"float32\""),
      ], tensors: tensors)
  }

  /// Sizes of the Mamba models; the step rank is not that of the usual rule.
  static let mamba = (vocabulary: 19, hidden: 10, inner: 14, states: 3, rank: 2, taps: 4, layers: 2)

  /// A Mamba model with random weights.
  static func mamba(
    type: String = "F32", tied: Bool = true, biases: Bool = false, convolutionBias: Bool = true,
    table: String = "backbone.embeddings.weight"
  ) -> TinyModel {
    let size = mamba
    var tensors = [TinyTensor(random: table, type, [size.vocabulary, size.hidden], scale: 1)]
    func add(_ name: String, _ shape: [Int], mean: Double = 0, scale: Double) {
      tensors.append(TinyTensor(random: name, type, shape, mean: mean, scale: scale))
    }
    for layer in 0..<size.layers {
      let prefix = "backbone.layers.\(layer)"
      add("\(prefix).norm.weight", [size.hidden], mean: 1, scale: 0.2)
      add("\(prefix).mixer.in_proj.weight", [2 * size.inner, size.hidden], scale: 0.4)
      if biases { add("\(prefix).mixer.in_proj.bias", [2 * size.inner], scale: 0.2) }
      add("\(prefix).mixer.conv1d.weight", [size.inner, 1, size.taps], scale: 0.5)
      if convolutionBias { add("\(prefix).mixer.conv1d.bias", [size.inner], scale: 0.3) }
      add("\(prefix).mixer.x_proj.weight", [size.rank + 2 * size.states, size.inner], scale: 0.5)
      add("\(prefix).mixer.dt_proj.weight", [size.inner, size.rank], scale: 0.5)
      add("\(prefix).mixer.dt_proj.bias", [size.inner], mean: -1, scale: 0.5)
      add("\(prefix).mixer.A_log", [size.inner, size.states], mean: 0.5, scale: 0.5)
      add("\(prefix).mixer.D", [size.inner], mean: 1, scale: 0.3)
      add("\(prefix).mixer.out_proj.weight", [size.hidden, size.inner], scale: 0.3)
      if biases { add("\(prefix).mixer.out_proj.bias", [size.hidden], scale: 0.2) }
    }
    add("backbone.norm_f.weight", [size.hidden], mean: 1, scale: 0.2)
    if !tied { add("lm_head.weight", [size.vocabulary, size.hidden], scale: 0.3) }
    return TinyModel(
      configuration: [
        ("architectures", "[\"MambaForCausalLM\"]"), ("model_type", "\"mamba\""),
        ("vocab_size", "\(size.vocabulary)"), ("hidden_size", "\(size.hidden)"),
        ("intermediate_size", "\(size.inner)"), ("state_size", "\(size.states)"),
        ("num_hidden_layers", "\(size.layers)"), ("conv_kernel", "\(size.taps)"),
        ("expand", "2"), ("time_step_rank", "\(size.rank)"), ("hidden_act", "\"silu\""),
        ("layer_norm_epsilon", "1e-05"), ("residual_in_fp32", "true"),
        ("tie_word_embeddings", "\(tied)"), ("bos_token_id", "0"), ("eos_token_id", "0"),
      ], tensors: tensors)
  }
}
