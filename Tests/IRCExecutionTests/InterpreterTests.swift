import Foundation
import IRCExecution
import IRCGraph
import IRCOps
import IRCSupport
import IRCTensor
import Synchronization
import Testing

@Suite struct InterpreterTests {
  static let networks = ["llama", "mamba", "llama-window"]

  static func network(_ name: String) throws -> Graph {
    switch name {
    case "llama": try TestNetwork.llama()
    case "mamba": try TestNetwork.mamba()
    default: try TestNetwork.llama(window: 3)
    }
  }

  private func logits(
    _ graph: Graph, _ parts: [[Int32]], _ precision: Precision = .double, cacheLimit: Int = 1 << 30
  ) throws -> [Double] {
    let model = try GraphLanguageModel(graph, precision: precision, cacheLimit: cacheLimit)
    var session = try model.makeSession()
    return try parts.flatMap { try session.read($0).values }
  }

  @Test(arguments: networks, [1, 3, 4])
  func prefillEqualsSteps(name: String, chunk: Int) throws {
    let graph = try Self.network(name)
    let ids = TestNetwork.ids(11)
    let parts = stride(from: 0, to: ids.count, by: chunk).map {
      Array(ids[$0..<min(ids.count, $0 + chunk)])
    }
    let whole = try logits(graph, [ids])
    #expect(relativeDifference(try logits(graph, parts), whole) < 1e-12)
    #expect(relativeDifference(try logits(graph, parts, .single), whole) < 1e-5)
    // Logits of a network that ignores its states would pass the above if they never changed.
    #expect(relativeDifference(try logits(graph, ids.map { [$0] }), whole) < 1e-12)
    let fresh = try ids.flatMap { try logits(graph, [[$0]]) }
    #expect(relativeDifference(fresh, whole) > 1e-2)
  }

  @Test(arguments: networks)
  func constantsNeedNotBeKept(name: String) throws {
    let graph = try Self.network(name)
    for precision in [Precision.single, .double] {
      let kept = try logits(graph, [TestNetwork.ids(9)], precision)
      for limit in [0, 1000, 5000] {
        #expect(try logits(graph, [TestNetwork.ids(9)], precision, cacheLimit: limit) == kept)
      }
    }
  }

  @Test func runsOnSeveralThreads() throws {
    let model = try GraphLanguageModel(try TestNetwork.mamba())
    let alone = try (0..<8).map {
      try model.negativeLogLikelihood(of: TestNetwork.ids(20, seed: UInt64($0)))
    }
    let shared = try GraphLanguageModel(try TestNetwork.mamba())
    let together = try Parallel.map(8) {
      try shared.negativeLogLikelihood(of: TestNetwork.ids(20, seed: UInt64($0)))
    }
    #expect(alone == together)
  }

  @Test func computesConstantsOnce() throws {
    let source = CountingSource()
    var graph = try Self.parameterGraph(scaled: true)
    graph.parameters = source
    let interpreter = try Interpreter(graph)
    try Parallel.forEach(6) { _ in
      _ = try interpreter.run(inputs: ["x": Tensor([1, 4], [Float(1), 2, 3, 4])])
    }
    #expect(source.reads == 1)
    let without = try Interpreter(graph, cacheLimit: 0)
    for _ in 0..<3 { _ = try without.run(inputs: ["x": Tensor([1, 4], [Float(1), 2, 3, 4])]) }
    #expect(source.reads == 4)
  }

  @Test func mappedWeightsCostNothing() throws {
    let path = NSTemporaryDirectory() + "irc-mapped-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: path) }
    try Data(repeating: 0, count: 48).write(to: URL(fileURLWithPath: path))
    let source = CountingSource(
      Tensor(mapping: try MappedFile(path: path), at: 0, shape: [3, 4], .f32))
    var graph = try Self.parameterGraph(scaled: false)
    graph.parameters = source
    let interpreter = try Interpreter(graph, cacheLimit: 0)
    for _ in 0..<3 { _ = try interpreter.run(inputs: ["x": Tensor([1, 4], [Float(1), 2, 3, 4])]) }
    #expect(source.reads == 1)
  }

  /// linear(x, w) or linear(x, 2·w) with w from the checkpoint.
  static func parameterGraph(scaled: Bool) throws -> Graph {
    var graph = Graph(name: "parameters")
    let x = try graph.add(Input(name: "x", type: TensorType(.f32, [.named("rows"), 4])))[0]
    var w = try graph.add(Parameter(name: "w", shape: [3, 4], stored: .f32))[0]
    if scaled {
      let two = try graph.add(Generated(shape: [4], values: .splat(2)))[0]
      w = try graph.add(Multiply(), [w, two], at: .checkpoint("w"))[0]
    }
    graph.addOutput("y", try graph.add(Linear(), [x, w], at: .checkpoint("w"))[0])
    return graph
  }

