import ClipSearch
import GPTQ
import IRCPassKit
import IRCPassManager
import IRCTestSupport
import LowerKernels
import QuantizeTensors
import Testing

@Suite("gptq")
struct GPTQTests {
  private static let windows: [[Int32]] = (0..<8).map { window in
    let numbers = RandomNumbers(seed: UInt64(window))
    return (0..<12).map { Int32(numbers.integer($0, below: 16)) }
  }

  @discardableResult
  private func run(
    _ passes: [any Pass], on graph: inout Graph, windows: [[Int32]] = windows
  ) throws -> [PassRun] {
    let recorder = RunRecorder()
    let manager = PassManager(
      passes.map { PassInstance(id: type(of: $0).info.name, pass: $0, span: nil) },
      registry: try PassRegistry([
        QuantizeTensors.self, ClipSearch.self, GPTQ.self, LowerKernels.self,
      ]),
      instruments: [VerifyInstrument(), recorder])
    var services = PassServices.none
    services.walk = { graph, stops, visit in
      try CalibrationWalk(graph, stops: stops, windows: windows).run(visit)
    }
    try manager.run(
      on: &graph, model: ModelDescription(name: "m", vocabularySize: 16, contextLength: nil),
      target: .portable, services: services)
    return recorder.runs
  }

  private func quantize(
    _ spec: QuantizationSpec, activations: QuantizationScheme.Activations? = nil
  ) -> QuantizeTensors {
    var pass = QuantizeTensors()
    pass.scheme = QuantizationScheme(weights: spec, activations: activations)
    return pass
  }

