import IRCPassKit
import IRCPassManager
import IRCTestSupport
import MixedPrecision
import QuantizeTensors
import Testing

@Suite("mixed-precision")
struct MixedPrecisionTests {
  private static let windows: [[Int32]] = (0..<6).map { window in
    let random = RandomNumbers(seed: UInt64(window))
    return (0..<32).map { Int32(random.integer($0, below: 16)) }
  }

  private static let services = PassServices(
    statistics: { _, _ in throw PassError("not asked for") },
    channelStatistics: { groups, graph in
      try Calibration.collectChannels(graph, groups: groups, windows: windows)
    },
    logitProbe: { try LogitProbe($0, windows: windows, tokens: $1) },
    output: { throw PassError("not asked for") })

  private static let plugins: [any Plugin.Type] = [
    QuantizeTensors.self, MixedPrecision.self, LogitDivergenceMetric.self, LogitNoiseMetric.self,
    OutputErrorMetric.self, WeightErrorMetric.self, ExactSolver.self, GreedySolver.self,
    ShortMetric.self, SpendthriftSolver.self, HesitantSolver.self,
  ]

  /// One scale for a tensor, since the rows of the sample networks are too short to bear scales.
  private static let start = QuantizationScheme(
    weights: QuantizationSpec(.integer(bits: 4), .tensor), embeddings: nil)

  private func choices(_ bits: [Int]) -> [QuantizationScheme] {
    bits.map {
      QuantizationScheme(weights: QuantizationSpec(.integer(bits: $0), .tensor), embeddings: nil)
    }
  }

  private func run(
    _ pass: MixedPrecision, on text: String = SampleNetworks.transformer,
    scheme: QuantizationScheme = start, services: PassServices = services
  ) throws -> (graph: Graph, run: PassRun) {
    var graph = try SampleNetworks.graph(text)
    var quantize = QuantizeTensors()
    quantize.scheme = scheme
    let recorder = RunRecorder()
    let manager = PassManager(
      [
        PassInstance(id: "quantize", pass: quantize, span: nil),
        PassInstance(id: "mixed-precision", pass: pass, span: nil),
      ], registry: try PassRegistry(Self.plugins),
      instruments: [VerifyInstrument(), recorder])
    try manager.run(
      on: &graph, model: ModelDescription(name: "m", vocabularySize: 16, contextLength: nil),
      target: .portable, services: services)
    return (graph, try #require(recorder.runs.last))
  }

  private func layers(_ graph: Graph) -> [RoundedLinear] {
    let constants = graph.constants()
    return graph.operations(of: Linear.self).compactMap {
      RoundedLinear($0.operation, in: graph, constants: constants)
    }
  }

  private func averageBits(_ graph: Graph) -> Double {
    let layers = layers(graph)
    let bits = layers.reduce(0) {
      $0 + $1.spec.storedBits(rows: $1.shape[0], columns: $1.shape[1])
    }
    return Double(bits) / Double(layers.reduce(0) { $0 + $1.shape.reduce(1, *) })
  }

  private func divergence(_ graph: Graph, _ text: String = SampleNetworks.transformer) throws
    -> Double
  {
    try LogitProbe(SampleNetworks.graph(text), windows: Self.windows, tokens: 10_000)
      .divergence(of: graph).kullbackLeibler
  }

  /// Average bits with the scheme's own format everywhere; rows of a few weights are filled up to 32.
  private func startBits(_ text: String = SampleNetworks.transformer) throws -> Double {
    averageBits(try run(.keeping(Self.start), on: text).graph)
  }

  @Test(
    "The budget is kept, formats differ, and less is lost than with the largest one format in it",
    arguments: [SampleNetworks.transformer, SampleNetworks.stateSpace],
    ["kl", "sqnr"])
  func betterThanUniform(text: String, metric: String) throws {
    var pass = MixedPrecision()
    pass.choices = choices([2, 3, 4, 8])
    pass.metric = ComponentName(metric)
    // Room for most of the layers in 8 bits, since errors of single ones cancel by chance in a network this small.
    let budget = try 1.6 * startBits(text)
    pass.bits = AverageBits(budget)
    let (mixed, _) = try run(pass, on: text)
    let (same, _) = try run(.keeping(Self.start), on: text)
    #expect(Set(layers(mixed).map(\.spec)).count > 1)
    #expect(averageBits(mixed) <= budget && averageBits(same) <= budget)
    #expect(try divergence(mixed, text) < divergence(same, text))
  }

  @Test("Of all allocations of the same budget few lose less")
  func rank() throws {
    let text = SampleNetworks.stateSpace
    var pass = MixedPrecision()
    pass.choices = choices([3, 8])
    let budget = try 1.4 * startBits(text)
    pass.bits = AverageBits(budget)
    let (mixed, _) = try run(pass, on: text)
    let lost = try divergence(mixed, text)
    let (start, _) = try run(.keeping(Self.start), on: text)
    let targets = layers(start)
    var (others, better) = (0, 0)
    for bits in 0..<(1 << targets.count) {
      var graph = start
      for (index, layer) in targets.enumerated() {
        let spec = QuantizationSpec(.integer(bits: bits >> index & 1 == 1 ? 8 : 3), .tensor)
        let value = try graph.round(
          layer.source, to: spec, before: layer.operation, at: .unknown)
        graph.setOperand(1, of: layer.operation, to: value)
      }
      graph.removeDeadOperations()
      if averageBits(graph) > budget { continue }
      others += 1
      if try divergence(graph, text) < lost - 1e-12 { better += 1 }
    }
    #expect(others >= 8)
    #expect(better * 4 <= others, "\(better) of \(others)")
  }

  @Test(
    "Metrics without runs of the network keep the budget too",
    arguments: ["output-mse", "weighted-mse"])
  func outputError(metric: String) throws {
    var pass = MixedPrecision()
    pass.scheme = Self.start
    pass.choices = choices([2, 3, 4, 8])
    pass.metric = ComponentName(metric)
    let (graph, run) = try run(pass)
    #expect(
      averageBits(graph) <= averageBits(try self.run(MixedPrecision.keeping(Self.start)).graph)
        + 1e-9)
    #expect(run.remarks.contains { $0.kind.name == "measured" })
  }

