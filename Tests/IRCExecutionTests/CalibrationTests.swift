import IRCExecution
import IRCGraph
import IRCOps
import IRCSupport
import IRCTensor
import Testing

@Suite struct CalibrationTests {
  @Test func statisticsAgreeWithTheValues() throws {
    let graph = try TestNetwork.llama()
    let windows = (0..<5).map { TestNetwork.ids(6 + $0, seed: UInt64($0)) } + [[]]
    let values = Set(
      graph.operations(of: Linear.self).map(\.operation.result)
        + graph.operations(of: SiLU.self).map(\.operation.result))
    var elements: [ValueID: [Float]] = [:]
    let interpreter = try Interpreter(graph)
    for ids in windows where !ids.isEmpty {
      _ = try interpreter.run(inputs: ["ids": Tensor([ids.count], ids)]) { value, tensor in
        if values.contains(value) { elements[value, default: []] += tensor.array(of: Float.self) }
      }
    }
    let statistics = try Calibration.collect(graph, values: values, windows: windows)
    #expect(Set(statistics.keys) == values)
    for (value, measured) in statistics {
      let seen = try #require(elements[value])
      #expect(measured.count == seen.count)
      #expect(measured.nonFiniteCount == 0)
      #expect(measured.minimum == seen.min())
      #expect(measured.maximum == seen.max())
      let magnitudes = seen.map(abs).sorted()
      #expect(measured.absoluteMaximum == magnitudes.last)
      #expect(measured.percentile(100) == magnitudes.last)
      for percent in [0, 1, 50, 90, 99, 99.9] {
        let rank = max(1, Int((Double(magnitudes.count) * percent / 100).rounded(.up)))
        let exact = magnitudes[rank - 1]
        let found = measured.percentile(percent)
        #expect(found >= exact && found <= exact * (1 + 1.0 / 256), "\(percent) %")
      }
    }
  }

  /// A graph whose only operation sees chosen numbers.
  private func measure(_ numbers: [Float]) throws -> ValueStatistics {
    var graph = Graph(name: "numbers")
    let ids = try graph.add(Input(name: "ids", type: TensorType(.i32, [.named("tokens")])))[0]
    let table = try graph.add(Parameter(name: "numbers", shape: [numbers.count, 1], stored: .f32))[
      0]
    let rows = try graph.add(Embedding(), [ids, table])[0]
    graph.addOutput("logits", rows)
    graph.parameters = Numbers(tensor: Tensor([numbers.count, 1], numbers))
    let window = numbers.indices.map(Int32.init)
    return try #require(
      try Calibration.collect(graph, values: [rows], windows: [window])[rows])
  }

  struct Numbers: ParameterSource {
    let tensor: Tensor
    func tensor(named name: String) throws -> Tensor { tensor }
  }

  @Test func extremeNumbers() throws {
    let odd = try measure([.nan, 1, .infinity, -2, 0, -.infinity, 1e30, 1e-30])
    #expect(odd.count == 5 && odd.nonFiniteCount == 3)
    #expect(odd.minimum == -2 && odd.maximum == 1e30)
    #expect(odd.percentile(100) == 1e30)
    #expect(odd.percentile(60) >= 1 && odd.percentile(60) <= 1 + 1.0 / 256)
    #expect(odd.percentile(40) <= 0x1p-39)
    let nothing = try measure([.nan])
    #expect(nothing.count == 0 && nothing.absoluteMaximum == 0 && nothing.percentile(50) == 0)
    let negative = try measure([-3, -5])
    #expect(negative.maximum == -3 && negative.absoluteMaximum == 5)
  }

  @Test func refusesWhatCannotBeMeasured() throws {
    let graph = try TestNetwork.llama()
    let constant = try #require(graph.operations(of: Generated.self).first).operation.result
    let positions = try #require(graph.operations(of: Positions.self).first).operation.result
    for value in [constant, positions] {
      #expect(throws: Diagnostic.self) {
        try Calibration.collect(graph, values: [value], windows: [[1, 2]])
      }
    }
    #expect(throws: Diagnostic.self) {
      try Calibration.collect(graph, values: [], windows: [[]])
    }
  }
}

@Suite struct FunctionCheckTests {
  static let networks = ["llama", "mamba"]

  private func compare(
    _ a: Graph, _ b: Graph, tolerance: Double = 1e-5, probe: [Int32] = TestNetwork.ids(8)
  ) throws -> FunctionCheck.Difference {
    try FunctionCheck.compare(a, b, probe: probe, tolerance: tolerance)
  }

  @Test(arguments: networks)
  func equalGraphs(name: String) throws {
    let graph = try InterpreterTests.network(name)
    let difference = try compare(graph, graph, tolerance: 0)
    #expect(difference.largest == 0 && difference.firstExceeding == nil)
    #expect(difference.outputs.map(\.name) == ["logits"])
  }

  /// Folding a gain into the weights that read it preserves the function; forgetting one of them does not.
  @Test(arguments: networks)
  func foldedGains(name: String) throws {
    let before = try InterpreterTests.network(name)
    var after = before
    let norm = try #require(after.operations(of: RMSNorm.self).first)
    let gain = norm.operation.operands[1]
    let readers = try #require(after.uses()[norm.operation.result])
    try after.replace(norm.operation.id, with: norm.op, [norm.operation.operands[0]])
    for (index, reader) in readers.enumerated() {
      let weight = after[reader.operation].operands[1]
      let scaled = try after.add(Multiply(), [weight, gain], before: reader.operation)[0]
      after.setOperand(1, of: reader.operation, to: scaled)
      let difference = try compare(before, after)
      let isDone = index == readers.count - 1
      #expect((difference.firstExceeding == nil) == isDone, "\(difference)")
      #expect((difference.largest < 1e-5) == isDone)
    }
    // The same in double precision.
    let exact = try FunctionCheck.compare(
      before, after, probe: [1, 2, 3], tolerance: 1e-13, precision: .double)
    #expect(exact.firstExceeding == nil)
  }

  /// A change that only later tokens see, through a state.
  @Test func statesAreCompared() throws {
    let before = try TestNetwork.mamba()
    var after = before
    let (name, _) = try #require(before.nextStates.first { $0.name.hasSuffix("h") })
    let next = try #require(before.nextStates.first { $0.name == name }).value
    after.setNextState(name, try after.add(Negate(), [next])[0])
    let difference = try compare(before, after)
    let first = try #require(difference.firstExceeding)
    #expect(first.output == "logits" && first.index[0] >= 4)
    #expect(first.description.contains("'logits'"))
    #expect(try compare(before, after, probe: [1]).firstExceeding == nil)
  }

  @Test func notANumber() throws {
    let before = try TestNetwork.llama()
    var after = before
    let logits = after.outputs[0].value
    let huge = try after.add(Generated(shape: [24], values: .splat(1e38)))[0]
    var scaled = logits
    for _ in 0..<3 { scaled = try after.add(Multiply(), [scaled, huge])[0] }
    after.replaceUses(
      of: logits, with: scaled,
      except: Set(after.uses()[logits]?.map(\.operation) ?? []))
    let difference = try compare(before, after)
    #expect(difference.largest == .infinity && difference.firstExceeding != nil)
  }

  @Test func outputsMustMatch() throws {
    let before = try TestNetwork.llama()
    #expect(throws: Diagnostic.self) {
      try compare(before, try InterpreterTests.parameterGraph(scaled: false))
    }
    #expect(throws: Diagnostic.self) { try compare(before, before, probe: [99]) }
  }
}
