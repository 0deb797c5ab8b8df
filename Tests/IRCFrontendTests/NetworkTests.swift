import IRCExecution
import IRCFrontend
import IRCGraph
import IRCOps
import IRCTensor
import IRCTestSupport
import Testing

@Suite("Networks built from checkpoints")
struct NetworkTests {
  static let ids: [Int32] = [1, 7, 4, 4, 18, 0, 11]

  /// Compares the graph's logits in double precision with the reference: read at once, and in pieces.
  private func check(
    _ model: LoadedModel, _ expected: Matrix, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    #expect(model.graph.verify() == [], sourceLocation: sourceLocation)
    let again = try GraphParser.parse(model.graph.text, file: "graph", registry: .standard)
    #expect(again == model.graph, sourceLocation: sourceLocation)
    #expect(
      model.graph.operations.allSatisfy { $0.location != .unknown },
      sourceLocation: sourceLocation)

    let language = try GraphLanguageModel(model.graph, precision: .double)
    for pieces in [[7], [1, 1, 1, 1, 1, 1, 1], [3, 1, 2, 1]] {
      var session = try language.makeSession()
      var logits: [Double] = []
      var position = 0
      for piece in pieces {
        let part = try session.read(Array(Self.ids[position..<position + piece]))
        logits += part.array(of: Double.self)
        position += piece
      }
      let reference = expected.rows.flatMap { $0 }
      try #require(logits.count == reference.count, sourceLocation: sourceLocation)
      let worst = zip(logits, reference).map { abs($0 - $1) }.max() ?? .infinity
      #expect(worst < 1e-10, "pieces \(pieces)", sourceLocation: sourceLocation)
    }
  }

  struct Case: CustomTestStringConvertible, Sendable {
    let testDescription: String
    let architecture: String
    var type = "F32"
    var tied = true
    var attentionBiases: [String] = []
    var feedForwardBiases = false
    var keys: [(String, String?)] = []
    var theta = 500.0
    var windows = [0, 0, 0]
    var shards = 1
  }

  static let cases = [
    Case(testDescription: "Llama, tied, grouped heads", architecture: "LlamaForCausalLM"),
    Case(testDescription: "Llama, own head", architecture: "LlamaForCausalLM", tied: false),
    Case(
      testDescription: "Llama with every bias", architecture: "LlamaForCausalLM",
      attentionBiases: ["q_proj", "k_proj", "v_proj", "o_proj"], feedForwardBiases: true,
      keys: [("attention_bias", "true"), ("mlp_bias", "true")]),
    Case(
      testDescription: "Llama with undeclared biases", architecture: "LlamaForCausalLM",
      attentionBiases: ["q_proj", "o_proj"], keys: [("attention_bias", nil), ("mlp_bias", "null")]),
    Case(
      testDescription: "Llama, half precision", architecture: "LlamaForCausalLM", type: "F16"),
    Case(
      testDescription: "Llama, bfloat16 in three files", architecture: "LlamaForCausalLM",
      type: "BF16", tied: false, shards: 3),
    Case(
      testDescription: "Llama with the keys of newer files", architecture: "LlamaForCausalLM",
      keys: [
        ("rope_theta", nil), ("rope_scaling", nil),
        ("rope_parameters", "{\"rope_type\": \"default\", \"rope_theta\": 300}"),
        ("torch_dtype", nil), ("dtype", "\"bfloat16\""), ("pretraining_tp", "1"),
      ], theta: 300),
    Case(
      testDescription: "Llama with the usual base", architecture: "LlamaForCausalLM",
      keys: [("rope_theta", nil)], theta: 10_000),
    Case(
      testDescription: "Mistral without a window", architecture: "MistralForCausalLM", tied: false,
      keys: [("sliding_window", "null")]),
    Case(
      testDescription: "Mistral with a window", architecture: "MistralForCausalLM",
      keys: [("sliding_window", "3")], windows: [3, 3, 3]),
    Case(
      testDescription: "Qwen2", architecture: "Qwen2ForCausalLM", tied: false,
      attentionBiases: ["q_proj", "k_proj", "v_proj"],
      keys: [
        ("use_sliding_window", "false"), ("sliding_window", "3"), ("max_window_layers", "1"),
      ]),
    Case(
      testDescription: "Qwen2 with windows in the upper layers", architecture: "Qwen2ForCausalLM",
      attentionBiases: ["q_proj", "k_proj", "v_proj"],
      keys: [
        ("use_sliding_window", "true"), ("sliding_window", "2"), ("max_window_layers", "1"),
        ("layer_types", "[\"full_attention\", \"sliding_attention\", \"sliding_attention\"]"),
      ], windows: [0, 2, 2]),
  ]

  @Test("The Llama family computes what an independent forward pass computes", arguments: cases)
  func llama(_ example: Case) throws {
    var tiny = TinyModel.llama(
      example.architecture, type: example.type, tied: example.tied,
      attentionBiases: example.attentionBiases, feedForwardBiases: example.feedForwardBiases)
    for (key, value) in example.keys { tiny.set(key, value) }
    let model = try tiny.load(shards: example.shards)
    #expect(model.architecture == example.architecture)
    #expect(
      model.facts
        == ModelFacts(vocabularySize: 23, contextLength: 64, startID: 1, endIDs: [2, 3]))
    try check(
      model,
      try ReferenceNetworks.llama(
        tiny, Self.ids, theta: example.theta, windows: example.windows))
  }

  @Test("A head is hidden_size / heads wide where config.json does not say")
  func headDimension() throws {
    // The same tensors fit, since 12 / 2 is the width of a head.
    var tiny = TinyModel.llama()
    tiny.set("head_dim", nil)
    tiny.set("num_attention_heads", "2")
    tiny.set("num_key_value_heads", "2")
    for layer in 0..<TinyModel.llama.layers {
      tiny.replace("model.layers.\(layer).self_attn.q_proj.weight", "F32", [12, 12])
      tiny.replace("model.layers.\(layer).self_attn.o_proj.weight", "F32", [12, 12])
    }
    let graph = try tiny.load().graph
    let (_, attention) = try #require(graph.operations(of: Attention.self).first)
    #expect(attention.heads == 2 && attention.keyValueHeads == 2)
    #expect(graph.operations(of: RotaryEmbedding.self).allSatisfy { $0.op.headDimension == 6 })
  }

  struct MambaCase: CustomTestStringConvertible, Sendable {
    let testDescription: String
    var type = "F32"
    var tied = true
    var biases = false
    var convolutionBias = true
    var table = "backbone.embeddings.weight"
    var keys: [(String, String?)] = []
  }

  static let mambas = [
    MambaCase(testDescription: "usual"),
    MambaCase(testDescription: "own head", tied: false),
    MambaCase(testDescription: "half precision", type: "F16"),
    MambaCase(
      testDescription: "biases found, not declared", biases: true,
      keys: [("use_bias", nil), ("use_conv_bias", nil)]),
    MambaCase(
      testDescription: "biases declared", biases: true, convolutionBias: false,
      keys: [("use_bias", "true"), ("use_conv_bias", "false")]),
    MambaCase(testDescription: "older name of the table", table: "backbone.embedding.weight"),
    MambaCase(
      testDescription: "keys of older files",
      keys: [
        ("d_model", "10"), ("d_inner", "14"), ("n_layer", "2"), ("ssm_cfg", "{}"),
        ("rms_norm", "true"), ("fused_add_norm", "true"), ("time_step_floor", "0.0001"),
        ("tie_word_embeddings", nil), ("pad_vocab_size_multiple", "8"),
      ]),
  ]

  @Test("Mamba computes what an independent forward pass computes", arguments: mambas)
  func mamba(_ example: MambaCase) throws {
    var tiny = TinyModel.mamba(
      type: example.type, tied: example.tied, biases: example.biases,
      convolutionBias: example.convolutionBias, table: example.table)
    for (key, value) in example.keys { tiny.set(key, value) }
    let model = try tiny.load()
    #expect(
      model.facts == ModelFacts(vocabularySize: 19, contextLength: nil, startID: 0, endIDs: [0]))
    try check(model, try ReferenceNetworks.mamba(tiny, Self.ids, table: example.table))
  }

  @Test("Sizes of Mamba that config.json leaves out follow from the others")
  func mambaDefaults() throws {
    var tiny = TinyModel.mamba()
    tiny.set("intermediate_size", nil)
    tiny.set("time_step_rank", "\"auto\"")
    tiny.set("state_size", nil)
    tiny.set("conv_kernel", nil)
    for layer in 0..<TinyModel.mamba.layers {
      let prefix = "backbone.layers.\(layer).mixer"
      tiny.replace("\(prefix).in_proj.weight", "F32", [40, 10])
      tiny.replace("\(prefix).conv1d.weight", "F32", [20, 1, 4])
      tiny.replace("\(prefix).conv1d.bias", "F32", [20])
      tiny.replace("\(prefix).x_proj.weight", "F32", [1 + 2 * 16, 20])
      tiny.replace("\(prefix).dt_proj.weight", "F32", [20, 1])
      tiny.replace("\(prefix).dt_proj.bias", "F32", [20])
      tiny.replace("\(prefix).A_log", "F32", [20, 16])
      tiny.replace("\(prefix).D", "F32", [20])
      tiny.replace("\(prefix).out_proj.weight", "F32", [10, 20])
    }
    let graph = try tiny.load().graph
    #expect(graph.verify() == [])
    #expect(graph.nextStates.map(\.name).sorted().first == "layers.0.conv")
  }

  @Test("Inputs, states and outputs have the names that the rest of the compiler expects")
  func names() throws {
    let llama = try TinyModel.llama().load().graph
    let types = llama.operations.compactMap { operation in
      (operation.op as? any RuntimeLeaf).map {
        "\(operation.op.operatorName) \($0.name) \($0.type)"
      }
    }
    #expect(
      types.prefix(4) == [
        "input ids i32[tokens]", "state position i32[1]", "state layers.0.key f32[past, 12]",
        "state layers.0.value f32[past, 12]",
      ])
    #expect(types.count == 2 + 2 * TinyModel.llama.layers)
    #expect(
      llama.outputs.map { "\($0.name) \(llama.type(of: $0.value))" } == ["logits f32[tokens, 23]"])

    let mamba = try TinyModel.mamba().load().graph
    #expect(
      mamba.operations(of: State.self).map { "\($0.op.name) \($0.op.type)" } == [
        "layers.0.conv f32[3, 14]", "layers.0.scan f32[14, 3]", "layers.1.conv f32[3, 14]",
        "layers.1.scan f32[14, 3]",
      ])
    let query = try #require(
      llama.operations(of: Linear.self).first {
        $0.operation.location.checkpointName?.contains("q_proj") ?? false
      })
    #expect(query.operation.location == .checkpoint("model.layers.0.self_attn.q_proj.weight"))
  }
}
