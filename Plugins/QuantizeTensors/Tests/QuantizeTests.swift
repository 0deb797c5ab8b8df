import IRCPassKit
import IRCPassManager
import IRCTestSupport
import QuantizeTensors
import Synchronization
import Testing

@Suite("quantize")
struct QuantizeTests {
  /// Rows of 40 weights: a group of 32 leaves 8.
  private static let width = 40
  private static let text = """
    irc.graph @"small" {stage = "float"} {
      %ids = input "ids" : i32[tokens]
      %table = param "embed.weight" {shape = [40, 40], stored = f32} : f32[40, 40]
      %x = embedding %ids, %table : f32[tokens, 40]
      %a = param "layers.0.up.weight" {shape = [48, 40], stored = f32} : f32[48, 40]
      %u = linear %x, %a : f32[tokens, 48]
      %s = silu %u : f32[tokens, 48]
      %b = param "layers.0.down.weight" {shape = [40, 48], stored = f32} : f32[40, 48]
      %d = linear %s, %b : f32[tokens, 40]
      output "up" = %u
      output "logits" = %d
    }
    """

  /// The graph with an embedding table that is the identity, so that the output `up` of token i is column i of the weights.
  private func graph() throws -> (Graph, NamedTensors) {
    var graph = try GraphParser.parse(Self.text, file: "test.irc", registry: .standard)
    var tensors = NamedTensors()
    for (_, op) in graph.operations(of: Parameter.self) { tensors.add(random: op.name, op.shape) }
    let width = Self.width
    tensors.add(
      "embed.weight", [width, width],
      (0..<width * width).map { $0 % (width + 1) == 0 ? 1 : 0 })
    graph.parameters = tensors
    return (graph, tensors)
  }

  private func run(
    _ pass: QuantizeTensors, on graph: inout Graph, services: PassServices = .none
  ) throws -> PassRun {
    let recorder = RunRecorder()
    let manager = PassManager(
      [PassInstance(id: "quantize", pass: pass, span: nil)],
      registry: try PassRegistry([QuantizeTensors.self]),
      instruments: [VerifyInstrument(), recorder])
    try manager.run(
      on: &graph, model: ModelDescription(name: "small", vocabularySize: 40, contextLength: nil),
      target: .portable, services: services)
    return try #require(recorder.runs.first)
  }

  private func error(_ pass: QuantizeTensors) throws -> String {
    var (graph, _) = try graph()
    let before = graph
    do {
      _ = try run(pass, on: &graph)
      return "no error"
    } catch let list as DiagnosticList {
      #expect(graph == before)
      return list.description
    }
  }

  private func output(_ graph: Graph, _ name: String) throws -> [Double] {
    let ids = (0..<Int32(Self.width)).map { $0 }
    let outputs = try Interpreter(graph, precision: .double).run(
      inputs: ["ids": Tensor([ids.count], ids)])
    return try #require(outputs[name]).array(of: Double.self)
  }

  @Test("Activations and weights are rounded behind a rotation of both")
  func rotated() throws {
    var (graph, _) = try graph()
    let down = try #require(graph.operations(of: Linear.self).last?.operation)
    let rotation = HadamardTransform(axis: 1, block: 48, seed: 1)
    for operand in 0..<2 {
      let value = try graph.add(rotation, [down.operands[operand]], before: down.id)[0]
      graph.setOperand(operand, of: down.id, to: value)
    }
    var pass = QuantizeTensors()
    pass.scheme = QuantizationScheme(
      weights: QuantizationSpec(.integer(bits: 8), .row),
      activations: .init(spec: QuantizationSpec(.integer(bits: 8), .row)), embeddings: nil)
    let run = try run(pass, on: &graph)
    #expect(run.remarks.contains { $0.message.contains("'layers.0.down.weight'") })
    for operand in graph[down.id].operands {
      let codes = graph.producer(of: graph.producer(of: operand).operands[0])
      #expect(codes.op is Quantize)
      #expect(graph.definition(of: codes.operands[0], as: HadamardTransform.self) == rotation)
    }
  }

