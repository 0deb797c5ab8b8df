import FitValues
import GPTQ
import IRCPassKit
import IRCPassManager
import IRCTestSupport
import LowerKernels
import QuantizeTensors
import Testing

@Suite("fit-values")
struct FitValuesTests {
  private static let windows: [[Int32]] = (0..<8).map { window in
    let numbers = RandomNumbers(seed: UInt64(window))
    return (0..<12).map { Int32(numbers.integer($0, below: 16)) }
  }

  @discardableResult
  private func run(_ passes: [any Pass], on graph: inout Graph) throws -> [PassRun] {
    let recorder = RunRecorder()
    let manager = PassManager(
      passes.map { PassInstance(id: type(of: $0).info.name, pass: $0, span: nil) },
      registry: try PassRegistry([
        QuantizeTensors.self, FitValues.self, GPTQ.self, LowerKernels.self, OwnTable.self,
      ]),
      instruments: [VerifyInstrument(), recorder])
    let services = PassServices(
      statistics: { _, _ in throw PassServices.noCalibration },
      channelStatistics: { groups, graph in
        try Calibration.collectChannels(graph, groups: groups, windows: Self.windows)
      },
      walk: { graph, stops, visit in
        try CalibrationWalk(graph, stops: stops, windows: Self.windows).run(visit)
      },
      output: { throw PassError("no output") })
    try manager.run(
      on: &graph, model: ModelDescription(name: "m", vocabularySize: 16, contextLength: nil),
      target: .portable, services: services)
    return recorder.runs
  }

  private func quantize(_ spec: QuantizationSpec) -> QuantizeTensors {
    var pass = QuantizeTensors()
    pass.scheme = QuantizationScheme(weights: spec)
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

  static let specs: [QuantizationSpec] = [
    QuantizationSpec(.codebook(bits: 2), .row, scaleFormat: .f16),
    QuantizationSpec(.codebook(bits: 3), .tensor, scaleFormat: .f16),
    QuantizationSpec(.binary(bits: 2), .group(16), scaleFormat: .f16),
    QuantizationSpec(.binary(bits: 2), .row, isSymmetric: false, scaleFormat: .f32),
  ]

  /// For each linear layer its weight before and after rounding, and the mean squares of its inputs in the real network.
  private func errors(_ graph: Graph) throws -> [Double] {
    var real = graph
    let constants = graph.constants()
    let layers = graph.operations(of: Linear.self).compactMap { operation, _ in
      RoundedLinear(operation, in: graph, constants: constants)
    }
    for layer in layers { real.setOperand(1, of: layer.operation, to: layer.source) }
    let statistics = try Calibration.collectChannels(
      real, groups: layers.map { StatisticGroup([$0.realInput], .range) }, windows: Self.windows)
    let folder = ConstantFolder(graph)
    return try zip(layers, statistics).map { layer, measured in
      let error = try folder.fold(layer.rounded).subtracting(folder.fold(layer.source))
      return error.scalingColumns(by: measured.meanSquare.map { Float($0.squareRoot()) })
        .squaredNorm
    }
  }

  @Test("Lowers the error of every weight, weighed by its inputs", arguments: specs)
  func lowersWeightedError(spec: QuantizationSpec) throws {
    for text in [SampleNetworks.transformer, SampleNetworks.stateSpace] {
      var plain = try SampleNetworks.graph(text)
      let count = plain.operations(of: Linear.self).count
      try run([quantize(spec)], on: &plain)
      var fitted = plain
      let pass = try #require(try run([FitValues()], on: &fitted).last)
      #expect(pass.counters.map(\.value) == [count, 0])
      #expect(pass.remarks.count == count)
      let (before, after) = try (errors(plain), errors(fitted))
      // Coordinates of a binary code may end in another place; all together never in a worse one here.
      #expect(after.reduce(0, +) < 0.999 * before.reduce(0, +))
      if case .codebook = spec.format {
        for (new, old) in zip(after, before) { #expect(new <= old * 1.001) }
      }
      #expect(
        try GraphParser.parse(fitted.text, file: "g", registry: .standard).text == fitted.text)
    }
  }

  @Test("Values stay when they were fitted before, and other formats stay", arguments: specs)
  func keeps(spec: QuantizationSpec) throws {
    var graph = try SampleNetworks.graph(SampleNetworks.transformer)
    let count = graph.operations(of: Linear.self).count
    try run([quantize(spec), FitValues()], on: &graph)
    let before = try logits(graph)
    let again = try run([FitValues()], on: &graph)
    #expect(again.last?.counters.map(\.value) == [0, count])
    #expect(try logits(graph) == before)
    var integers = try SampleNetworks.graph(SampleNetworks.transformer)
    let runs = try run(
      [quantize(QuantizationSpec(.integer(bits: 4), .row)), FitValues()], on: &integers)
    #expect(runs.last?.counters.map(\.value) == [0, count])
  }

  @Test("GPTQ chooses codes under the fitted values, and lowering takes both", arguments: specs)
  func roundsUnderValues(spec: QuantizationSpec) throws {
    var graph = try SampleNetworks.graph(SampleNetworks.transformer)
    let count = graph.operations(of: Linear.self).count
    try run([quantize(spec), FitValues()], on: &graph)
    func values(_ graph: Graph) throws -> [[Float]] {
      let folder = ConstantFolder(graph)
      return try graph.operations(of: Linear.self).map { linear, _ in
        try folder.fold(graph.producer(of: linear.operands[1]).operands[1])
          .array(of: Float.self)
      }
    }
    let fitted = try values(graph)
    let nearest = try logits(graph)
    let runs = try run([GPTQ()], on: &graph)
    #expect(runs.last?.counters.map(\.value) == [count, 0])
    #expect(try values(graph) == fitted)
    #expect(try logits(graph) != nearest)
    let solved = try logits(graph)
    try run([LowerKernels()], on: &graph)
    #expect(graph.operations(of: DequantizingLinear.self).count == count)
    let lowered = try logits(graph)
    #expect(zip(lowered, solved).allSatisfy { abs($0 - $1) < 1e-4 })
  }

  @Test("Fits do not depend on the number of threads")
  func threads() throws {
    defer { Parallel.setThreads(nil) }
    let results = try [1, 3].map { count in
      Parallel.setThreads(count)
      var graph = try SampleNetworks.graph(SampleNetworks.transformer)
      try run([quantize(Self.specs[0]), FitValues()], on: &graph)
      return try logits(graph)
    }
    #expect(results[0] == results[1])
  }

  @Test("Without calibration text it says what is missing")
  func refuses() throws {
    var graph = try SampleNetworks.graph(SampleNetworks.transformer)
    try run([quantize(Self.specs[0])], on: &graph)
    let manager = PassManager(
      [PassInstance(id: "fit-values", pass: FitValues(), span: nil)],
      registry: try PassRegistry([FitValues.self]), instruments: [])
    #expect(throws: (any Error).self) {
      try manager.run(
        on: &graph, model: ModelDescription(name: "m", vocabularySize: 16, contextLength: nil),
        target: .portable, services: .none)
    }
  }

