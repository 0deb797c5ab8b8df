import IRCExecution
import IRCGraph
import IRCOps
import IRCSupport
import IRCTensor
import Testing

/// Which axis is measured, what is refused, and how statistics are written down.
@Suite struct ChannelRequestTests {
  /// The states after two windows, by channel, by state, and element by element.
  @Test func statesAreMeasuredAlongEitherAxis() throws {
    let graph = try TestNetwork.mamba(inner: 6, states: 4)
    let state = try #require(graph.nextStates.first { $0.name.hasSuffix("h") })
    let windows = [TestNetwork.ids(9), TestNetwork.ids(5, seed: 3)]
    let interpreter = try Interpreter(graph)
    let last = try windows.map { ids in
      var states = interpreter.initialStates()
      _ = try interpreter.run(inputs: ["ids": Tensor([ids.count], ids)], states: &states)
      return try #require(states[state.name]).array(of: Float.self)
    }
    func measure(_ axis: StatisticRequest) throws -> ChannelStatistics {
      let request: StatisticRequest = [.quantiles, .secondMoment, axis]
      return try #require(
        try Calibration.collectChannels(
          graph, requests: [state.value: request], windows: windows)[state.value])
    }
    func largest(_ elements: [Int]) -> Float? {
      elements.flatMap { index in last.map { abs($0[index]) } }.max()
    }
    let channels = try measure(.outermostAxis)
    #expect(channels.width == 6 && channels.rows == 8)
    for channel in 0..<6 {
      let elements = (0..<4).map { channel * 4 + $0 }
      #expect(channels.absoluteMaximum[channel] == largest(elements))
      #expect(channels.percentile(100)?[channel] == largest(elements))
      let squares = elements.flatMap { index in last.map { Double($0[index]) } }.map { $0 * $0 }
      let found = channels.secondMoment?.values[channel * 7] ?? 0
      #expect(abs(found - squares.reduce(0, +) / 8) <= 1e-12 * found)
    }
    let states = try measure(.range)
    #expect(states.width == 4 && states.rows == 12)
    for index in 0..<4 {
      #expect(states.absoluteMaximum[index] == largest((0..<6).map { $0 * 4 + index }))
    }
    let elements = try measure(.eachElement)
    #expect(elements.width == 24 && elements.rows == 2)
    #expect(elements.absoluteMaximum == (0..<24).map { largest([$0]) ?? -1 })
  }

  @Test func refusesWhatCannotBeMeasured() throws {
    let graph = try TestNetwork.llama()
    let windows: [[Int32]] = [[1, 2]]
    let constant = try #require(graph.operations(of: Generated.self).first).operation.result
    let positions = try #require(graph.operations(of: Positions.self).first).operation.result
    let keys = try #require(graph.operations(of: Append.self).first).operation.result
    let norm = try #require(graph.operations(of: RMSNorm.self).first).operation.result
    let refused: [(StatisticGroup, String)] = [
      (StatisticGroup([constant]), "is a constant"), (StatisticGroup([positions]), "is not real"),
      (StatisticGroup([keys], .outermostAxis), "no fixed number"),
      (StatisticGroup([keys], .eachElement), "no fixed number"),
      (StatisticGroup([norm, keys]), "cannot be measured together"),
      (StatisticGroup([]), "no values"),
    ]
    for (group, reason) in refused {
      let error = #expect(throws: Diagnostic.self) {
        try Calibration.collectChannels(graph, groups: [group], windows: windows)
      }
      #expect(error?.message.contains(reason) == true, "\(error?.message ?? "nothing")")
      #expect(error?.hint != nil)
    }
    #expect(throws: Diagnostic.self) {
      try Calibration.collectChannels(graph, groups: [StatisticGroup([norm])], windows: [[]])
    }
    #expect(throws: Diagnostic.self) {
      try Calibration.collectChannels(graph, groups: [StatisticGroup([norm])], windows: [[99]])
    }
    // A key cache of this size is no problem along its fixed axis.
    #expect(
      try Calibration.collectChannels(graph, requests: [keys: .range], windows: windows)[keys]?.rows
        == 2)
    #expect(try Calibration.collectChannels(graph, groups: [], windows: windows).isEmpty)
  }

  /// Only what the values depend on runs: an operation that would fail further down does no harm.
  @Test func onlyThePartRuns() throws {
    var (graph, value) = try ChannelStatisticsTests.lookup([[1, 2], [3, 4]])
    let missing = try graph.add(Parameter(name: "missing", shape: [2], stored: .f32))[0]
    graph.parameters = OneTensor(tensor: Tensor([2, 2], [Float(1), 2, 3, 4]))
    let product = try graph.add(Multiply(), [value, missing])[0]
    func collect(_ value: ValueID) throws -> ChannelStatistics? {
      try Calibration.collectChannels(graph, requests: [value: .range], windows: [[0, 1]])[value]
    }
    #expect(try collect(value)?.maximum == [3, 4])
    #expect(throws: Diagnostic.self) { try collect(product) }
  }

  struct OneTensor: ParameterSource {
    let tensor: Tensor
    func tensor(named name: String) throws -> Tensor {
      if name == "table" { return tensor }
      throw Diagnostic("test.missing", "no '\(name)'")
    }
  }

  @Test func partsComputeTheSame() throws {
    let graph = try TestNetwork.mamba()
    let values = Array(graph.operations(of: Linear.self).map(\.operation.result)[1...2])
    let part = graph.part(computing: values)
    #expect(part.verify().isEmpty)
    #expect(part.operations.count < graph.operations.count)
    #expect(part.outputs.map(\.name) == ["0", "1"] && part.outputs.map(\.value) == values)
    let ids = ["ids": Tensor([5], TestNetwork.ids(5))]
    var expected: [ValueID: [Float]] = [:]
    _ = try Interpreter(graph).run(inputs: ids) { value, tensor in
      if values.contains(value) { expected[value] = tensor.array(of: Float.self) }
    }
    let outputs = try Interpreter(part).run(inputs: ids)
    for (index, value) in values.enumerated() {
      #expect(outputs["\(index)"]?.array(of: Float.self) == expected[value])
    }
    var renamed = graph
    renamed.name = "other"
    renamed.facts = [Fact("known")]
    #expect(renamed.part(computing: values).text == part.text)
    #expect(graph.part(computing: values.reversed()).text != part.text)
  }

  static let requests: [StatisticRequest] = [
    .range, .secondMoment, .quantiles, [.secondMoment, .quantiles, .outermostAxis],
  ]

  @Test(arguments: requests)
  func bytesAndBack(request: StatisticRequest) throws {
    let measured = try ChannelStatisticsTests.measure(
      [[1, -2, 0.1], [.nan, 4, 1e-30]], [[0, 1, 1], [0]], request.subtracting(.outermostAxis))
    let bytes = measured.serialized()
    let read = try #require(ChannelStatistics(serialized: bytes))
    #expect(read.serialized() == bytes)
    #expect(read.request == measured.request && read.rows == measured.rows)
    #expect(read.momentRows == measured.momentRows)
    #expect(read.nonFiniteCounts == measured.nonFiniteCounts && read.mean == measured.mean)
    #expect(read.minimum == measured.minimum && read.maximum == measured.maximum)
    #expect(read.secondMoment?.values == measured.secondMoment?.values)
    #expect(read.percentile(50) == measured.percentile(50))
  }

  @Test func damagedBytesAreRefused() throws {
    let bytes = try ChannelStatisticsTests.measure([[1, -2]], [[0]], .secondMoment).serialized()
    #expect(ChannelStatistics(serialized: bytes) != nil)
    for count in 0..<bytes.count {
      #expect(ChannelStatistics(serialized: Array(bytes[..<count])) == nil)
    }
    #expect(ChannelStatistics(serialized: bytes + [0]) == nil)
    for index in bytes.indices {
      for change: UInt8 in [1, 0x80, 0xFF] {
        var damaged = bytes
        damaged[index] ^= change
        #expect(ChannelStatistics(serialized: damaged) == nil)
      }
    }
  }
}
