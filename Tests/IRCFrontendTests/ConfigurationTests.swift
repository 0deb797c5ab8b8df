import IRCFrontend
import IRCSupport
import IRCTestSupport
import Testing

@Suite("config.json")
struct ConfigurationTests {
  struct Edit: CustomTestStringConvertible, Sendable {
    let architecture: String
    let key: String
    let value: String?
    /// What is said after the place, which is the line of the key.
    let expected: String

    var testDescription: String { "\(architecture): \(key) = \(value ?? "nothing")" }

    init(_ key: String, _ value: String?, _ expected: String, in architecture: String = "Llama") {
      self.architecture = "\(architecture)ForCausalLM"
      self.key = key
      self.value = value
      self.expected = expected
    }

    var model: TinyModel {
      var model =
        architecture == "MambaForCausalLM" ? TinyModel.mamba() : TinyModel.llama(architecture)
      model.set(key, value)
      return model
    }
  }

  static let unsupported = [
    Edit(
      "rope_scaling", "{\"rope_type\": \"yarn\"}", "config.unsupported: the value of 'rope_scaling'"
    ),
    Edit(
      "rope_parameters", "{\"rope_type\": \"yarn\"}",
      "config.unsupported: the value of 'rope_parameters.rope_type'"),
    Edit(
      "rope_parameters", "{\"rope_type\": \"default\", \"factor\": 2}",
      "json.unknown-key: the key 'rope_parameters.factor'"),
    Edit("hidden_act", "\"gelu\"", "config.unsupported: the value of 'hidden_act'"),
    Edit("hidden_act", "3", "json.wrong-type: 'hidden_act' should be a string"),
    Edit("model_type", "\"mamba\"", "config.unsupported: the value of 'model_type'"),
    Edit("pretraining_tp", "2", "config.unsupported: the value of 'pretraining_tp'"),
    Edit(
      "partial_rotary_factor", "0.5", "config.unsupported: the value of 'partial_rotary_factor'"),
    Edit("sliding_window", "32", "config.unsupported: the value of 'sliding_window'"),
    Edit(
      "layer_types", "[\"sliding_attention\"]", "config.unsupported: the value of 'layer_types'"),
    Edit(
      "quantization_config", "{\"bits\": 4}",
      "config.unsupported: this checkpoint is quantized already"),
    Edit(
      "qk_norm", "true", "config.unknown-key: the key 'qk_norm' is not known for LlamaForCausalLM"),
    Edit(
      "vocab_size", "0", "json.out-of-range: 'vocab_size' is 0, which is not from 1 to 16777216"),
    Edit("vocab_size", "1e3", "json.wrong-type: 'vocab_size' should be an integer"),
    Edit("hidden_size", "-12", "json.out-of-range: 'hidden_size' is -12"),
    Edit(
      "hidden_size", "99999999999999999999", "json.wrong-type: 'hidden_size' should be an integer"),
    Edit("num_hidden_layers", "1000000", "json.out-of-range: 'num_hidden_layers' is 1000000"),
    Edit(
      "num_key_value_heads", "3",
      "config.unsupported: 'num_attention_heads' 4 is not a multiple of 'num_key_value_heads' 3"),
    Edit("head_dim", "5", "config.unsupported: a head of 5 channels cannot be rotated in pairs"),
    Edit("rms_norm_eps", "-1e-5", "json.out-of-range: 'rms_norm_eps' is -1e-05"),
    Edit("rope_theta", "0", "json.out-of-range: 'rope_theta' is 0.0"),
    Edit(
      "tie_word_embeddings", "1", "json.wrong-type: 'tie_word_embeddings' should be true or false"),
    Edit(
      "bos_token_id", "23", "json.out-of-range: 'bos_token_id' is 23, which is not from 0 to 22"),
    Edit("eos_token_id", "[2, -1]", "json.out-of-range: 'eos_token_id[1]' is -1"),
    Edit("max_position_embeddings", "0", "json.out-of-range: 'max_position_embeddings' is 0"),
    Edit(
      "architectures", "[\"LlamaForCausalLLM\"]",
      "config.unknown-architecture: the architecture 'LlamaForCausalLLM' is not known"),
    Edit(
      "architectures", "[]",
      "config.unknown-architecture: 'architectures' must name one architecture"),
    Edit(
      "architectures", "\"LlamaForCausalLM\"", "json.wrong-type: 'architectures' should be an array"
    ),
    Edit("sliding_window", "0", "json.out-of-range: 'sliding_window' is 0", in: "Mistral"),
    Edit(
      "attention_bias", "true", "config.unknown-key: the key 'attention_bias' is not known",
      in: "Mistral"),
    Edit("use_mrope", "true", "config.unsupported: the value of 'use_mrope'", in: "Qwen2"),
    Edit(
      "layer_types", "[\"sliding_attention\"]", "config.unsupported: the value of 'layer_types'",
      in: "Qwen2"),
    Edit("rms_norm", "false", "config.unsupported: the value of 'rms_norm'", in: "Mamba"),
    Edit(
      "ssm_cfg", "{\"layer\": \"Mamba2\"}", "config.unsupported: the value of 'ssm_cfg'",
      in: "Mamba"),
    Edit("d_model", "11", "config.unsupported: the value of 'd_model'", in: "Mamba"),
    Edit(
      "time_step_rank", "\"big\"", "json.wrong-type: 'time_step_rank' should be an integer",
      in: "Mamba"),
    Edit("conv_kernel", "0", "json.out-of-range: 'conv_kernel' is 0", in: "Mamba"),
    Edit(
      "bc_norm", "true", "config.unknown-key: the key 'bc_norm' is not known for MambaForCausalLM",
      in: "Mamba"),
  ]

