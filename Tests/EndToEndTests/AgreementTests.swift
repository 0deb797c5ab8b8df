import Foundation
import IRCDriver
import IRCExecution
import IRCSupport
import IRCTensor
import IRCTestSupport
import Testing

/// The compiled library against the simulation that it was made from, on real models and about 2,000 tokens of text that they
/// were not trained on: the same bits. `docs/agreement.md` says why.
@Suite("The compiled library follows the simulation")
struct AgreementTests {
  static let pipelines = [
    "float", "rtn-w8a8", "rtn-w4a8", "rtn-w4a16", "rtn-mxfp4", "rtn-nvfp4", "gptq-w3a16",
    "svdquant-w4a4", "quarot-w4a4",
    "rtn-cb4a16", "fitted-gptq-cb3a16", "rtn-bcq3a16",
  ]

  /// With keys and values as codes, where there are any.
  static let cachePipelines = pipelines + ["rtn-w8a8kv8", "rtn-w4a8kv8", "quarot-w4a8kv8"]

  @Test("novels-mamba-600k, which ships", arguments: pipelines)
  func example(_ pipeline: String) throws {
    try check(Workbench.example, on: Workbench.prose, pipeline)
  }

  @Test(
    "stories260k",
    .enabled(if: Shared.model("stories260k") != nil, "stories260k is not in shared/"),
    arguments: cachePipelines)
  func stories(_ pipeline: String) throws {
    try check(
      #require(Shared.model("stories260k")),
      on: #require(Shared.data("tinystories-valid/stories.jsonl")), pipeline)
  }

  @Test(
    "tinystories-656k",
    .enabled(if: Shared.model("tinystories-656k") != nil, "tinystories-656k is not in shared/"),
    arguments: cachePipelines)
  func tinystories(_ pipeline: String) throws {
    try check(
      #require(Shared.model("tinystories-656k")),
      on: #require(Shared.data("tinystories-valid/stories.jsonl")), pipeline)
  }

  @Test(
    "novels-mamba-4m",
    .enabled(if: Shared.model("novels-mamba-4m") != nil, "novels-mamba-4m is not in shared/"),
    arguments: pipelines)
  func novels(_ pipeline: String) throws {
    try check(
      #require(Shared.model("novels-mamba-4m")), on: #require(Shared.data("novels/emma-part1.txt")),
      pipeline)
  }

  @Test("Layers with real products beside layers with quantized activations")
  func mixed() throws {
    try check(
      Workbench.example, on: Workbench.prose, "gptq-w4a8",
      settings: ["passes.quantize.exclude=[backbone.layers.0.*]"])
  }

  @Test("Codes of keys and values, in a Llama of random weights with shared key heads")
  func codesOfKeys() throws {
    let folder = try TemporaryFolder()
    let other = try TemporaryFolder()
    // Libraries read their weights when a session begins.
    defer { withExtendedLifetime((folder, other)) {} }
    try LlamaCheckpoint(
      hidden: 48, gated: 80, layers: 2, heads: 4, keyHeads: 2, vocabulary: 1024, context: 256
    ).write(folder.file("random"), isRandom: true)
    try FileManager.default.copyItem(
      atPath: "\(Workbench.example)/tokenizer.json", toPath: folder.file("random/tokenizer.json"))
    let (simulation, compiled) = try subjects(folder.file("random"), "rtn-w8a8kv8", in: folder)
    let ids = (0..<150).map { Int32($0 * 37 % 1024) }
    let agreement = try Agreement(of: compiled.model, with: simulation.model, on: [ids])
    #expect(agreement.largestDifference == 0)
    #expect(agreement.otherChoices == 0)
    try checkWaysOfReading(compiled.model, ids)
    let (_, real) = try subjects(folder.file("random"), "rtn-w8a8", in: other)
    let rounding = try Agreement(of: compiled.model, with: real.model, on: [ids])
    #expect(rounding.largestDifference > 0)
  }

  private func subjects(
    _ source: String, _ pipeline: String, settings: [String] = [], in folder: TemporaryFolder
  ) throws -> (simulation: Subject, compiled: Subject) {
    let plan = try Workbench.plan(source, pipeline: pipeline, settings: settings, in: folder)
    let environment = try Workbench.environment(
      cache: ContentCache(directory: CompiledObjects.folder.get()))
    return (
      try Subject(simulating: plan, in: environment), try Subject(compiling: plan, in: environment)
    )
  }

  private func check(
    _ source: String, on data: String, _ pipeline: String, settings: [String] = []
  ) throws {
    let folder = try TemporaryFolder()
    let (simulation, compiled) = try subjects(source, pipeline, settings: settings, in: folder)
    var windows = try simulation.windows(
      of: EvaluationText(data: data, context: 256, windows: 24))
    var count = 0
    windows = windows.prefix { window in
      defer { count += window.count - 1 }
      return count < 2000
    }.map { $0 }

    let agreement = try Agreement(of: compiled.model, with: simulation.model, on: windows)
    #expect((2000..<2300).contains(agreement.tokens))
    // One bit less, and a number that lies on a rounding boundary may fall the other way.
    #expect(agreement.largestDifference == 0)
    #expect(agreement.otherChoices == 0)
    #expect(agreement.perplexityChange == 0)
    try checkWaysOfReading(compiled.model, Array(windows[0].prefix(150)))
  }

  /// The library gives the same bits however it is fed: all tokens at once, in pieces, or one at a time; by one thread or two.
  private func checkWaysOfReading(_ model: any LanguageModel, _ ids: [Int32]) throws {
    let whole = try read(model, ids, pieces: [ids.count])
    #expect(whole.count == ids.count * model.vocabularySize)
    for pieces in [[1, 63, 64, 22], [64, 86], [31, 2, 117]] {
      var fitting = pieces
      fitting[fitting.count - 1] = ids.count - pieces.dropLast().reduce(0, +)
      if fitting.contains(where: { $0 < 1 }) { continue }
      #expect(try read(model, ids, pieces: fitting) == whole, "in pieces of \(fitting)")
    }
    let shared = try #require(model as? CompiledModel).with(threads: 2)
    #expect(try read(shared, ids, pieces: [ids.count]) == whole)
    let width = model.vocabularySize
    let few = Array(ids.prefix(40))
    #expect(
      try read(shared, few, pieces: few.map { _ in 1 }) == whole.prefix(few.count * width))
    var session = try model.makeSession()
    for (index, id) in ids.enumerated() {
      let next = bits(try session.readForNext([id]))
      #expect(next == whole[index * width..<(index + 1) * width], "token \(index)")
    }
    session = try model.makeSession()
    let half = ids.count / 2
    _ = try session.readForNext(Array(ids[..<half]))
    #expect(bits(try session.readForNext(Array(ids[half...]))) == whole.suffix(width))
  }

  private func read(
    _ model: any LanguageModel, _ ids: [Int32], pieces: [Int]
  ) throws -> ArraySlice<UInt32> {
    var session = try model.makeSession()
    var result: [UInt32] = []
    var start = 0
    for piece in pieces {
      result += bits(try session.read(Array(ids[start..<start + piece])))
      start += piece
    }
    return result[...]
  }

  private func bits(_ logits: Tensor) -> ArraySlice<UInt32> {
    logits.array(of: Float.self).map(\.bitPattern)[...]
  }
}