  @Test(
    "Weights of every format lie within half a step of where they were, on a grid of that many codes",
    arguments: [8, 7, 6, 5, 4, 3, 2],
    [
      (Granularity.tensor, true), (.row, true), (.row, false), (.group(32), true),
      (.group(32), false),
    ])
  func rounds(bits: Int, grid: (granularity: Granularity, isSymmetric: Bool)) throws {
    var (graph, tensors) = try graph()
    var pass = QuantizeTensors()
    pass.scheme = QuantizationScheme(
      weights: QuantizationSpec(
        .integer(bits: bits), grid.granularity, isSymmetric: grid.isSymmetric), embeddings: nil)
    let run = try run(pass, on: &graph)
    #expect(run.counters.map(\.value) == [2, 1, 0])
    #expect(graph.stage == .quantized && graph.facts.contains(.quantized))

    let (rows, width) = (48, Self.width)
    let weights = tensors.values(of: "layers.0.up.weight").map(Double.init)
    let columns = try output(graph, "up")
    let rounded = (0..<rows * width).map { columns[$0 % width * rows + $0 / width] }
    // The runs of weights that share a scale.
    let size =
      switch grid.granularity {
      case .tensor: rows * width
      case .row: width
      case .group(let size): size
      }
    var start = 0
    while start < weights.count {
      let inRow = size > width ? size : min(size, width - start % width)
      let range = start..<start + inRow
      start += inRow
      let (low, high) = (weights[range].min() ?? 0, weights[range].max() ?? 0)
      let levels = Double(1 << bits)
      let step =
        grid.isSymmetric
        ? max(-low, high) / (levels / 2 - 1) : (max(high, 0) - min(low, 0)) / (levels - 1)
      let error = range.map { abs(weights[$0] - rounded[$0]) }.max() ?? 0
      // Of an asymmetric grid the zero point is rounded too, so that an end may lie a whole step outside.
      #expect(error <= step * (grid.isSymmetric ? 0.501 : 1.001), "\(range)")
      #expect(error > 0 && Set(rounded[range]).count <= 1 << bits)
    }
  }

