import Foundation

/// A Llama checkpoint of random weights: the folder that `irc lower` reads.
struct SyntheticLlama {
  let layers: Int
  let hidden = 1024
  let intermediate = 4096
  let heads = 16
  let keyValueHeads = 8
  let vocabulary = 8192

  /// A tensor of the checkpoint.
  private struct Entry {
    let name: String
    let shape: [Int]
    var count: Int { shape.reduce(1, *) }
  }

  private var entries: [Entry] {
    let narrow = hidden / heads * keyValueHeads
    var list = [Entry(name: "model.embed_tokens.weight", shape: [vocabulary, hidden])]
    for layer in 0..<layers {
      let matrices = [
        ("self_attn.q_proj", [hidden, hidden]), ("self_attn.k_proj", [narrow, hidden]),
        ("self_attn.v_proj", [narrow, hidden]), ("self_attn.o_proj", [hidden, hidden]),
        ("mlp.gate_proj", [intermediate, hidden]), ("mlp.up_proj", [intermediate, hidden]),
        ("mlp.down_proj", [hidden, intermediate]), ("input_layernorm", [hidden]),
        ("post_attention_layernorm", [hidden]),
      ]
      list += matrices.map { Entry(name: "model.layers.\(layer).\($0).weight", shape: $1) }
    }
    return list + [
      Entry(name: "model.norm.weight", shape: [hidden]),
      Entry(name: "lm_head.weight", shape: [vocabulary, hidden]),
    ]
  }

  /// Floating point operations of a dense rotation of the residual stream, and of each head's values, in every weight that takes
  /// part: a product with a square matrix of the width of the rotated axis.
  var rotationOperations: Double {
    let narrow = hidden / heads * keyValueHeads
    let head = hidden / heads
    // Weights of a layer that read or write the stream, then the two that values pass through.
    let stream = layers * (2 * hidden * hidden + 2 * narrow * hidden + 3 * intermediate * hidden)
    let values = layers * (narrow * hidden + hidden * hidden)
    return 2 * Double((stream + 2 * vocabulary * hidden) * hidden + values * head)
  }

  /// Number of weights.
  var count: Int { entries.reduce(0) { $0 + $1.count } }
  /// Bytes of the weights.
  var byteCount: Int { count * 4 }

  /// Writes `config.json` and `model.safetensors` into `folder`, unless they are there from an earlier run.
  ///
  /// - Throws: when the folder cannot be written.
  func write(to folder: String) throws {
    let files = FileManager.default
    // The configuration comes last, so its presence says that the weights are complete.
    if files.contents(atPath: folder + "/config.json") == Data(config.utf8) { return }
    if files.fileExists(atPath: folder) { try files.removeItem(atPath: folder) }
    try files.createDirectory(atPath: folder, withIntermediateDirectories: true)
    try writeWeights(to: folder + "/model.safetensors")
    try Data(config.utf8).write(to: URL(fileURLWithPath: folder + "/config.json"))
  }

  private var config: String {
    """
    {
      "architectures": ["LlamaForCausalLM"],
      "model_type": "llama",
      "vocab_size": \(vocabulary),
      "hidden_size": \(hidden),
      "intermediate_size": \(intermediate),
      "num_hidden_layers": \(layers),
      "num_attention_heads": \(heads),
      "num_key_value_heads": \(keyValueHeads),
      "max_position_embeddings": 2048,
      "hidden_act": "silu",
      "rms_norm_eps": 1e-05,
      "rope_theta": 10000.0,
      "tie_word_embeddings": false,
      "bos_token_id": 1,
      "eos_token_id": 2,
      "torch_dtype": "float32"
    }

    """
  }

  /// The safetensors header: its length in 8 bytes, then JSON, padded so that the weights start at a multiple of 64.
  private var header: Data {
    var offset = 0
    let fields = entries.map { entry in
      let end = offset + entry.count * 4
      defer { offset = end }
      let shape = entry.shape.map(String.init).joined(separator: ",")
      return
        "\"\(entry.name)\":{\"dtype\":\"F32\",\"shape\":[\(shape)],\"data_offsets\":[\(offset),\(end)]}"
    }
    var text = "{" + fields.joined(separator: ",") + "}"
    text += String(repeating: " ", count: (64 - (text.utf8.count + 8) % 64) % 64)
    let length = UInt64(text.utf8.count)
    return Data((0..<8).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) }) + Data(text.utf8)
  }

  private func writeWeights(to path: String) throws {
    guard FileManager.default.createFile(atPath: path, contents: nil),
      let file = FileHandle(forWritingAtPath: path)
    else { throw BenchmarkError("cannot write '\(path)'") }
    try file.write(contentsOf: header)
    var generator = SplitMix(state: 1)
    let chunk = 1 << 20
    var buffer = [Float](repeating: 0, count: chunk)
    for entry in entries {
      // Gains lie around 1; matrices keep the size of what they multiply.
      let isGain = entry.shape.count == 1
      let deviation = isGain ? 0.1 : 1 / Float(entry.shape[1]).squareRoot()
      var left = entry.count
      while left > 0 {
        let size = min(left, chunk)
        generator.fill(&buffer, size, mean: isGain ? 1 : 0, deviation)
        try unsafe buffer.withUnsafeBytes {
          try unsafe file.write(contentsOf: Data($0.prefix(size * 4)))
        }
        left -= size
      }
    }
    try file.close()
  }
}

/// Random bits: SplitMix64, chosen for its speed.
private struct SplitMix {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  /// Fills with sums of four uniform numbers, which is near enough to a normal distribution.
  mutating func fill(_ buffer: inout [Float], _ count: Int, mean: Float, _ deviation: Float) {
    // Each part is uniform over 2¹⁶ numbers, so the sum has the variance 4 · 2³² / 12.
    let scale = deviation / (Float(65_536) * (Float(4) / 12).squareRoot())
    var values = buffer.mutableSpan
    for index in 0..<count {
      let bits = next()
      let sum =
        Int32(bits & 0xFFFF) + Int32(bits >> 16 & 0xFFFF) + Int32(bits >> 32 & 0xFFFF)
        + Int32(bits >> 48)
      values[index] = mean + Float(sum - 131_070) * scale
    }
  }
}
