import Foundation
import IRCExecution
import IRCFrontend
import IRCGraph
import IRCOps
import IRCSupport
import IRCTestSupport
import Testing

/// Tests on models of `shared/models`, each skipped by name where its folder is not there.
@Suite("Real models")
struct RealModelTests {
  /// A model with what its PROVENANCE.md says of it.
  struct Model: CustomTestStringConvertible, Sendable {
    let testDescription: String
    let architecture: String
    let perplexity: Double
    let tokens: Int
    let facts: ModelFacts
    let tensors: Int
  }

  static let models = [
    Model(
      testDescription: "stories260k", architecture: "LlamaForCausalLM", perplexity: 3.2576,
      tokens: 83_610,
      facts: ModelFacts(vocabularySize: 512, contextLength: 512, startID: 1, endIDs: [2]),
      tensors: 47),
    Model(
      testDescription: "tinystories-656k", architecture: "LlamaForCausalLM", perplexity: 16.829,
      tokens: 54_304,
      facts: ModelFacts(vocabularySize: 2048, contextLength: 512, startID: 1, endIDs: [2]),
      tensors: 20),
    Model(
      testDescription: "novels-mamba-600k", architecture: "MambaForCausalLM", perplexity: 26.0444,
      tokens: 51_200,
      facts: ModelFacts(vocabularySize: 1024, contextLength: nil, startID: 0, endIDs: [0]),
      tensors: 42),
    Model(
      testDescription: "novels-mamba-4m", architecture: "MambaForCausalLM", perplexity: 56.4129,
      tokens: 51_200,
      facts: ModelFacts(vocabularySize: 4096, contextLength: nil, startID: 0, endIDs: [0]),
      tensors: 62),
  ]

  /// Loads a model, checks its graph, and computes its perplexity by the protocol of its PROVENANCE.md.
  private func check(_ name: String) throws {
    let expected = try #require(Self.models.first { $0.testDescription == name })
    let model = try ModelFolder.load(try #require(Shared.model(name)))
    #expect(model.graph.name == name)
    #expect(model.architecture == expected.architecture)
    #expect(model.facts == expected.facts)
    #expect(model.graph.verify() == [])
    #expect(
      try GraphParser.parse(model.graph.text, file: name, registry: .standard) == model.graph)
    #expect(model.accounting.accounts.count == expected.tensors)
    #expect(model.accounting.used.count == expected.tensors)
    for tensor in model.checkpoint.tensors {
      #expect(try model.checkpoint.firstNonFinite(in: tensor.name) == nil)
    }
    let parameters = model.graph.operations(of: Parameter.self)
    #expect(parameters.count == expected.tensors)
    #expect(parameters.allSatisfy { $0.operation.location == .checkpoint($0.op.name) })

    let result = try Perplexity.evaluate(
      try GraphLanguageModel(model.graph), windows: try windows(model))
    #expect(result.tokens == expected.tokens)
    #expect(
      abs(result.perplexity / expected.perplexity - 1) < 5e-4,
      "perplexity \(result.perplexity), published \(expected.perplexity)")
  }

  /// Stories for the Llama models and the novel for the others, cut as their PROVENANCE.md says.
  private func windows(_ model: LoadedModel) throws -> [[Int32]] {
    let tokenizer = try model.tokenizer.get()
    if model.architecture == "MambaForCausalLM" {
      let path = try #require(Shared.data("novels/emma-part1.txt"))
      let text = try TextFile(reading: path).text
      return EvaluationWindows.text(
        try tokenizer.encode(text, addSpecialTokens: false), context: 256, limit: 200)
    }
    let path = try #require(Shared.data("tinystories-valid/stories.jsonl"))
    let stories = try TextFile(reading: path).lines.filter { !$0.isEmpty }.map { line in
      let text = try JSONValue(parsing: String(line), path: path)["text"].string()
      return try tokenizer.encode(text, addSpecialTokens: false)
    }
    return EvaluationWindows.documents(
      stories, start: Int32(try #require(model.facts.startID)), context: 256)
  }

  private static func isThere(_ name: String) -> Bool {
    Shared.model(name) != nil && Shared.data("novels") != nil
      && Shared.data("tinystories-valid") != nil
  }

  @Test(
    "stories260k has its published perplexity",
    .enabled(if: isThere("stories260k"), "needs shared/models/stories260k and shared/data"))
  func stories260k() throws { try check("stories260k") }

  @Test(
    "tinystories-656k has its published perplexity",
    .enabled(
      if: isThere("tinystories-656k"), "needs shared/models/tinystories-656k and shared/data"))
  func tinystories() throws { try check("tinystories-656k") }

  @Test(
    "novels-mamba-600k has its published perplexity",
    .enabled(
      if: isThere("novels-mamba-600k"), "needs shared/models/novels-mamba-600k and shared/data"))
  func novels600k() throws { try check("novels-mamba-600k") }

  @Test(
    "novels-mamba-4m has its published perplexity",
    .enabled(if: isThere("novels-mamba-4m"), "needs shared/models/novels-mamba-4m and shared/data"))
  func novels4m() throws { try check("novels-mamba-4m") }

  @Test(
    "A model of another kind is refused by name",
    .enabled(if: Shared.model("all-minilm-l6-v2") != nil, "needs shared/models/all-minilm-l6-v2"))
  func refused() throws {
    let folder = try #require(Shared.model("all-minilm-l6-v2"))
    let error = try #require(throws: DiagnosticList.self) { try ModelFolder.load(folder) }
    #expect(error.diagnostics.map(\.id) == ["config.unknown-architecture"])
    #expect(error.diagnostics[0].message == "the architecture 'BertModel' is not known")
  }
}
