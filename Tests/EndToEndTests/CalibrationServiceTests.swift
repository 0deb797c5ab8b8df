import IRCDriver
import IRCPassKit
import IRCPassManager
import IRCPipeline
import IRCSupport
import IRCTestSupport
import Testing

/// Asks for the statistics of all normalised streams as one, and insists on a number of tokens.
private struct MeasureStreams: Pass {
  static let info = PassInfo(
    name: "measure-streams", summary: "Measure.", preservesFunction: true, usesCalibration: true,
    statistics: [rows, width])
  static let rows = Statistic("rows", "Rows measured.")
  static let width = Statistic("width", "Width of the stream.")

  @PassOption("Tokens to insist on.", in: 0...1_000_000) var needed = 0

  init() {}

  func run(on graph: inout Graph, in context: PassContext) throws {
    let norms = graph.operations(of: RMSNorm.self).map(\.operation.result)
    let group = StatisticGroup(norms, [.secondMoment, .quantiles])
    let pooled = try context.channelStatistics(pooling: [group], in: graph)[0]
    try pooled.requireRows(needed, for: "the stream")
    let single = try context.channelStatistics(of: [norms[0]: .range], in: graph)
    context.count(Self.rows, by: single[norms[0]]?.rows ?? 0)
    context.count(Self.width, by: pooled.secondMoment?.columns ?? 0)
  }
}

@Suite("Passes measure channels over the model file's calibration text")
struct CalibrationServiceTests {
  private func simulate(needed: Int, calibration: Bool = true) throws -> Compilation.Result {
    let environment = try CompilerEnvironment(
      plugins: [MeasureStreams.self], executable: Workbench.repository + "/irc",
      reporter: Reporter(isQuiet: true))
    let folder = try TemporaryFolder()
    var text = Workbench.modelFile(
      source: Workbench.example, pipeline: "[measure-streams: {needed: \(needed)}]")
    if !calibration {
      text = text.split(separator: "\n").filter { !$0.hasPrefix("calibration") }.joined(
        separator: "\n")
    }
    let plan = try environment.plan(try folder.write("model.yaml", text))
    return try Compilation(plan, in: environment).simulate()
  }

  @Test func measures() throws {
    let counters = try #require(simulate(needed: 2048).runs.first).counters
    // Whole windows are taken until there are as many tokens as the model file asks for.
    #expect(counters[0].value >= 2048 && counters[0].value < 2048 + 256)
    #expect(counters[1].value > 0)
  }

  @Test("The manifest tells what was measured on, and null where nothing was")
  func manifest() throws {
    let folder = try TemporaryFolder()
    try folder.write("prose.txt", String(contentsOfFile: Workbench.prose, encoding: .utf8))
    func calibration(_ pipeline: String) throws -> JSONValue? {
      let text = Workbench.modelFile(source: Workbench.example, pipeline: pipeline)
        .replacing(
          /calibration: .*/, with: "calibration: {text: prose.txt, tokens: 700, skip: 9, seed: 5}")
      let outcome = try Program.run("lower", try folder.write("model.yaml", text), "--quiet")
      #expect(outcome.code == 0, "\(outcome.errors)")
      return try JSONValue(reading: folder.file("out/manifest.json")).optional("calibration")
    }
    let used = try #require(try calibration("rtn-w8a8-static"))
    #expect(try used.object().map(\.key) == ["file", "skip", "tokens", "window", "seed"])
    #expect(try used["file"].string() == "prose.txt")
    #expect(
      try ["skip", "tokens", "window", "seed"].map { try used[$0].int() } == [9, 700, 256, 5])
    #expect(try calibration("rtn-w8a8") == nil)
  }

  @Test(
    "Windows longer than the model takes are cut to that, which is told",
    .enabled(if: Shared.model("stories260k") != nil, "stories260k is not in shared/"))
  func longWindows() throws {
    let folder = try TemporaryFolder()
    let source = try #require(Shared.model("stories260k"))
    let model = try folder.write(
      "model.yaml", Workbench.modelFile(source: source, pipeline: "rtn-w8a8-static"))
    let outcome = try Program.run("lower", model, "--set", "calibration.window=1048576")
    #expect(outcome.code == 0, "\(outcome.errors)")
    #expect(outcome.errors.contains("calibration windows have 512 tokens and not 1048576"))
    let manifest = try JSONValue(reading: folder.file("out/manifest.json"))
    #expect(try manifest["calibration"]["window"].int() == 512)
  }

  @Test func saysWhatIsMissing() throws {
    let few = #expect(throws: DiagnosticList.self) { try simulate(needed: 1_000_000) }
    let message = few.map { "\($0)" } ?? ""
    #expect(message.contains("pass 'measure-streams': the stream needs"))
    #expect(message.contains("at least 1000000 calibration tokens"))
    #expect(message.contains("raise 'calibration.tokens'"))
    let none = #expect(throws: DiagnosticList.self) { try simulate(needed: 0, calibration: false) }
    #expect(none.map { "\($0)" }?.contains("'measure-streams' needs calibration text, and") == true)
  }
}