  @Test("A pass of one's own attaches any table, and GPTQ and lowering take it")
  func ownTable() throws {
    var graph = try SampleNetworks.graph(SampleNetworks.transformer)
    let count = graph.operations(of: Linear.self).count
    try run([OwnTable()], on: &graph)
    let folder = ConstantFolder(graph)
    for (linear, _) in graph.operations(of: Linear.self) {
      let values = try folder.fold(linear.operands[1]).array(of: Float.self)
      #expect(Set(values).isSubset(of: Set(OwnTable.values)) && Set(values).count > 2)
    }
    let before = try logits(graph)
    var lowered = graph
    try run([LowerKernels()], on: &lowered)
    #expect(lowered.operations(of: DequantizingLinear.self).count == count)
    #expect(zip(try logits(lowered), before).allSatisfy { abs($0 - $1) < 1e-4 })
    try run([GPTQ()], on: &graph)
    let solved = ConstantFolder(graph)
    for (linear, _) in graph.operations(of: Linear.self) {
      let values = try solved.fold(linear.operands[1]).array(of: Float.self)
      #expect(Set(values).isSubset(of: Set(OwnTable.values)))
    }
  }
}

/// Rounds every linear layer's weight to one fixed table, as a plugin could.
private struct OwnTable: Pass {
  static let info = PassInfo(
    name: "own-table", summary: "Round weights to a table of one's own.", establishes: [.quantized],
    preservesFunction: false)

  /// Not in order, with one value twice, and far from even.
  static let values: [Float] = [0, 0.5, -0.5, 0.125, -0.125, 0.0625, -0.25, 0]

  func run(on graph: inout Graph, in context: PassContext) throws {
    let spec = QuantizationSpec(.codebook(bits: 3), .row, scaleFormat: .f16)
    for (linear, _) in graph.operations(of: Linear.self) {
      let table = try graph.attach(
        Tensor([1, 8], Self.values).roundedToHalf, named: "own-values", before: linear.id)
      let value = try graph.round(
        linear.operands[1], to: spec, under: [table], before: linear.id, at: linear.location)
      graph.setOperand(1, of: linear.id, to: value)
    }
    graph.stage = .quantized
  }
}
