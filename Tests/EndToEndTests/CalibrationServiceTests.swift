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
    try pooled.requireRows(needed, for: pooled.width)
    let single = try context.channelStatistics(of: [norms[0]: .range], in: graph)
    context.count(Self.rows, by: single[norms[0]]?.rows ?? 0)
    context.count(Self.width, by: pooled.secondMoment?.columns ?? 0)
  }
}

@Suite("Passes measure channels over the model file's calibration text")
struct CalibrationServiceTests {
  private func simulate(needed: Int, calibration: Bool = true) throws -> Compilation.Result {
    let environment = try CompilerEnvironment(
      passes: [MeasureStreams.self], executable: Workbench.repository + "/irc",
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

  @Test func saysWhatIsMissing() throws {
    let few = #expect(throws: DiagnosticList.self) { try simulate(needed: 1_000_000) }
    let message = few.map { "\($0)" } ?? ""
    #expect(message.contains("pass 'measure-streams': a site of width"))
    #expect(message.contains("at least 1000000 calibration tokens"))
    #expect(message.contains("raise 'calibration.tokens'"))
    let none = #expect(throws: DiagnosticList.self) { try simulate(needed: 0, calibration: false) }
    #expect(none.map { "\($0)" }?.contains("there is no calibration text") == true)
  }
}
