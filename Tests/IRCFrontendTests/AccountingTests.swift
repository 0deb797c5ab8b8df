import IRCFrontend
import IRCSupport
import IRCTestSupport
import Testing

@Suite("Accounting for tensors")
struct AccountingTests {
  private func summary(_ model: TinyModel) throws -> [String] {
    try model.problems().map { "\($0.location?.file ?? "-"): \($0.id): \($0.message)" }
  }

  @Test("Every tensor of a checkpoint is accounted for, by name")
  func used() throws {
    let model = try TinyModel.llama(tied: false).load()
    #expect(model.accounting.accounts.map(\.tensor) == model.checkpoint.tensors)
    #expect(model.accounting.accounts.allSatisfy { $0.role == .used })
  }

  @Test("Rotary tables of older files are of no use, in any type")
  func rotary() throws {
    var tiny = TinyModel.llama()
    tiny.tensors.append(
      TinyTensor("model.layers.0.self_attn.rotary_emb.inv_freq", "F64", [3], [1, 0.1, 0.01]))
    let accounts = try tiny.load().accounting.accounts.filter { $0.role != .used }
    #expect(accounts.map(\.tensor.name) == ["model.layers.0.self_attn.rotary_emb.inv_freq"])
    #expect(accounts.map(\.role) == [.ignored(reason: "follows from rope_theta")])
  }

