import IRCPassKit
import Synchronization
import Testing

@Suite struct StatisticsTests {
  /// A graph that looks tokens up in a generated table of two channels.
  private func lookup() throws -> (graph: Graph, value: ValueID) {
    var graph = Graph(name: "lookup")
    let ids = try graph.add(Input(name: "ids", type: TensorType(.i32, [.named("tokens")])))[0]
    let table = try graph.add(
      Generated(shape: [4, 2], values: .inline([0, 1, 2, .nan, 4, 5, 6, 7])))[0]
    let value = try graph.add(Embedding(), [ids, table])[0]
    graph.addOutput("logits", value)
    return (graph, value)
  }

  private func context(_ services: PassServices) -> PassContext {
    PassContext(
      instance: "test",
      model: ModelDescription(name: "test", vocabularySize: 4, contextLength: nil),
      target: .portable, services: services)
  }

  @Test func passesMeasureThroughTheirContext() throws {
    let (graph, value) = try lookup()
    let calibration = ChannelCalibration(windows: [[0, 2], [3]])
    let context = context(
      PassServices(
        statistics: PassServices.none.statistics,
        channelStatistics: { try calibration.statistics(of: $0, in: $1) },
        output: PassServices.none.output))
    let single = try context.channelStatistics(of: [value: .secondMoment], in: graph)
    #expect(single.count == 1 && single[value]?.maximum == [6, 7])
    #expect(single[value]?.secondMoment != nil)
    let pooled = try context.channelStatistics(
      pooling: [StatisticGroup([value, value])], in: graph)
    #expect(pooled.map(\.rows) == [6])
  }

  @Test func withoutTextThereAreNone() throws {
    let (graph, value) = try lookup()
    let error = #expect(throws: PassError.self) {
      try context(.none).channelStatistics(of: [value: .range], in: graph)
    }
    #expect(error?.message.contains("no calibration text") == true)
    #expect(error?.hint?.contains("calibration: {text: FILE}") == true)
  }

  @Test func tooFewTokens() throws {
    let (graph, value) = try lookup()
    func measure(_ request: StatisticRequest) throws -> ChannelStatistics {
      try #require(
        try Calibration.collectChannels(
          graph, requests: [value: request], windows: [[0, 1, 2], [3]])[value])
    }
    let (range, moment) = (try measure(.range), try measure(.secondMoment))
    try range.requireRows(4, for: "a site")
    try moment.requireRows(3, for: "a site")
    let short = #expect(throws: PassError.self) { try range.requireRows(5, for: "a site") }
    #expect(
      short?.message == "a site needs at least 5 calibration tokens, and the text gave 4")
    #expect(short?.hint?.contains("calibration.tokens") == true)
    // A row with a NaN is no use for a second moment.
    let unusable = #expect(throws: PassError.self) {
      try moment.requireRows(4, for: "a site")
    }
    #expect(unusable?.message.contains("gave 3 usable ones out of 4") == true)
  }
}
