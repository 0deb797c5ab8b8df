import IRCExecution
import IRCGraph
import IRCOps
import IRCSupport
import IRCTensor
import IRCTestSupport
import Testing

@Suite("Walking over calibration text")
struct CalibrationWalkTests {
  private static let windows: [[Int32]] = [[3, 1, 4, 1, 5], [9, 2, 6], [5, 3, 5, 8]]

  private func values(_ graph: Graph, _ value: ValueID) throws -> [[Float]] {
    let interpreter = try Interpreter(graph)
    return try Self.windows.map { ids in
      var found: [Float] = []
      _ = try interpreter.run(inputs: ["ids": Tensor([ids.count], ids)]) {
        if $0 == value { found = $1.array(of: Float.self) }
      }
      return found
    }
  }

  private func arrays(_ tensors: [Tensor]) -> [[Float]] {
    tensors.map { $0.array(of: Float.self) }
  }

  @Test(
    "Values are those that the interpreter computes, whatever the order of the stops",
    arguments: [SampleNetworks.transformer, SampleNetworks.stateSpace], [1, 3])
  func sees(text: String, threads: Int) throws {
    defer { Parallel.setThreads(nil) }
    Parallel.setThreads(threads)
    let graph = try SampleNetworks.graph(text)
    let inputs = graph.operations(of: Linear.self).map { $0.operation.operands[0] }
    let first = try #require(inputs.first)
    // A value of long ago is still there, and one of later on is computed for the occasion.
    let stops = inputs.reversed().map {
      CalibrationStop([$0, first], ahead: [graph.producer(of: graph.outputs[0].value).result])
    }
    var seen: [Int] = []
    try CalibrationWalk(graph, stops: stops, windows: Self.windows).run { index, found in
      seen.append(index)
      let expected = try [stops[index].values[0], first, graph.outputs[0].value].map {
        try values(graph, $0)
      }
      #expect((found.values + found.ahead).map(arrays) == expected)
      return []
    }
    #expect(Set(seen) == Set(stops.indices) && seen.count == stops.count)
    let places = seen.map { stops[$0].values[0] }
    #expect(places == places.sorted())
  }

  @Test("What is replaced at one stop is what later stops see, and only there")
  func replaces() throws {
    let graph = try SampleNetworks.graph(SampleNetworks.transformer)
    let linears = graph.operations(of: Linear.self).map(\.operation)
    let (down, head) = (linears[linears.count - 2], linears[linears.count - 1])
    let zero = Tensor(zeros: [8, 12], .f32)
    var other = graph
    let weight = try other.add(
      Generated(shape: [8, 12], values: .splat(0)), before: down.id)[0]
    other.setOperand(1, of: down.id, to: weight)
    var count = 0
    try CalibrationWalk(
      graph, stops: [down, head].map { CalibrationStop([$0.operands[0]]) }, windows: Self.windows
    ).run { index, found in
      count += 1
      let expected = try values(index == 0 ? graph : other, [down, head][index].operands[0])
      #expect(arrays(found.values[0]) == expected)
      return index == 0 ? [OperandReplacement(down.id, operand: 1, zero)] : []
    }
    #expect(count == 2)
    let changed = try values(graph, head.operands[0]) != values(other, head.operands[0])
    #expect(changed)
  }

  @Test("Constants and texts without tokens are refused")
  func refuses() throws {
    let graph = try SampleNetworks.graph(SampleNetworks.transformer)
    let linear = try #require(graph.operations(of: Linear.self).first).operation
    #expect(throws: Diagnostic.self) {
      try CalibrationWalk(
        graph, stops: [CalibrationStop([linear.operands[1]])], windows: Self.windows)
    }
    #expect(throws: Diagnostic.self) {
      try CalibrationWalk(graph, stops: [CalibrationStop([linear.operands[0]])], windows: [[]])
    }
  }
}