  @Test("A tensor that is missing is named with its shape, and with one that may be meant")
  func missing() throws {
    var model = TinyModel.llama()
    let norm = TinyTensor(random: "model.norms.weight", "F32", [12], scale: 1)
    model.remove("model.norm.weight")
    model.remove("model.layers.1.mlp.up_proj.weight")
    model.tensors.append(norm)
    #expect(
      try summary(model) == [
        "FOLDER: checkpoint.missing-tensor: tensor 'model.layers.1.mlp.up_proj.weight' of shape [19, 12] is missing",
        "FOLDER: checkpoint.missing-tensor: tensor 'model.norm.weight' of shape [12] is missing",
        "model.safetensors: checkpoint.unexpected-tensor: tensor 'model.norms.weight' (F32[12]) has no place in this architecture",
      ])
    #expect(try model.problems()[1].hint == "there is 'model.norms.weight'")
  }

  @Test("A tensor of another shape or type is named with both")
  func mismatch() throws {
    var model = TinyModel.llama()
    model.replace("model.layers.0.mlp.down_proj.weight", "F32", [19, 12])
    model.replace("model.layers.2.self_attn.q_proj.weight", "F64", [24, 12])
    model.replace("model.norm.weight", "I64", [12])
    #expect(
      try summary(model) == [
        "model.safetensors: checkpoint.shape: tensor 'model.layers.0.mlp.down_proj.weight' is F32[19, 12], expected shape [12, 19]",
        "model.safetensors: checkpoint.dtype: tensor 'model.layers.2.self_attn.q_proj.weight' is F64[24, 12], expected F32, F16 or BF16",
        "model.safetensors: checkpoint.dtype: tensor 'model.norm.weight' is I64[12], expected F32, F16 or BF16",
      ])
  }

  @Test("Biases must be where config.json says, and nowhere else")
  func biases() throws {
    var model = TinyModel.llama(attentionBiases: ["q_proj"])
    model.set("attention_bias", "false")
    #expect(
      try summary(model)
        == (0..<3).map {
          "model.safetensors: checkpoint.unexpected-tensor: tensor 'model.layers.\($0).self_attn.q_proj.bias' (F32[24]) has no place in this architecture"
        })
    var qwen = TinyModel.llama("Qwen2ForCausalLM", attentionBiases: ["q_proj", "k_proj", "v_proj"])
    qwen.remove("model.layers.1.self_attn.k_proj.bias")
    #expect(
      try summary(qwen) == [
        "FOLDER: checkpoint.missing-tensor: tensor 'model.layers.1.self_attn.k_proj.bias' of shape [12] is missing"
      ])
    var mamba = TinyModel.mamba()
    mamba.set("use_bias", "true")
    #expect(try summary(mamba).count == 4)
  }

  @Test("Tensors of another size are one problem, however many they are")
  func otherSize() throws {
    var model = TinyModel.llama()
    model.set("hidden_size", "14")
    let problems = try model.problems()
    #expect(problems.map(\.id) == ["checkpoint.shape"])
    #expect(problems.last?.notes == ["and 28 more tensors of other shapes"])
  }

  @Test("Twenty problems are shown and the rest is counted")
  func many() throws {
    var model = TinyModel.llama()
    let names = model.tensors.map(\.name).filter { $0.contains(".layers.") }.prefix(23)
    for name in names { model.remove(name) }
    let problems = try model.problems()
    #expect(problems.count == 20)
    #expect(problems.last?.notes == ["3 more problems are not shown"])
  }

  // MARK: - Ties

  private static let table = "model.embed_tokens.weight"
  private static let head = "lm_head.weight"

  @Test("Tied tables may be stored under either name, or under both if they are equal")
  func tied() throws {
    var model = TinyModel.llama()
    let table = try #require(model.tensors.first)
    model.tensors.append(table.renamed(Self.head))
    var loaded = try model.load()
    #expect(
      loaded.accounting.accounts.filter { $0.role != .used }.map(\.role)
        == [.tied(to: Self.table)])

    model.remove(Self.table)
    loaded = try model.load()
    #expect(loaded.accounting.accounts.allSatisfy { $0.role == .used })
    #expect(!loaded.graph.text.contains(Self.table + "\" {"))
  }

  @Test(
    "Tables that config.json calls tied and that differ are an error", arguments: ["F32", "F16"])
  func different(_ type: String) throws {
    var model = TinyModel.llama()
    model.replace(Self.head, type, [23, 12])
    let problems = try model.problems()
    #expect(problems.map(\.id) == ["checkpoint.tied"])
    #expect(problems.first?.location?.file == "model.safetensors")
  }

  @Test("A head of its own must be there, and so must a tied table")
  func absent() throws {
    var model = TinyModel.llama(tied: false)
    model.remove(Self.head)
    #expect(
      try summary(model) == [
        "FOLDER: checkpoint.missing-tensor: tensor 'lm_head.weight' of shape [23, 12] is missing"
      ])
    model.remove(Self.table)
    model.set("tie_word_embeddings", "true")
    #expect(
      try summary(model) == [
        "FOLDER: checkpoint.missing-tensor: tensor 'model.embed_tokens.weight' of shape [23, 12] is missing"
      ])
  }

  // MARK: - Tokenizers

  /// A tokenizer with as many pieces.
  private func tokenizer(_ count: Int) -> String {
    let pieces = (0..<count).map { "\"\(Character(Unicode.Scalar(UInt8(65 + $0))))\": \($0)" }
    return """
      {"version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
       "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
       "post_processor": null,
       "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
       "model": {"type": "BPE", "dropout": null, "unk_token": "A", "continuing_subword_prefix": null,
        "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false,
        "vocab": {\(pieces.joined(separator: ", "))}, "merges": []}}
      """
  }

  @Test(
    "A tokenizer with ids that the model does not know is refused, together with other problems")
  func tokenizers() throws {
    var model = TinyModel.llama()
    let folder = try model.write()
    try folder.write("tokenizer.json", tokenizer(23))
    #expect(folder.problems().isEmpty)
    #expect(try ModelFolder.load(folder.path).tokenizer.get().vocabularySize == 23)
    try folder.write("tokenizer.json", tokenizer(24))
    #expect(folder.problems().map(\.id) == ["tokenizer.vocabulary-mismatch"])
    model.remove("model.norm.weight")
    try folder.write("model.safetensors", Safetensors.file(model.tensors))
    #expect(
      folder.problems().map(\.id)
        == ["checkpoint.missing-tensor", "tokenizer.vocabulary-mismatch"])
    let missing = #expect(throws: DiagnosticList.self) {
      try TinyModel.llama().load().tokenizer.get()
    }
    #expect(missing?.diagnostics.map(\.id) == ["tokenizer.missing"])
  }
}
