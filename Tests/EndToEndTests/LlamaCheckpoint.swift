import Foundation
import IRCSupport
import IRCTensor

/// A Llama without a tokenizer, for tests that want one of a certain size.
struct LlamaCheckpoint {
  var hidden: Int
  var gated: Int
  var layers: Int
  var heads: Int
  var keyHeads: Int
  var vocabulary: Int
  var context: Int

  private var shapes: [(name: String, shape: [Int])] {
    let keys = hidden / heads * keyHeads
    var shapes = [("model.embed_tokens", [vocabulary, hidden])]
    for layer in 0..<layers {
      shapes += [
        ("self_attn.q_proj", [hidden, hidden]), ("self_attn.k_proj", [keys, hidden]),
        ("self_attn.v_proj", [keys, hidden]), ("self_attn.o_proj", [hidden, hidden]),
        ("mlp.gate_proj", [gated, hidden]), ("mlp.up_proj", [gated, hidden]),
        ("mlp.down_proj", [hidden, gated]), ("input_layernorm", [hidden]),
        ("post_attention_layernorm", [hidden]),
      ].map { ("model.layers.\(layer).\($0)", $1) }
    }
    return shapes + [("model.norm", [hidden]), ("lm_head", [vocabulary, hidden])]
  }

  /// Writes the folder of a Hugging Face model. Weights are random numbers if `isRandom`, else the file has holes where they would be,
  /// and no two tensors begin alike.
  ///
  /// - Returns: bytes of all tensors.
  @discardableResult
  func write(_ folder: String, isRandom: Bool = false) throws -> Int {
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    var offset = 0
    var starts: [Int] = []
    let entries = shapes.map { name, shape in
      let bytes = shape.reduce(4, *)
      starts.append(offset)
      offset += bytes
      return (
        key: "\(name).weight",
        value: JSON.object([
          ("dtype", "F32"), ("shape", .array(shape.map { .integer($0) })),
          ("data_offsets", .array([.integer(offset - bytes), .integer(offset)])),
        ])
      )
    }
    var header = Data(JSON.object(entries).serialized().utf8)
    header += Data(repeating: 0x20, count: (8 - header.count % 8) % 8)
    let length = withUnsafeBytes(of: UInt64(header.count).littleEndian) { Data($0) }
    let url = URL(fileURLWithPath: "\(folder)/model.safetensors")
    try (length + header).write(to: url)
    let file = try FileHandle(forUpdating: url)
    let data = 8 + header.count
    try file.truncate(atOffset: UInt64(data + offset))
    for (index, start) in starts.enumerated() {
      try file.seek(toOffset: UInt64(data + start))
      let shape = shapes[index].shape
      // Weights keep the size of what they multiply, gains are one.
      let numbers = RandomNumbers(seed: UInt64(index + 1))
      let values =
        !isRandom
        ? [Float(index + 1)]
        : (0..<shape.reduce(1, *)).map {
          shape.count == 1 ? 1 : Float(numbers.normal($0) / Double(shape[1]).squareRoot())
        }
      file.write(values.withUnsafeBytes { Data($0) })
    }
    try file.close()
    let configuration = """
      {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": \(hidden),
       "intermediate_size": \(gated), "num_hidden_layers": \(layers), "num_attention_heads": \(heads),
       "num_key_value_heads": \(keyHeads), "vocab_size": \(vocabulary), "rms_norm_eps": 1e-5,
       "max_position_embeddings": \(context), "hidden_act": "silu", "tie_word_embeddings": false}
      """
    try configuration.write(toFile: "\(folder)/config.json", atomically: true, encoding: .utf8)
    return offset
  }
}
