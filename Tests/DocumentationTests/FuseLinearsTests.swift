import IRCPassKit
import IRCPassManager
import Testing

@Suite("fuse-linears")
struct FuseLinearsTests {
  /// Two layers 8 → `width` → 8 behind an embedding of 16 tokens.
  private func network(width: Int, bias: Bool = false, observed: Bool = false) throws -> Graph {
    var graph = Graph(name: "chain")
    func random(_ shape: [Int], seed: UInt64) throws -> ValueID {
      try graph.add(Generated(shape: shape, values: .random(seed: seed, scale: 0.5)))[0]
    }
    let ids = try graph.add(Input(name: "ids", type: TensorType(.i32, [.named("tokens")])))[0]
    let x = try graph.add(Embedding(), [ids, random([16, 8], seed: 1)])[0]
    var operands = [x, try random([width, 8], seed: 2)]
    if bias { operands.append(try random([width], seed: 3)) }
    let middle = try graph.add(Linear(), operands)[0]
    let logits = try graph.add(
      Linear(), [middle, random([8, width], seed: 4), random([8], seed: 5)])[0]
    graph.addOutput("logits", logits)
    if observed { graph.addOutput("middle", middle) }
    return graph
  }

  /// Runs the pass as a pipeline would, with the graph verified and run before and after.
  private func run(_ pass: FuseLinears, on graph: inout Graph) throws -> PassRun {
    let recorder = RunRecorder()
    let manager = PassManager(
      [PassInstance(id: FuseLinears.info.name, pass: pass, span: nil)],
      registry: try PassRegistry([FuseLinears.self]),
      instruments: [
        VerifyInstrument(), FunctionCheckInstrument(probe: [3, 1, 4, 1, 5]), recorder,
      ])
    try manager.run(
      on: &graph, model: ModelDescription(name: "chain", vocabularySize: 16, contextLength: nil),
      target: .portable, services: .none)
    return try #require(recorder.runs.first)
  }

  @Test("A wide middle is multiplied out, and the network computes what it did")
  func fuses() throws {
    var graph = try network(width: 32)
    let run = try run(FuseLinears(), on: &graph)
    #expect(run.counters.map(\.value) == [1, 0])
    let logits = graph.producer(of: graph.outputs[0].value)
    #expect(logits.op is Linear && logits.operands.count == 3)
    #expect(graph.producer(of: logits.operands[0]).op is Embedding)
  }

  @Test(
    "Pairs that must stay are left alone, with the reason",
    arguments: [
      (2, false, false, "64 multiplications instead of 32"),
      (32, true, false, "has a bias"),
      (32, false, true, "something else reads"),
    ])
  func keeps(width: Int, bias: Bool, observed: Bool, reason: String) throws {
    let before = try network(width: width, bias: bias, observed: observed)
    var graph = before
    let run = try run(FuseLinears(), on: &graph)
    #expect(graph == before)
    #expect(run.counters.map(\.value) == [0, 1])
    #expect(run.remarks.count == 1)
    #expect(try #require(run.remarks.first).message.contains(reason))
  }

  @Test("The option allows what would cost more")
  func grows() throws {
    var pass = FuseLinears()
    pass.growth = 2
    var graph = try network(width: 2)
    #expect(try run(pass, on: &graph).counters.map(\.value) == [1, 0])
  }
}
