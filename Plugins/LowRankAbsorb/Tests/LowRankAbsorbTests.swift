import IRCPassKit
import IRCPassManager
import IRCTestSupport
import LowRankAbsorb
import QuantizeTensors
import Testing

@Suite("low-rank-absorb")
struct LowRankAbsorbTests {
  private static let windows: [[Int32]] = (0..<8).map { seed in
    (0..<16).map { Int32(($0 * 7 + seed * 3) % 16) }
  }
  /// Few bits, so that small layers have bits to spare for a branch.
  private static let scheme = QuantizationScheme(
    weights: QuantizationSpec(.integer(bits: 2), .row),
    activations: .init(spec: QuantizationSpec(.integer(bits: 4), .row)))

  private func run(
    _ passes: [any Pass], on graph: inout Graph, windows: [[Int32]] = windows
  ) throws -> [PassRun] {
    let recorder = RunRecorder()
    let manager = PassManager(
      passes.map { PassInstance(id: type(of: $0).info.name, pass: $0, span: nil) },
      registry: try PassRegistry([LowRankAbsorb.self, QuantizeTensors.self]),
      instruments: [VerifyInstrument(), recorder])
    var services = PassServices.none
    services.channelStatistics = { groups, graph in
      try Calibration.collectChannels(graph, groups: groups, windows: windows)
    }
    try manager.run(
      on: &graph, model: ModelDescription(name: "m", vocabularySize: 16, contextLength: nil),
      target: .portable, services: services)
    return recorder.runs
  }

  private func pass(_ rank: Int, _ change: (inout LowRankAbsorb) -> Void = { _ in })
    -> LowRankAbsorb
  {
    var pass = LowRankAbsorb()
    pass.rank = rank
    pass.scheme = Self.scheme
    change(&pass)
    return pass
  }

  private func difference(_ before: Graph, _ after: Graph) throws -> Double {
    try FunctionCheck.compare(
      before, after, probe: [3, 1, 4, 1, 5, 9], tolerance: 1, precision: .double
    ).largest
  }

  /// The branch's constants.
  private func kept(_ graph: Graph) -> [Parameter] {
    graph.operations(of: Parameter.self).map(\.op).filter(\.isKeptReal)
  }

  @Test(
    "The function stays, whatever is made least and however often",
    arguments: [SampleNetworks.transformer, SampleNetworks.stateSpace],
    [(LowRankObjective.plain, 1), (.plain, 4), (.whitened, 1), (.whitened, 4)])
  func preserves(text: String, kind: (objective: LowRankObjective, iterations: Int)) throws {
    let before = try SampleNetworks.graph(text)
    var after = before
    let runs = try run(
      [
        pass(2) {
          $0.objective = kind.objective
          $0.iterations = kind.iterations
        }
      ], on: &after)
    #expect((runs.first?.counters.first { $0.name == "absorbed" }?.value ?? 0) > 3)
    #expect(try difference(before, after) < 1e-13)
    #expect(kept(after).allSatisfy { $0.stored == .f16 } && !kept(after).isEmpty)
  }