  final class CountingSource: ParameterSource {
    private let count = Mutex(0)
    private let tensor: Tensor
    var reads: Int { count.withLock { $0 } }
    init(_ tensor: Tensor = Tensor([3, 4], (0..<12).map(Float.init))) { self.tensor = tensor }
    func tensor(named name: String) throws -> Tensor {
      count.withLock { $0 += 1 }
      return tensor
    }
  }

  @Test func observersSeeEveryRuntimeValue() throws {
    let graph = try TestNetwork.llama()
    let interpreter = try Interpreter(graph, precision: .double)
    let constants = graph.constants()
    var seen: [ValueID: Tensor] = [:]
    let outputs = try interpreter.run(inputs: ["ids": Tensor([5], TestNetwork.ids(5))]) {
      seen[$0] = $1
    }
    let expected = graph.operations.flatMap(\.results).filter { !constants.contains($0) }
    #expect(Set(seen.keys) == Set(expected))
    #expect(seen[graph.outputs[0].value]?.values == outputs["logits"]?.values)
    for (value, tensor) in seen {
      let type = graph.type(of: value)
      #expect(type.shape.map { $0.value(with: ["tokens": 5, "past": 0]) } == tensor.shape)
    }
  }

  @Test func stateIsUnchangedAfterAnError() throws {
    let interpreter = try Interpreter(try TestNetwork.mamba())
    var states = interpreter.initialStates()
    _ = try interpreter.run(inputs: ["ids": Tensor([2], [Int32(1), 2])], states: &states)
    let before = states.mapValues(\.values)
    #expect(throws: Diagnostic.self) {
      try interpreter.run(inputs: ["ids": Tensor([2], [Int32(1), 99])], states: &states)
    }
    #expect(states.mapValues(\.values) == before)
  }

  @Test func errorsSayWhere() throws {
    var graph = try Self.parameterGraph(scaled: true)
    func message(_ body: () throws -> Void) -> Diagnostic? {
      do {
        try body()
        return nil
      } catch { return error as? Diagnostic }
    }
    let x = Tensor([1, 4], [Float(1), 2, 3, 4])
    let missing = try #require(
      message { _ = try Interpreter(graph).run(inputs: ["x": x]) })
    #expect(missing.id == "run.operation-failed")
    #expect(missing.message.contains("operation 'param'") && missing.message.contains("'w'"))

    graph.parameters = CountingSource(Tensor([2, 4], [Float](repeating: 0, count: 8)))
    let wrong = try #require(
      message { _ = try Interpreter(graph, cacheLimit: 0).run(inputs: ["x": x]) })
    #expect(wrong.message.contains("expected f32[3, 4]"))

    graph.parameters = CountingSource()
    let interpreter = try Interpreter(graph)
    let cases: [([String: Tensor], String, String)] = [
      ([:], "run.missing-input", "'x'"), (["y": x], "run.missing-input", "'x'"),
      (["x": Tensor([4], [Float](repeating: 0, count: 4))], "run.wrong-input", "f32[rows, 4]"),
      (["x": Tensor([1, 3], [Float](repeating: 0, count: 3))], "run.wrong-input", "f32[1, 3]"),
      (["x": Tensor([1, 4], [Int32](repeating: 0, count: 4))], "run.wrong-input", "i32[1, 4]"),
    ]
    for (inputs, id, part) in cases {
      let error = try #require(message { _ = try interpreter.run(inputs: inputs) })
      #expect(error.id == id && error.message.contains(part), "\(error)")
      #expect(error.hint != nil)
    }
    let ids = message {
      _ = try Interpreter(TestNetwork.llama()).run(inputs: ["ids": Tensor([1], [Int32(24)])])
    }
    #expect(ids?.message.contains("operation 'embedding'") == true)
    #expect(ids?.message.contains("24") == true)
  }

  @Test func refusesInvalidGraphs() throws {
    var graph = Graph(name: "broken")
    let x = try graph.add(Input(name: "x", type: TensorType(.f32, [2])))[0]
    try graph.add(Input(name: "x", type: TensorType(.f32, [2])))
    graph.addOutput("y", x)
    #expect(throws: Diagnostic.self) { try Interpreter(graph) }
  }

  @Test func extentsMustAgree() throws {
    var graph = Graph(name: "two")
    let type = TensorType(.f32, [.named("rows"), 2])
    let a = try graph.add(Input(name: "a", type: type))[0]
    let b = try graph.add(Input(name: "b", type: type))[0]
    graph.addOutput("sum", try graph.add(Add(), [a, b])[0])
    let interpreter = try Interpreter(graph)
    let (one, two) = (Tensor([1, 2], [Float(1), 2]), Tensor([2, 2], [Float(1), 2, 3, 4]))
    #expect(try interpreter.run(inputs: ["a": two, "b": two])["sum"]?.values == [2, 4, 6, 8])
    #expect(throws: Diagnostic.self) { try interpreter.run(inputs: ["a": one, "b": two]) }
    let wide = Tensor([1, 2], [1.5, 2.5])
    #expect(try interpreter.run(inputs: ["a": one, "b": wide])["sum"]?.values == [2.5, 4.5])
  }
}