  @Test("A scheme's own budget counts, an option before it")
  func budgets() throws {
    let start = try startBits()
    var scheme = Self.start
    scheme.bits = 1.5 * start
    var pass = MixedPrecision()
    pass.scheme = scheme
    pass.choices = choices([2, 3, 4, 8])
    let (wide, _) = try run(pass, scheme: scheme)
    #expect(averageBits(wide) <= 1.5 * start)
    pass.bits = AverageBits(1.1 * start)
    let (narrow, run) = try run(pass, scheme: scheme)
    #expect(averageBits(narrow) <= 1.1 * start && averageBits(narrow) < averageBits(wide))
    #expect(
      run.remarks.contains {
        $0.kind.name == "frontier" && $0.message.contains(" bits: predicted kl ")
      })
    #expect(!narrow.facts.contains(.formatsOpen))
    var untold = MixedPrecision()
    untold.choices = pass.choices
    let error = #expect(throws: DiagnosticList.self) { try self.run(untold, scheme: scheme) }
    #expect(
      error?.description.contains("states a budget of bits, and this pass was not told") == true)
  }

  @Test("A size in bytes is a budget, alone and beside bits")
  func bytes() throws {
    let start = try startBits()
    let weights = layers(try run(.keeping(Self.start)).graph).reduce(0) {
      $0 + $1.shape.reduce(1, *)
    }
    var pass = MixedPrecision()
    pass.choices = choices([2, 3, 4, 8])
    pass.bytes = Int(1.3 * start * Double(weights) / 8)
    let (sized, _) = try run(pass)
    #expect(averageBits(sized) <= 1.3 * start && averageBits(sized) > start)
    pass.bits = AverageBits(1.1 * start)
    #expect(averageBits(try run(pass).graph) <= 1.1 * start)
    pass.bits = AverageBits(1.6 * start)
    #expect(averageBits(try run(pass).graph) == averageBits(sized))
    pass.bytes = 10
    let few = #expect(throws: DiagnosticList.self) { try run(pass) }
    #expect(few?.description.contains("bytes in all") == true)
  }

  /// Times of which 3 bits are the slowest, as where no kernel is made for them.
  private static let times = KernelTimes(
    [(2, 1.0), (3, 9), (4, 2), (8, 4)].map { bits, microseconds in
      KernelTimes.Row(
        weights: "int\(bits)", activations: "f32", group: 0, rows: 64, columns: 64,
        seconds: microseconds * 1e-6)
    })

  private func seconds(_ graph: Graph) -> Double {
    layers(graph).reduce(0) { sum, layer in
      sum
        + (Self.times.seconds(
          layer.spec, rows: layer.shape[0], columns: layer.shape[1], activations: nil) ?? .nan)
    }
  }

  @Test("Seconds are a second budget, by measured times", arguments: ["exact", "greedy"])
  func seconds(solver: String) throws {
    var pass = MixedPrecision()
    pass.choices = choices([2, 3, 4, 8])
    pass.bits = AverageBits(try 1.6 * startBits())
    pass.solver = ComponentName(solver)
    let (free, _) = try run(pass)
    pass.kernelTimes = Self.times
    let (told, run) = try run(pass)
    // Times alone limit nothing.
    #expect(layers(told).map(\.spec) == layers(free).map(\.spec))
    let said = run.remarks.first { $0.kind.name == "timed" }?.message
    #expect(said?.hasPrefix("one token takes \((seconds(free) * 1e6).remarkText) us") == true)
    var fast = MixedPrecision()
    fast.choices = choices([2])
    let least = seconds(try self.run(fast.within(1.6 * startBits())).graph)
    try #require(least < seconds(free))
    let limit = (least + seconds(free)) / 2
    pass.seconds = limit
    let (limited, _) = try self.run(pass)
    #expect(seconds(limited) <= limit && seconds(limited) > least)
    #expect(try averageBits(limited) <= 1.6 * startBits())
  }

  @Test("Budgets of time that mean nothing or that nothing keeps are told")
  func wrongSeconds() throws {
    var pass = MixedPrecision()
    pass.choices = choices([2, 8])
    pass.bits = AverageBits(try 1.6 * startBits())
    pass.seconds = 1e-8
    #expect(pass.check().first?.contains("'kernel_times'") == true)
    pass.kernelTimes = Self.times
    #expect(pass.check().isEmpty)
    let few = #expect(throws: DiagnosticList.self) { try run(pass) }
    #expect(few?.description.contains("for one token are too few") == true)
    pass.choices = choices([5, 8])
    let unknown = #expect(throws: DiagnosticList.self) { try run(pass) }
    #expect(
      unknown?.description.contains(
        "no product of one token on one thread with weights 'int5' and activations 'f32'") == true)
  }

  @Test("Of the formats near the budget those without a time are told and left out")
  func unmeasured() throws {
    var pass = MixedPrecision()
    pass.kernelTimes = KernelTimes(Self.times.rows.filter { $0.weights != "int8" })
    pass.seconds = 1
    // In groups rows of a few weights take many bits; near such a budget lie 6 to 8, and what `quantize` left.
    pass.bits = AverageBits(24)
    let (graph, run) = try run(pass)
    #expect(Set(layers(graph).map(\.spec)) == [Self.start.weights])
    let told = run.remarks.filter { $0.kind.name == "unmeasured" }
    #expect(told.count == 1)
    #expect(
      told.first?.message.hasSuffix(
        "with: \([8, 7, 6].map { "weights 'int\($0)' and activations 'f32'" }.joined(separator: ", "))"
      ) == true, "\(told)")
    pass.kernelTimes = Self.times
    let (better, known) = try self.run(pass)
    #expect(layers(better).contains { $0.spec.format == .integer(bits: 8) })
    #expect(
      known.remarks.first { $0.kind.name == "unmeasured" }?.message.contains("'int8'") == false)
    // Smaller ones than the measured may keep the budget: that is not a matter of the budget.
    pass.bits = AverageBits(6)
    pass.kernelTimes = KernelTimes(Self.times.rows.filter { $0.weights == "int8" })
    let large = #expect(throws: DiagnosticList.self) { try self.run(pass) }
    #expect(
      large?.description.contains("of the formats that 'kernel_times' has times of") == true
        && large?.description.contains("there are no times of weights 'int") == true,
      "\(String(describing: large))")
    pass.kernelTimes = KernelTimes([])
    let none = #expect(throws: DiagnosticList.self) { try self.run(pass) }
    #expect(
      none?.description.contains("'kernel_times' has no product of one token on one thread with")
        == true)
  }

  @Test("Times that cannot be counted are refused")
  func endlessTimes() throws {
    var pass = MixedPrecision()
    pass.choices = choices([4])
    pass.bits = AverageBits(32)
    pass.kernelTimes = KernelTimes([
      KernelTimes.Row(
        weights: "int4", activations: "f32", group: 0, rows: 1, columns: 1, seconds: 1000)
    ])
    let error = #expect(throws: DiagnosticList.self) { try run(pass) }
    #expect(error?.description.contains("which is beyond 10000.0 s") == true)
  }

  @Test("What a solver says of its choice is told")
  func solverNote() throws {
    var pass = MixedPrecision.keeping(Self.start)
    pass.solver = ComponentName("hesitant")
    let (_, run) = try run(pass)
    #expect(
      run.remarks.filter { $0.kind.name == "solved" }.map(\.message) == [
        "solver 'hesitant': others may lose less"
      ])
  }

  @Test("The greedy solver keeps the budget")
  func greedy() throws {
    var pass = MixedPrecision()
    pass.choices = choices([2, 3, 4, 8])
    let budget = try 1.4 * startBits()
    pass.bits = AverageBits(budget)
    pass.solver = ComponentName("greedy")
    #expect(averageBits(try run(pass).graph) <= budget)
  }

  @Test("Components that keep not to their contract are refused by name, as are unknown ones")
  func brokenComponents() throws {
    func problem(_ change: (inout MixedPrecision) -> Void) -> String {
      var pass = MixedPrecision()
      pass.scheme = Self.start
      pass.choices = choices([2, 8])
      change(&pass)
      return #expect(throws: DiagnosticList.self) { try run(pass) }?.description ?? ""
    }
    #expect(
      problem { $0.metric = ComponentName("short") }.contains(
        "sensitivity metric 'short' gives no loss for some layers or formats"))
    #expect(
      problem { $0.solver = ComponentName("spendthrift") }.contains(
        "solver 'spendthrift' returned choices that do not keep the budget"))
    #expect(
      problem { $0.metric = ComponentName("output-mean") }.contains(
        "there is no sensitivity metric 'output-mean'"))
    let one = #expect(throws: Diagnostic.self) {
      try PassRegistry(Self.plugins + [ExactSolver.self])
    }
    #expect(one?.message.contains("two allocation solvers are named 'exact'") == true)
  }

  @Test("Fitted formats can be chosen, and their values count")
  func fittedFormats() throws {
    var pass = MixedPrecision()
    pass.choices = [NumericFormat.codebook(bits: 4), .binary(bits: 2), .codebook(bits: 2)].map {
      QuantizationScheme(
        weights: QuantizationSpec($0, .tensor, scaleFormat: .f16), embeddings: nil)
    }
    let sizes = try pass.choices.map { scheme in
      averageBits(try run(.keeping(scheme), scheme: scheme).graph)
    }
    let budget = (sizes[0] + sizes[2]) / 2
    pass.bits = AverageBits(budget)
    let graph = try run(pass).graph
    #expect(averageBits(graph) <= budget)
    #expect(Set(layers(graph).map(\.spec)).isSubset(of: Set(pass.choices.map(\.weights))))
    #expect(Set(layers(graph).map(\.spec)).count > 1)
    var small = MixedPrecision()
    small.choices = [pass.choices[2]]
    #expect(try divergence(graph) < divergence(run(small).graph))
  }

  @Test("Layers that read one value share a format when asked")
  func ties() throws {
    var pass = MixedPrecision()
    pass.scheme = Self.start
    pass.choices = choices([2, 3, 4, 8])
    pass.tieInputs = true
    let (graph, _) = try run(pass)
    var formats: [ValueID: Set<QuantizationSpec>] = [:]
    for layer in layers(graph) { formats[layer.realInput, default: []].insert(layer.spec) }
    #expect(formats.values.allSatisfy { $0.count == 1 })
    #expect(layers(graph).count > formats.count)
  }

  @Test(
    "Layers whose names match patterns of one list share a format, and lists that overlap tie together"
  )
  func namedTies() throws {
    var pass = MixedPrecision()
    pass.bits = AverageBits(try 1.4 * startBits())
    pass.choices = choices([2, 3, 4, 8])
    let free = layers(try run(pass).graph)
    let names = free.map(\.name)
    try #require(Set(names).count >= 4)
    let half = names.count / 2
    pass.ties = [names[...half], names[half...]].map { $0.map { NamePattern($0) } }
    #expect(Set(layers(try run(pass).graph).map(\.spec)).count == 1)
    // The layer that gets the most bits and the one that gets the fewest are made alike.
    let bits = free.map(\.spec.format.bits)
    let (low, high) = (
      try #require(free.indices.min { bits[$0] < bits[$1] }),
      try #require(free.indices.max { bits[$0] < bits[$1] })
    )
    try #require(bits[low] < bits[high])
    pass.ties = [[NamePattern(names[low]), NamePattern(names[high])]]
    let tied = layers(try run(pass).graph)
    #expect(tied[low].spec == tied[high].spec)
    pass.ties = [[NamePattern(names[low]), NamePattern("no.such.weight")]]
    let error = #expect(throws: DiagnosticList.self) { try run(pass) }
    #expect(error?.description.contains("'ties' pattern 'no.such.weight' matches none of") == true)
  }

  @Test("Budgets that nothing keeps and missing calibration are told")
  func errors() throws {
    var pass = MixedPrecision()
    pass.choices = choices([4, 8])
    pass.bits = AverageBits(3)
    let few = #expect(throws: DiagnosticList.self) { try run(pass) }
    #expect(
      few?.description.contains("3.0 bits for each weight are too few: the smallest formats take")
        == true)
    let none = #expect(throws: DiagnosticList.self) { try run(MixedPrecision(), services: .none) }
    #expect(none?.description.contains("calibration") == true)
  }

  @Test("Where activations are quantized, only weights change")
  func activations() throws {
    var scheme = Self.start
    scheme.activations = .init(spec: QuantizationSpec(.integer(bits: 8), .row))
    var pass = MixedPrecision()
    pass.scheme = scheme
    pass.choices = choices([2, 3, 4, 8])
    let (graph, run) = try run(pass, scheme: scheme)
    // What is measured has the rounding of activations in it.
    let said = run.remarks.filter { $0.kind.name == "measured" }.map(\.message)
    let measured = try divergence(graph)
    #expect(said.contains { $0.hasSuffix("measured kl \(measured)") }, "\(measured): \(said)")
    for layer in layers(graph) {
      let input = graph[layer.operation].operands[0]
      #expect(graph.definition(of: input, as: Dequantize.self)?.spec == scheme.activations?.spec)
    }
  }
}