  @Test("Layers of one input share the down-projection, and each has its own way up")
  func shares() throws {
    var graph = try SampleNetworks.graph(SampleNetworks.transformer)
    // Rows of eight weights are filled up to 32, which leaves room for no more than a rank of 1.
    _ = try run(
      [pass(2) { $0.include = ["q.*", "k.*", "v.*"].map { NamePattern($0) } }], on: &graph)
    #expect(
      kept(graph).map { "\($0.name) \($0.shape)" } == [
        "low-rank-absorb/q.weight/down [1, 8]", "low-rank-absorb/q.weight/up [16, 1]",
        "low-rank-absorb/k.weight/up [8, 1]", "low-rank-absorb/v.weight/up [8, 1]",
      ])
  }

  @Test("Quantizing afterwards leaves the branch real and rounds the input of the rest alone")
  func leavesBranch() throws {
    var graph = try SampleNetworks.graph(SampleNetworks.transformer)
    var quantize = QuantizeTensors()
    quantize.scheme = Self.scheme
    let runs = try run([pass(2) { $0.include = [NamePattern("down.*")] }, quantize], on: &graph)
    #expect(runs[1].counters.first { $0.name == "skipped" }?.value == 2)
    let constants = graph.constants()
    for (linear, _) in graph.operations(of: Linear.self) where !constants.contains(linear.result) {
      let isBranch = graph.isKeptReal(linear.operands[1])
      for operand in linear.operands.prefix(2) {
        #expect((graph.definition(of: operand, as: Dequantize.self) == nil) == isBranch)
      }
    }
    #expect(kept(graph).count == 2)
    let text = graph.text
    #expect(text.contains("kept_real = true"))
    #expect(try GraphParser.parse(text, file: "again.irc", registry: .standard).text == text)
  }

  /// x·Wᵀ for one weight with an outlying column, which is 30 times as large as the others.
  private func outlying() throws -> Graph {
    let (rows, columns) = (64, 96)
    var graph = Graph(name: "outlying")
    let ids = try graph.add(Input(name: "ids", type: TensorType(.i32, [.named("tokens")])))[0]
    let table = try graph.add(Parameter(name: "table", shape: [16, columns], stored: .f32))[0]
    let x = try graph.add(Embedding(), [ids, table])[0]
    let weights = try graph.add(Parameter(name: "w", shape: [rows, columns], stored: .f32))[0]
    graph.addOutput("logits", try graph.add(Linear(), [x, weights])[0])
    var tensors = NamedTensors()
    tensors.add(random: "table", [16, columns])
    tensors.add(random: "w", [rows, columns])
    let values = tensors.values(of: "w").enumerated().map { $0 % columns == 5 ? $1 * 30 : $1 }
    tensors.add("w", [rows, columns], values)
    graph.parameters = tensors
    return graph
  }

  @Test(
    "With outlying channels the quantized error is smaller than without a branch",
    arguments: [LowRankObjective.plain, .whitened])
  func helps(objective: LowRankObjective) throws {
    let before = try outlying()
    var quantize = QuantizeTensors()
    quantize.scheme = QuantizationScheme(
      weights: QuantizationSpec(.integer(bits: 4), .row),
      activations: .init(spec: QuantizationSpec(.integer(bits: 4), .row)), embeddings: nil)
    var plain = before
    _ = try run([quantize], on: &plain)
    var errors = [try difference(before, plain)]
    for iterations in [1, 8] {
      var split = before
      _ = try run(
        [
          pass(4) {
            $0.objective = objective
            $0.iterations = iterations
          }, quantize,
        ], on: &split, windows: (0..<32).map { [Int32($0 % 16), 3, 5, Int32($0 * 7 % 16)] })
      errors.append(try difference(before, split))
    }
    #expect(errors[1] < 0.5 * errors[0], "\(errors)")
    #expect(errors[2] < 0.5 * errors[0], "\(errors)")
  }

  @Test("No branch costs more bits than its layer saves, and each reduction is told")
  func limits() throws {
    var graph = try SampleNetworks.graph(SampleNetworks.transformer)
    let runs = try run([pass(1000)], on: &graph)
    // 16 · 8 weights of 16 bits are 2048; 2-bit codes and a scale for each of 16 rows take 768; a rank takes 16 · 24.
    let log = try #require(runs.first)
    #expect(
      log.remarks.contains { $0.kind.name == "reduced" && $0.message.contains("and not 1000") })
    for (linear, _) in graph.operations(of: Linear.self)
    where graph.isKeptReal(linear.operands[1]) {
      let shape = try #require(graph.type(of: linear.operands[1]).fixedShape)
      #expect(16 * (shape[0] + shape[1]) * min(shape[0], shape[1]) <= 14 * 24 * 16)
    }
    var wide = QuantizationScheme.roundToNearestInt8
    wide.weights.format = .integer(bits: 8)
    wide.weights.scaleFormat = .f32
    var small = try SampleNetworks.graph(SampleNetworks.stateSpace)
    let refused = try run([pass(4) { $0.scheme = wide }], on: &small)
    #expect(refused.first?.remarks.contains { $0.kind.name == "left-out" } == true)
    #expect((refused.first?.counters.first { $0.name == "skipped" }?.value ?? 0) > 0)
  }

  @Test("A budget bounds what all branches take", arguments: [0.5, 2, 4])
  func budget(bits: Double) throws {
    var graph = try SampleNetworks.graph(SampleNetworks.transformer)
    let weights = graph.operations(of: Linear.self).reduce(0) {
      $0 + graph.type(of: $1.operation.operands[1]).elementCount
    }
    let runs = try run([pass(1000) { $0.budget = bits }], on: &graph)
    let taken = kept(graph).reduce(0) { $0 + 16 * $1.shape.reduce(1, *) }
    #expect(Double(taken) <= bits * Double(weights))
    // All but what the next rank of some layer would cost.
    #expect(Double(taken) > bits * Double(weights) - 16 * 48 || bits == 4)
    let counters = try #require(runs.first).counters
    #expect((counters.first { $0.name == "absorbed" }?.value ?? 0) > 0)
  }

  @Test("The same graph for any number of threads")
  func deterministic() throws {
    let texts = try [1, 4].map { threads in
      Parallel.setThreads(threads)
      defer { Parallel.setThreads(nil) }
      var graph = try SampleNetworks.graph(SampleNetworks.stateSpace)
      _ = try run([pass(2) { $0.objective = .whitened }], on: &graph)
      let tensors = try kept(graph).map { try graph.parameters.tensor(named: $0.name) }
      return tensors.map { $0.withBytes { Array($0) } }
    }
    #expect(texts[0] == texts[1] && !texts[0].isEmpty)
  }

  private func message(
    _ pass: LowRankAbsorb, windows: [[Int32]] = windows, change: (inout Graph) -> Void = { _ in }
  ) throws -> String {
    var graph = try SampleNetworks.graph(SampleNetworks.transformer)
    change(&graph)
    do {
      _ = try run([pass], on: &graph, windows: windows)
      return "no error"
    } catch let list as DiagnosticList {
      return list.diagnostics.map { "\($0.message) \($0.notes.joined()) \($0.hint ?? "")" }.joined()
    }
  }

  @Test("Mistakes say what to do")
  func mistakes() throws {
    #expect(
      try message(pass(2) { $0.objective = .whitened }, windows: [[1, 2, 3]])
        .contains("needs at least 8 calibration tokens, and the text gave 3"))
    #expect(
      try message(pass(2) { $0.include = [NamePattern("q.weigth")] })
        .contains("did you mean 'q.weight'?"))
    let broken = try message(pass(2)) { graph in
      var tensors = NamedTensors()
      for (_, op) in graph.operations(of: Parameter.self) { tensors.add(random: op.name, op.shape) }
      tensors.add("o.weight", [8, 16], [Float](repeating: .nan, count: 128))
      graph.parameters = tensors
    }
    #expect(broken.contains("nan at [0, 0]") && broken.contains("'o.weight'"), "\(broken)")
    #expect(pass(2) { $0.budget = 0 }.check() == ["'budget' must be above 0, or null for none"])
    var zero = LowRankAbsorb()
    let rank = try #require(zero.options.first { $0.key == "rank" })
    let file = TextFile(path: "p.yaml", text: "0")
    let span = SourceSpan(file: file, line: 1, column: 1, length: 1)
    let none = OptionValue(.scalar("0"), span: span)
    #expect(throws: DiagnosticList.self) { try rank.set(none, of: &zero) }
  }
}
