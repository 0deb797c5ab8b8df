import IRCExecution
import IRCGraph
import IRCOps
import IRCSupport
import IRCTensor
import IRCTestSupport
import Testing

@Suite struct ChannelStatisticsTests {
  static let everything: StatisticRequest = [.secondMoment, .quantiles]

  /// A graph that looks tokens up in a table: what is measured are chosen rows.
  static func lookup(_ rows: [[Float]]) throws -> (graph: Graph, value: ValueID) {
    var tensors = NamedTensors()
    let shape = [rows.count, rows[0].count]
    tensors.add("table", shape, rows.flatMap { $0 })
    var graph = Graph(name: "lookup")
    let ids = try graph.add(Input(name: "ids", type: TensorType(.i32, [.named("tokens")])))[0]
    let table = try graph.add(Parameter(name: "table", shape: shape, stored: .f32))[0]
    let found = try graph.add(Embedding(), [ids, table])[0]
    graph.addOutput("logits", found)
    graph.parameters = tensors
    return (graph, found)
  }

  static func measure(
    _ rows: [[Float]], _ windows: [[Int32]], _ request: StatisticRequest = everything
  ) throws -> ChannelStatistics {
    let (graph, value) = try lookup(rows)
    return try #require(
      try Calibration.collectChannels(graph, requests: [value: request], windows: windows)[value])
  }

  @Test func exactSums() throws {
    let measured = try Self.measure(
      [[1, -2, 0.5], [3, 0, 0.25], [-5, 4, 0], [2, 2, 2]], [[0, 1], [2], [], [3, 3, 0]])
    // The rows are 0, 1, 2, 3, 3 and 0 of the table.
    #expect(measured.rows == 6 && measured.width == 3)
    #expect(measured.nonFiniteCounts == [0, 0, 0])
    #expect(measured.minimum == [-5, -2, 0])
    #expect(measured.maximum == [3, 4, 2])
    #expect(measured.absoluteMaximum == [5, 4, 2])
    let means: [Double] = [4, 4, 5.25]
    #expect(measured.mean == means.map { $0 / 6 })
    let sums: [Double] = [44, -16, 9.75, -16, 32, 6, 9.75, 6, 8.5625]
    let moment = try #require(measured.secondMoment)
    #expect(measured.momentRows == 6)
    #expect(moment.shape == [3, 3])
    #expect(moment.values == sums.map { $0 / 6 })
    let ranges = try Self.measure([[1, 2]], [[0]], .range)
    #expect(ranges.secondMoment == nil && ranges.percentile(50) == nil && ranges.rows == 1)
  }

  @Test func nonFiniteNumbers() throws {
    let measured = try Self.measure(
      [[1, 2], [.nan, 3], [4, -.infinity], [.infinity, .nan], [5, 6]], [[0, 1, 2], [3, 4]])
    #expect(measured.rows == 5)
    #expect(measured.nonFiniteCounts == [2, 2])
    #expect(measured.minimum == [1, 2] && measured.maximum == [5, 6])
    #expect(measured.mean == [10.0 / 3, 11.0 / 3])
    // Only whole rows have a part in the second moment.
    #expect(measured.momentRows == 2)
    #expect(measured.secondMoment?.values == [13, 16, 16, 20])
    #expect(measured.percentile(100) == [5, 6])
    let nothing = try Self.measure([[.nan]], [[0, 0]])
    #expect(nothing.rows == 2 && nothing.momentRows == 0)
    #expect(nothing.minimum == [0] && nothing.maximum == [0] && nothing.mean == [0])
    #expect(nothing.percentile(50) == [0] && nothing.secondMoment?.values == [0])
  }

  /// Against what the values themselves say, in a network with more channels than one stripe and more tokens than one block.
  @Test func agreesWithTheValues() throws {
    let graph = try TestNetwork.llama(width: 160, layers: 1)
    let windows = [290, 3, 17].enumerated().map { TestNetwork.ids($1, seed: UInt64($0)) }
    let values = Set(graph.operations(of: Linear.self).map { $0.operation.operands[0] }).sorted()
    var elements: [ValueID: [Float]] = [:]
    let interpreter = try Interpreter(graph)
    for ids in windows {
      _ = try interpreter.run(inputs: ["ids": Tensor([ids.count], ids)]) { value, tensor in
        if values.contains(value) { elements[value, default: []] += tensor.array(of: Float.self) }
      }
    }
    let statistics = try Calibration.collectChannels(
      graph, requests: Dictionary(uniqueKeysWithValues: values.map { ($0, Self.everything) }),
      windows: windows)
    #expect(statistics.count == values.count)
    for value in values {
      let measured = try #require(statistics[value])
      let all = try #require(elements[value])
      let n = measured.width
      let columns = (0..<n).map { channel in
        stride(from: channel, to: all.count, by: n).map { Double(all[$0]) }
      }
      #expect(measured.rows == 310 && columns[0].count == 310)
      #expect(measured.minimum.map(Double.init) == columns.map { $0.min() ?? .nan })
      #expect(measured.maximum.map(Double.init) == columns.map { $0.max() ?? .nan })
      let means = columns.map { $0.reduce(0, +) / 310 }
      #expect(relativeDifference(measured.mean, means) < 1e-13)
      let moment = columns.flatMap { a in
        columns.map { b in zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } / 310 }
      }
      let found = try #require(measured.secondMoment).values
      #expect(relativeDifference(found, moment) < 1e-13)
      #expect((0..<n * n).allSatisfy { found[$0] == found[$0 % n * n + $0 / n] })
      try checkQuantiles(measured, columns.map { $0.map { Float($0) } })
    }
  }

  /// Moments of blocks are what lies on the diagonal of the whole moment, whatever the stripes that they are cut into.
  @Test(arguments: [2, 5, 20])
  func momentsOfBlocks(blocks: Int) throws {
    let width = 300
    var random = SeededGenerator(seed: 9)
    let rows = (0..<40).map { _ in
      (0..<width).map { Float.random(in: -1...1, using: &random) * Float($0 % 7 + 1) }
    }
    let (graph, value) = try Self.lookup(rows)
    let windows: [[Int32]] = [(0..<40).map { $0 }, [3, 3, 9]]
    func collect(_ blocks: Int) throws -> ChannelStatistics {
      try Calibration.collectChannels(
        graph, groups: [StatisticGroup([value], .secondMoment, blocks: blocks)], windows: windows)[
          0]
    }
    let (whole, parts) = (try collect(1), try collect(blocks))
    let size = width / blocks
    let moment = try #require(parts.secondMoment)
    #expect(moment.shape == [blocks, size, size] && parts.momentRows == 43)
    let all = try #require(whole.secondMoment).values
    let expected = (0..<blocks * size * size).map { index in
      let (row, column) = (index / size, index % size)
      return all[row * width + row / size * size + column]
    }
    #expect(relativeDifference(moment.values, expected) < 1e-12)
    let read = try #require(ChannelStatistics(serialized: parts.serialized()))
    #expect(read.blocks == blocks && read.secondMoment?.values == moment.values)
    let pooled = try ChannelStatistics.pooled([parts, parts])
    #expect(pooled.secondMoment?.shape == moment.shape)
    #expect(throws: Diagnostic.self) { try ChannelStatistics.pooled([parts, whole]) }
    #expect(throws: Diagnostic.self) { try collect(7) }
    // The two are kept apart.
    let calibration = ChannelCalibration(windows: windows)
    for blocks in [1, blocks] {
      let group = StatisticGroup([value], .secondMoment, blocks: blocks)
      #expect(try calibration.statistics(of: [group], in: graph)[0].blocks == blocks)
    }
    #expect(calibration.passCount == 2)
  }

  /// The bound that `percentile` states.
  private func checkQuantiles(_ measured: ChannelStatistics, _ columns: [[Float]]) throws {
    let sorted = columns.map { $0.map(abs).sorted() }
    #expect(measured.percentile(100) == sorted.map { $0[$0.count - 1] })
    for percent in [0, 1, 50, 90, 99, 99.9] {
      let found = try #require(measured.percentile(percent))
      for (magnitudes, found) in zip(sorted, found) {
        let rank = max(1, Int((Double(magnitudes.count) * percent / 100).rounded(.up)))
        let exact = magnitudes[rank - 1]
        #expect(found >= exact, "\(percent) %")
        #expect(found <= exact * (1 + 1.0 / 16) || exact < 0x1p-24 && found <= 0x1p-23)
      }
    }
  }

  @Test func quantilesOfExtremeNumbers() throws {
    var random = SeededGenerator(seed: 5)
    let rows = (0..<400).map { _ in
      [
        Float.random(in: -1...1, using: &random),
        Float(sign: .plus, exponent: .random(in: -24...15, using: &random), significand: 1.0625),
        Float(sign: .minus, exponent: .random(in: -60 ... -20, using: &random), significand: 1),
      ]
    }
    let measured = try Self.measure(rows, [(0..<400).map { Int32($0) }])
    try checkQuantiles(measured, (0..<3).map { channel in rows.map { $0[channel] } })
    // Beyond the bins the largest magnitude stands for all.
    let huge = try Self.measure([[1e6], [1e9], [3]], [[0, 1, 2]])
    #expect(huge.percentile(60) == [1e9] && huge.percentile(100) == [1e9])
    let low = try #require(huge.percentile(33)?.first)
    #expect(low >= 3 && low <= 3 * (1 + 1.0 / 16))
  }

  @Test func groupsAndPoolsAgree() throws {
    let graph = try TestNetwork.llama(width: 144, layers: 3)
    let norms = graph.operations(of: RMSNorm.self).map(\.operation.result)
    let (early, late) = ([TestNetwork.ids(40), TestNetwork.ids(9, seed: 2)], [TestNetwork.ids(31)])
    func collect(_ values: [ValueID], _ windows: [[Int32]]) throws -> ChannelStatistics {
      try Calibration.collectChannels(
        graph, groups: [StatisticGroup(values, Self.everything)], windows: windows)[0]
    }
    let whole = try collect(norms, early + late)
    #expect(whole.rows == 80 * norms.count)
    // By value, by window, and both.
    let pools = [
      try norms.map { try collect([$0], early + late) },
      [try collect(norms, early), try collect(norms, late)],
      try norms.flatMap { [try collect([$0], early), try collect([$0], late)] },
    ]
    for parts in pools {
      let pooled = try ChannelStatistics.pooled(parts)
      #expect(pooled.rows == whole.rows && pooled.momentRows == whole.momentRows)
      #expect(pooled.minimum == whole.minimum && pooled.maximum == whole.maximum)
      #expect(relativeDifference(pooled.mean, whole.mean) < 1e-12)
      let (a, b) = try (#require(pooled.secondMoment), #require(whole.secondMoment))
      #expect(relativeDifference(a.values, b.values) < 1e-12)
      for percent in [10.0, 50, 99] {
        #expect(pooled.percentile(percent) == whole.percentile(percent))
      }
      #expect(try ChannelStatistics.pooled(parts).serialized() == pooled.serialized())
    }
    // A part without finite numbers changes nothing but the counts.
    let (some, none) = (
      try Self.measure([[1, -7]], [[0]]), try Self.measure([[.nan, .nan]], [[0]])
    )
    for parts in [[some, none], [none, some]] {
      let pooled = try ChannelStatistics.pooled(parts)
      #expect(pooled.rows == 2 && pooled.nonFiniteCounts == [1, 1] && pooled.momentRows == 1)
      #expect(pooled.maximum == [1, -7] && pooled.mean == [1, -7])
      #expect(pooled.secondMoment?.values == [1, -7, -7, 49])
    }
    #expect(throws: Diagnostic.self) { try ChannelStatistics.pooled([]) }
    #expect(throws: Diagnostic.self) {
      try ChannelStatistics.pooled([some, Self.measure([[1]], [[0]])])
    }
    #expect(throws: Diagnostic.self) {
      try ChannelStatistics.pooled([some, Self.measure([[1, 2]], [[0]], .range)])
    }
  }

  /// The same bytes for one thread and for two, and however many windows are kept at a time.
  @Test func bitsDoNotDependOnThreads() throws {
    let graph = try TestNetwork.mamba(width: 140, inner: 150, layers: 1)
    let windows = (0..<7).map { TestNetwork.ids(1 + 37 * $0 % 90, seed: UInt64($0)) }
    let values = graph.operations(of: Linear.self).map { $0.operation.operands[0] }
    let streams = graph.operations(of: RMSNorm.self).map(\.operation.result)
    let groups =
      Set(values).sorted().map { StatisticGroup([$0], Self.everything) }
      + [StatisticGroup(streams, Self.everything)]
    defer { Parallel.setThreads(nil) }
    var results: [[[UInt8]]] = []
    for threads in [1, 2] {
      Parallel.setThreads(threads)
      for limit in [0, 100_000, 1 << 30] {
        results.append(
          try Calibration.collectChannels(
            graph, groups: groups, windows: windows, memoryLimit: limit
          ).map { $0.serialized() })
      }
    }
    for other in results.dropFirst() { #expect(other == results[0]) }
    // Nor on what else is measured.
    let alone = try Calibration.collectChannels(graph, groups: [groups[1]], windows: windows)
    #expect(alone[0].serialized() == results[0][1])
  }
}