  @Test(
    "A value that is not supported is refused at its line, with its key", arguments: unsupported)
  func values(_ edit: Edit) throws {
    let model = edit.model
    let problems = try model.problems()
    let first = try #require(problems.first)
    #expect(problems.count == 1, "\(problems)")
    #expect("\(first.id): \(first.message)".hasPrefix(edit.expected), "\(first.message)")
    #expect(first.location?.file == "config.json")
    #expect(first.location?.line == model.line(of: edit.key))
    #expect(first.location?.column ?? 0 > 2 && first.sourceLine != nil)
  }

  @Test(
    "A key that is needed and absent is named",
    arguments: [
      ("LlamaForCausalLM", "architectures"), ("LlamaForCausalLM", "vocab_size"),
      ("LlamaForCausalLM", "hidden_size"), ("LlamaForCausalLM", "intermediate_size"),
      ("LlamaForCausalLM", "num_hidden_layers"), ("LlamaForCausalLM", "num_attention_heads"),
      ("LlamaForCausalLM", "rms_norm_eps"), ("MambaForCausalLM", "vocab_size"),
      ("MambaForCausalLM", "hidden_size"), ("MambaForCausalLM", "num_hidden_layers"),
    ])
  func needed(_ architecture: String, _ key: String) throws {
    var model = architecture == "MambaForCausalLM" ? TinyModel.mamba() : TinyModel.llama()
    model.set(key, nil)
    let problems = try model.problems()
    #expect(problems.map(\.id) == ["json.missing-key"])
    #expect(problems.first?.message == "the key '\(key)' is missing")
    // Other keys that are there mean something of their own.
    #expect(problems.first?.hint == nil)
  }

  @Test("Everything that is wrong is said at once, in the order of the file")
  func several() throws {
    var model = TinyModel.llama()
    model.set("hidden_size", "-1")
    model.set("rope_scaling", "{}")
    model.set("intermediate_size", nil)
    model.set("max_positon_embeddings", "64")
    model.set("max_position_embeddings", nil)
    let problems = try model.problems()
    #expect(
      problems.map(\.id) == [
        "json.missing-key", "json.out-of-range", "config.unsupported", "config.unknown-key",
      ])
    #expect(problems.last?.hint == "did you mean 'max_position_embeddings'?")
  }

  @Test("Keys about training and running do not matter")
  func bookkeeping() throws {
    var model = TinyModel.llama()
    for key in [
      "transformers_version", "use_cache", "initializer_range", "_name_or_path", "dtype",
      "attention_dropout", "pad_token_id",
    ] {
      model.set(key, "null")
    }
    #expect(try model.problems().isEmpty)
  }

  @Test("Ids of texts may be absent, null, one or several")
  func ids() throws {
    var model = TinyModel.llama()
    model.set("bos_token_id", "null")
    model.set("eos_token_id", nil)
    var facts = try model.load().facts
    #expect(facts.startID == nil && facts.endIDs.isEmpty)
    model.set("eos_token_id", "5")
    facts = try model.load().facts
    #expect(facts.endIDs == [5])
  }

  @Test("A head as wide as hidden_size / heads needs them to divide")
  func heads() throws {
    var model = TinyModel.llama()
    model.set("head_dim", nil)
    model.set("num_attention_heads", "8")
    let problems = try model.problems()
    #expect(
      problems.map(\.message) == [
        "'hidden_size' 12 is not a multiple of 'num_attention_heads' 8"
      ])
    #expect(problems.first?.location?.line == model.line(of: "num_attention_heads"))
  }

  @Test("A folder without config.json, or with one that is no JSON, is refused")
  func unreadable() throws {
    let folder = try TemporaryFolder()
    var problems = folder.problems()
    #expect(problems.map(\.id) == ["file.unreadable"])
    #expect(problems.first?.message.contains("FOLDER/config.json") ?? false)
    try folder.write("config.json", "{\"architectures\": [}")
    problems = folder.problems()
    #expect(problems.map(\.id) == ["json.syntax"])
    #expect(problems.first?.location?.description == "config.json:1:20")
    withExtendedLifetime(folder) {}
  }

  @Test("Damaged configurations never trap")
  func fuzz() throws {
    let folder = try TemporaryFolder()
    try folder.write("model.safetensors", Safetensors.file(TinyModel.llama().tensors))
    var fuzzer = Fuzzer(
      texts: [TinyModel.llama().configurationText, TinyModel.mamba().configurationText],
      words: ["0", "-1", "16777216", "9223372036854775807", "1e308", "null", "[", "{}", "true"],
      seed: 3)
    var refused = 0
    try fuzzer.run(for: .seconds(2)) { bytes in
      try folder.write("config.json", bytes)
      if !folder.problems().isEmpty { refused += 1 }
    }
    #expect(refused > 10)
  }
}