  private func logits(_ graph: Graph) throws -> [Float] {
    let interpreter = try Interpreter(graph)
    return try Self.windows.flatMap { ids in
      try #require(
        try interpreter.run(inputs: ["ids": Tensor([ids.count], ids)])["logits"]
      ).array(of: Float.self)
    }
  }

  private func distance(_ a: [Float], _ b: [Float]) -> Double {
    zip(a, b).reduce(0) { $0 + Double(($1.0 - $1.1) * ($1.0 - $1.1)) }
  }

  @Test(
    "One layer's outputs are nearer to the real ones than those of rounding to nearest",
    arguments: [2, 3, 4], [Granularity.row, .group(32), .tensor])
  func nearer(bits: Int, granularity: Granularity) throws {
    let text = """
      irc.graph @"layer" {stage = "float"} {
        %ids = input "ids" : i32[tokens]
        %table = param "table" {shape = [16, 12], stored = f32} : f32[16, 12]
        %w = param "w" {shape = [16, 12], stored = f32} : f32[16, 12]
        %x = embedding %ids, %table : f32[tokens, 12]
        %y = linear %x, %w : f32[tokens, 16]
        output "logits" = %y
      }
      """
    let real = try SampleNetworks.graph(text)
    for isSymmetric in [true, false] {
      let spec = QuantizationSpec(.integer(bits: bits), granularity, isSymmetric: isSymmetric)
      var quantize = quantize(spec)
      quantize.scheme.embeddings = nil
      var (nearest, solved) = (real, real)
      try run([quantize], on: &nearest)
      let runs = try run([quantize, GPTQ()], on: &solved)
      #expect(runs.last?.counters.map(\.value) == [1, 0])
      let expected = try logits(real)
      #expect(
        try distance(logits(solved), expected) < 0.8 * distance(logits(nearest), expected),
        "\(spec)")
    }
  }

  @Test(
    "Every layer of a network gets codes, and lowering takes them as they are",
    arguments: [SampleNetworks.transformer, SampleNetworks.stateSpace], [true, false])
  func lowers(text: String, quantizesActivations: Bool) throws {
    var graph = try SampleNetworks.graph(text)
    let spec = QuantizationSpec(.integer(bits: 4), .group(32), scaleFormat: .f16)
    let activations = QuantizationScheme.Activations(
      spec: QuantizationSpec(.integer(bits: 8), .row))
    let count = graph.operations(of: Linear.self).count
    let runs = try run(
      [quantize(spec, activations: quantizesActivations ? activations : nil), GPTQ()], on: &graph)
    #expect(runs.last?.counters.map(\.value) == [count, 0])
    for (linear, _) in graph.operations(of: Linear.self) {
      let parts = graph.producer(of: linear.operands[1]).operands
        .map { graph.definition(of: $0, as: Parameter.self)?.stored }
      #expect(parts == [.i8, .f16])
    }
    let before = try logits(graph)
    #expect(try GraphParser.parse(graph.text, file: "g", registry: .standard).text == graph.text)
    try run([LowerKernels()], on: &graph)
    #expect(graph.operations(of: Linear.self).isEmpty)
    #expect(try distance(logits(graph), before) < 1e-8)
  }

  @Test("Layers that read one value share a stop, and each sees what the earlier ones became")
  func walks() throws {
    var graph = try SampleNetworks.graph(SampleNetworks.transformer)
    let spec = QuantizationSpec(.integer(bits: 3), .row)
    try run([quantize(spec)], on: &graph)
    let rounded = graph
    var stops = 0
    let manager = PassManager(
      [PassInstance(id: "gptq", pass: GPTQ(), span: nil)], registry: try PassRegistry([GPTQ.self]),
      instruments: [])
    var services = PassServices.none
    services.walk = { graph, stops, visit in
      // q, k and v; o; gate and up; down; the head.
      #expect(stops.count == 5)
      try CalibrationWalk(graph, stops: stops, windows: Self.windows).run(visit)
    }
    try manager.run(
      on: &graph, model: ModelDescription(name: "m", vocabularySize: 16, contextLength: nil),
      target: .portable, services: services)
    // The last layer alone, rounded on the inputs that the finished network gives it.
    let head = try #require(graph.operations(of: Linear.self).last).operation
    let interpreter = try Interpreter(graph)
    var inputs: [Tensor] = []
    for ids in Self.windows {
      _ = try interpreter.run(inputs: ["ids": Tensor([ids.count], ids)]) {
        if $0 == head.operands[0] { inputs.append($1) }
      }
    }
    stops = inputs.count
    #expect(stops == Self.windows.count)
    let factor = try #require(
      try InverseCholesky(of: SecondMoment(of: inputs), damping: 0.01, ordered: false))
    let original = try #require(rounded.operations(of: Linear.self).last).operation
    let source = rounded.producer(
      of: rounded.producer(of: original.operands[1]).operands[0]
    ).operands[0]
    let expected = try SecondOrderRounding(spec, factor).round(ConstantFolder(rounded).fold(source))
    let actual = try ConstantFolder(graph).fold(head.operands[1])
    #expect(actual.array(of: Float.self) == expected.values.array(of: Float.self))
  }

  @Test("Too few tokens leave rounding to nearest as it is, with a remark")
  func tooFewTokens() throws {
    var graph = try SampleNetworks.graph(SampleNetworks.transformer)
    let spec = QuantizationSpec(.integer(bits: 3), .row)
    try run([quantize(spec)], on: &graph)
    let before = try logits(graph)
    let few: [[Int32]] = [[1, 2, 3, 4, 5], [6, 7, 8, 9]]
    let run = try #require(try run([GPTQ()], on: &graph, windows: few).first)
    // Nine tokens are enough for the layers of width 8.
    #expect(run.counters.map(\.value) == [6, 2])
    let remarks = run.remarks.filter { $0.kind.name == "fallback" }
    #expect(
      remarks.map(\.message) == [
        "'o.weight': 9 tokens are too few for 16 channels",
        "'down.weight': 9 tokens are too few for 12 channels",
      ])
    #expect(remarks.allSatisfy { $0.hint?.contains("calibration.tokens") == true })
    #expect(try logits(graph) != before)
    let linear = try #require(
      graph.operations(of: Linear.self).first {
        graph.parameterName(of: $0.operation.operands[1]) == "down.weight"
      })
    let codes = graph.producer(of: graph.producer(of: linear.operation.operands[1]).operands[0])
    #expect(codes.op is Quantize)
  }

  @Test("Too few tokens for every layer are an error with the numbers")
  func tooFewForAll() throws {
    var graph = try SampleNetworks.graph(SampleNetworks.transformer)
    try run([quantize(QuantizationSpec(.integer(bits: 3), .row))], on: &graph)
    let problems = #expect(throws: DiagnosticList.self) {
      try run([GPTQ()], on: &graph, windows: [[1, 2, 3], [4, 5]])
    }
    #expect(
      problems?.diagnostics.map(\.message) == [
        "pass 'gptq': no layer could be rounded by its inputs: calibration has 5 tokens, and the layer with the fewest inputs needs 8"
      ])
    #expect(problems?.diagnostics.first?.notes == [])
    #expect(problems?.diagnostics.first?.hint?.contains("16 tokens serve every layer") == true)
  }

  @Test("Inputs that are always zero leave rounding to nearest as it is, with a remark")
  func zeroInputs() throws {
    var graph = try SampleNetworks.graph(SampleNetworks.transformer)
    var tensors = NamedTensors()
    for (_, op) in graph.operations(of: Parameter.self) { tensors.add(random: op.name, op.shape) }
    tensors.add("o.weight", [8, 16], Array(repeating: 0, count: 128))
    tensors.add("table", [16, 8], Array(repeating: 0, count: 128))
    graph.parameters = tensors
    try run([quantize(QuantizationSpec(.integer(bits: 3), .row))], on: &graph)
    let run = try #require(try run([GPTQ()], on: &graph).first)
    #expect(
      run.remarks.contains {
        $0.kind.name == "fallback" && $0.message.contains("'q.weight', 'k.weight', 'v.weight'")
      })
    #expect((run.counters.last?.value ?? 0) >= 3)
  }

  @Test("Results do not depend on the number of threads")
  func threads() throws {
    defer { Parallel.setThreads(nil) }
    func bits(_ threads: Int) throws -> [UInt32] {
      Parallel.setThreads(threads)
      var graph = try SampleNetworks.graph(SampleNetworks.transformer)
      var gptq = GPTQ()
      gptq.importance = .attention
      gptq.clip = true
      gptq.actOrder = true
      try run([quantize(QuantizationSpec(.integer(bits: 3), .row)), gptq], on: &graph)
      return try logits(graph).map(\.bitPattern)
    }
    #expect(try bits(1) == bits(2))
  }

  @Test("Scales that clip-search chose stay")
  func keepsScales() throws {
    var graph = try SampleNetworks.graph(SampleNetworks.transformer)
    let spec = QuantizationSpec(.integer(bits: 2), .row, isSymmetric: false)
    try run([quantize(spec), ClipSearch()], on: &graph)
    func scales(_ graph: Graph) throws -> [Float] {
      let folder = ConstantFolder(graph)
      return try graph.operations(of: Linear.self).flatMap {
        try folder.fold(graph.producer(of: $0.operation.operands[1]).operands[1])
          .array(of: Float.self)
      }
    }
    let before = try scales(graph)
    try run([GPTQ()], on: &graph)
    #expect(try scales(graph) == before)
  }

  @Test("Tokens weigh by the attention of their block; without any by norms, with a remark")
  func importance() throws {
    let spec = QuantizationSpec(.integer(bits: 3), .row)
    var gptq = GPTQ()
    gptq.importance = .attention
    for (text, hasAttention) in [
      (SampleNetworks.transformer, true), (SampleNetworks.stateSpace, false),
    ] {
      var (weighed, plain) = (try SampleNetworks.graph(text), try SampleNetworks.graph(text))
      let runs = try run([quantize(spec), gptq], on: &weighed)
      let remarks = runs.last?.remarks.filter { $0.kind.name == "plain-norms" } ?? []
      #expect(remarks.isEmpty == hasAttention)
      try run([quantize(spec), GPTQ()], on: &plain)
      #expect(try logits(weighed) != logits(plain))
    }
  }

  @Test("A block whose layers for queries and keys stay real weighs its other layers by attention")
  func importanceWithoutQueries() throws {
    var scheme = QuantizeTensors()
    scheme.scheme = QuantizationScheme(weights: QuantizationSpec(.integer(bits: 3), .row))
    scheme.exclude = ["q.weight", "k.weight", "v.weight"].map { NamePattern($0) }
    var gptq = GPTQ()
    var codes: [TokenImportance: [UInt32]] = [:]
    for importance in [TokenImportance.attention, .norm] {
      gptq.importance = importance
      var graph = try SampleNetworks.graph(SampleNetworks.transformer)
      let runs = try run([scheme, gptq], on: &graph)
      #expect(runs.last?.remarks.contains { $0.kind.name == "plain-norms" } == false)
      codes[importance] = try logits(graph).map(\.bitPattern)
    }
    #expect(codes[.attention] != codes[.norm])
  }

  @Test("A weight that is read in two ways keeps its codes, with a remark")
  func shared() throws {
    // Table and head are one tensor and get the same format.
    let spec = QuantizationSpec(.integer(bits: 8), .row)
    var graph = try SampleNetworks.graph(SampleNetworks.transformer)
    let runs = try run([quantize(spec), GPTQ()], on: &graph)
    #expect(runs.last?.counters.map(\.value) == [7, 1])
    #expect(
      runs.last?.remarks.contains {
        $0.kind.name == "fallback" && $0.message == "'table' is read in other places too"
      } == true)
  }

  @Test("Without weights in a format, and without calibration text, it says what is missing")
  func refuses() throws {
    var graph = try SampleNetworks.graph(SampleNetworks.transformer)
    #expect(throws: DiagnosticList.self) { try run([GPTQ()], on: &graph) }
    try run([quantize(QuantizationSpec(.integer(bits: 3), .row))], on: &graph)
    let manager = PassManager(
      [PassInstance(id: "gptq", pass: GPTQ(), span: nil)], registry: try PassRegistry([GPTQ.self]),
      instruments: [])
    do {
      try manager.run(
        on: &graph, model: ModelDescription(name: "m", vocabularySize: 16, contextLength: nil),
        target: .portable, services: .none)
      Issue.record("nothing was said")
    } catch {
      #expect("\(error)".contains("calibration: {text: FILE}"))
    }
  }
}
