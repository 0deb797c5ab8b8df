import ClipSearch
import Foundation
import IRCPassKit
import IRCPassManager
import IRCTestSupport
import QuantizeTensors
import Testing

@Suite("clip-search")
struct ClipSearchTests {
  private func run(
    _ clip: ClipSearch, _ spec: QuantizationSpec, on graph: inout Graph
  ) throws -> PassRun {
    let recorder = RunRecorder()
    var quantize = QuantizeTensors()
    quantize.scheme = QuantizationScheme(weights: spec)
    let manager = PassManager(
      [
        PassInstance(id: "quantize", pass: quantize, span: nil),
        PassInstance(id: "clip-search", pass: clip, span: nil),
      ], registry: try PassRegistry([QuantizeTensors.self, ClipSearch.self]),
      instruments: [VerifyInstrument(), recorder])
    try manager.run(
      on: &graph, model: ModelDescription(name: "m", vocabularySize: 16, contextLength: nil),
      target: .portable, services: .none)
    return try #require(recorder.runs.last)
  }

  /// The sum of |w − value|^norm over a linear layer's weight.
  private func error(_ graph: Graph, _ norm: Double) throws -> Double {
    let folder = ConstantFolder(graph)
    return try graph.operations(of: Linear.self).reduce(0) { sum, linear in
      let value = linear.operation.operands[1]
      let codes = graph.producer(of: graph.producer(of: value).operands[0])
      let pair = try folder.fold([codes.operands[0], value]).map { $0.array(of: Float.self) }
      return zip(pair[0], pair[1]).reduce(sum) { $0 + pow(abs(Double($1.0 - $1.1)), norm) }
    }
  }

  @Test(
    "The error is least of all fractions in hundredths that lie near, and never above that of the whole range",
    arguments: [2, 3, 4], [2.0, 2.4])
  func improves(bits: Int, norm: Double) throws {
    for (granularity, isSymmetric) in [
      (Granularity.row, true), (.row, false), (.group(32), true), (.tensor, false),
    ] {
      let spec = QuantizationSpec(
        .integer(bits: bits), granularity, isSymmetric: isSymmetric, scaleFormat: .f16)
      var whole = try SampleNetworks.graph(SampleNetworks.transformer)
      var plain = QuantizeTensors()
      plain.scheme = QuantizationScheme(weights: spec)
      var clipped = whole
      var pass = ClipSearch()
      pass.norm = norm
      let run = try run(pass, spec, on: &clipped)
      #expect(run.counters.map(\.value) == [9, 0])
      let manager = PassManager(
        [PassInstance(id: "quantize", pass: plain, span: nil)],
        registry: try PassRegistry([QuantizeTensors.self]), instruments: [])
      try manager.run(
        on: &whole, model: ModelDescription(name: "m", vocabularySize: 16, contextLength: nil),
        target: .portable, services: .none)
      let (before, after) = try (error(whole, norm), error(clipped, norm))
      #expect(after <= before * (1 + 1e-5), "\(spec) \(before) \(after)")
      if bits == 2 { #expect(after < before * 0.98) }
    }
  }

  @Test("Weights near the largest number that there is are searched like others")
  func largeWeights() throws {
    var graph = Graph(name: "large")
    let ids = try graph.add(Input(name: "ids", type: TensorType(.i32, [.named("tokens")])))[0]
    let table = try graph.add(Generated(shape: [16, 64], values: .random(seed: 1, scale: 1)))[0]
    let weight = try graph.add(
      Generated(shape: [2048, 64], values: .random(seed: 2, scale: 5e37)))[0]
    let x = try graph.add(Embedding(), [ids, table])[0]
    graph.addOutput("logits", try graph.add(Linear(), [x, weight])[0])
    let run = try run(ClipSearch(), QuantizationSpec(.integer(bits: 8), .row), on: &graph)
    #expect(run.counters[0].value == 2)
    #expect(run.remarks.contains { $0.message.contains(" % of the whole on average") })
  }

  @Test("Scales that were chosen before stay")
  func keeps() throws {
    let spec = QuantizationSpec(.integer(bits: 3), .row)
    var graph = try SampleNetworks.graph(SampleNetworks.transformer)
    _ = try run(ClipSearch(), spec, on: &graph)
    let recorder = RunRecorder()
    let manager = PassManager(
      [PassInstance(id: "clip-search#2", pass: ClipSearch(), span: nil)],
      registry: try PassRegistry([ClipSearch.self]), instruments: [recorder])
    try manager.run(
      on: &graph, model: ModelDescription(name: "m", vocabularySize: 16, contextLength: nil),
      target: .portable, services: .none)
    #expect(recorder.runs.first?.counters.map(\.value) == [0, 9])
  }
}