  @Test(
    "Weights lie on the values of a table, times their scales",
    arguments: [
      QuantizationSpec(.table(.nf4), .group(32), scaleFormat: .f16),
      QuantizationSpec(.table(.fp4), .group(32), scaleFormat: .e8m0),
      QuantizationSpec(.table(.fp4), .group(16), scaleFormat: .e4m3),
      QuantizationSpec(.table(.fp8E4M3), .row),
    ])
  func roundsToTables(spec: QuantizationSpec) throws {
    var (graph, tensors) = try graph()
    var pass = QuantizeTensors()
    pass.scheme = QuantizationScheme(weights: spec, embeddings: nil)
    _ = try run(pass, on: &graph)
    let (rows, width) = (48, Self.width)
    let weights = tensors.values(of: "layers.0.up.weight").map(Double.init)
    let columns = try output(graph, "up")
    let rounded = (0..<rows * width).map { columns[$0 % width * rows + $0 / width] }
    let energy = weights.reduce(0) { $0 + $1 * $1 }
    let error = zip(weights, rounded).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) } / energy
    #expect(error > 0 && error < (spec.format.bits == 8 ? 0.002 : 0.02))
    let size = spec.granularity.groupWidth(of: width)
    for row in 0..<rows {
      for start in stride(from: 0, to: width, by: size) {
        let group = rounded[row * width + start..<row * width + min(width, start + size)]
        #expect(Set(group).count <= 1 << spec.format.bits)
      }
    }
  }

  @Test("Patterns choose weights, and each says how many it matches")
  func chooses() throws {
    var (graph, _) = try graph()
    var pass = QuantizeTensors()
    pass.include = [NamePattern("layers.*"), NamePattern("embed.*")]
    pass.exclude = [NamePattern("*.down.weight")]
    let run = try run(pass, on: &graph)
    #expect(
      run.counters.map { "\($0.name) \($0.value)" } == ["quantized 2", "skipped 1", "caches 0"])
    #expect(
      run.remarks.filter { $0.kind.name == "matched" }.map(\.message) == [
        "'include' pattern 'layers.*' matches 2 of 3 weights",
        "'include' pattern 'embed.*' matches 1 of 3 weights",
        "'exclude' pattern '*.down.weight' matches 1 of 3 weights",
      ])
    #expect(
      run.remarks.filter { $0.kind.name == "left-out" }.map(\.message) == [
        "'exclude' pattern '*.down.weight' matches"
      ])
    let down = graph.producer(of: try #require(graph.outputs.last).value)
    #expect(graph.producer(of: down.operands[1]).op is Parameter)
  }

  @Test("A pattern that matches nothing is an error, with the nearest name")
  func mistypes() throws {
    var pass = QuantizeTensors()
    pass.include = [NamePattern("layers.0.upp.weight")]
    #expect(
      try error(pass).contains(
        "pass 'quantize': 'include' pattern 'layers.0.upp.weight' matches none of 3 weights"))
    #expect(try error(pass).contains("did you mean 'layers.0.up.weight'?"))
    pass.include = [NamePattern("*")]
    pass.exclude = [NamePattern("lm_head*")]
    #expect(try error(pass).contains("'exclude' pattern 'lm_head*' matches none of 3 weights"))
  }

  @Test("Dynamic activations get a scale for each token", arguments: [8, 4], [true, false])
  func dynamic(bits: Int, isSymmetric: Bool) throws {
    var (graph, _) = try graph()
    let float = try output(graph, "logits")
    var pass = QuantizeTensors()
    pass.scheme = QuantizationScheme(
      weights: QuantizationSpec(.integer(bits: 8), .row),
      activations: .init(
        spec: QuantizationSpec(.integer(bits: bits), .row, isSymmetric: isSymmetric)))
    _ = try run(pass, on: &graph)
    for (operation, _) in graph.operations(of: Linear.self) {
      #expect(graph.producer(of: operation.operands[0]).op is Dequantize)
      #expect(graph.producer(of: operation.operands[1]).op is Dequantize)
    }
    let scale = float.map(abs).max() ?? 0
    let error = zip(float, try output(graph, "logits")).map { abs($0 - $1) }.max() ?? 0
    #expect(error > 0 && error < scale * (bits == 8 ? 0.03 : 0.4))
  }

  @Test(
    "Static scales come from calibration: its range is in the graph, and each value is asked for once"
  )
  func staticScales() throws {
    var (graph, _) = try graph()
    var pass = QuantizeTensors()
    pass.scheme = QuantizationScheme(
      weights: QuantizationSpec(.integer(bits: 8), .row),
      activations: .init(spec: QuantizationSpec(.integer(bits: 8), .tensor)))
    let measured = Mutex<[Float]>([])
    let services = PassServices(
      statistics: { values, graph in
        let statistics = try Calibration.collect(
          graph, values: values, windows: [[1, 2, 3], [4, 5, 6, 7]])
        measured.withLock { $0 += values.sorted().compactMap { statistics[$0]?.absoluteMaximum } }
        return statistics
      }, output: PassServices.none.output)
    _ = try run(pass, on: &graph, services: services)
    let ranges = graph.operations(of: Generated.self).map { $0.op.values }
    let expected = measured.withLock { $0 }.map { limit in
      Generated.Values.inline([-Double(limit), Double(limit)])
    }
    #expect(expected.count == 2 && Set(ranges) == Set(expected))
    #expect(
      graph.constants().isSuperset(of: graph.operations(of: Generated.self).map(\.operation.result))
    )
  }

  @Test("A static scheme without calibration text is an error that says what to add")
  func needsCalibration() throws {
    var pass = QuantizeTensors()
    pass.scheme = QuantizationScheme(
      weights: QuantizationSpec(.integer(bits: 8), .row),
      activations: .init(spec: QuantizationSpec(.integer(bits: 8), .tensor)))
    let message = try error(pass)
    #expect(message.contains("pass 'quantize': needs calibration statistics"))
    #expect(message.contains("calibration: {text: FILE}"))
  }
}