/// Forgets the last layer.
private struct ShortMetric: SensitivityMetric {
  static let info = ComponentInfo(name: "short", summary: "Forgets a layer.")

  func losses(
    of layers: [RoundedLinear], as specs: [QuantizationSpec], in network: MeasuredNetwork
  ) -> [[Double]] { layers.dropLast().map { _ in specs.map { _ in 0 } } }
}

/// Takes the first choice, and is not sure of it.
private struct HesitantSolver: AllocationSolver {
  static let info = ComponentInfo(name: "hesitant", summary: "Is not sure.")

  func solve(_ problem: AllocationProblem) -> AllocationProblem.Solution? {
    var solution = problem.solution(problem.items.map { _ in 0 })
    solution.note = "others may lose less"
    return solution
  }
}

/// Takes the last choice, which is the dearest here.
private struct SpendthriftSolver: AllocationSolver {
  static let info = ComponentInfo(name: "spendthrift", summary: "Takes the dearest choices.")

  func solve(_ problem: AllocationProblem) -> AllocationProblem.Solution? {
    problem.solution(problem.items.map { $0.count - 1 })
  }
}

extension MixedPrecision {
  /// The same with a budget of bits.
  fileprivate func within(_ bits: Double) -> MixedPrecision {
    var pass = self
    pass.bits = AverageBits(bits)
    return pass
  }

  /// One that leaves a scheme's own format everywhere.
  fileprivate static func keeping(_ scheme: QuantizationScheme) -> MixedPrecision {
    var pass = MixedPrecision()
    pass.scheme = scheme
    pass.choices = [scheme]
    return pass
  }
}
