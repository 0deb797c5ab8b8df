import AWQ
import IRCPassKit
import IRCPassManager
import IRCTestSupport
import InjectOutliers
import Testing

@Suite("awq")
struct AWQTests {
  private static let windows: [[Int32]] = (0..<8).map { window in
    let numbers = RandomNumbers(seed: UInt64(window))
    return (0..<16).map { Int32(numbers.integer($0, below: 16)) }
  }

  private func run(_ passes: [any Pass], on graph: inout Graph) throws -> [PassRun] {
    let recorder = RunRecorder()
    let manager = PassManager(
      passes.enumerated().map { PassInstance(id: "pass#\($0)", pass: $1, span: nil) },
      registry: try PassRegistry([AWQ.self, InjectOutliers.self]),
      instruments: [VerifyInstrument(), recorder])
    var services = PassServices.none
    services.channelStatistics = { groups, graph in
      try Calibration.collectChannels(graph, groups: groups, windows: Self.windows)
    }
    try manager.run(
      on: &graph, model: ModelDescription(name: "m", vocabularySize: 16, contextLength: nil),
      target: .portable, services: services)
    return recorder.runs
  }

  private func pass(_ sites: [String], clip: Bool = false) -> AWQ {
    var pass = AWQ()
    pass.sites = sites.map { NamePattern($0) }
    pass.scheme = QuantizationScheme(weights: QuantizationSpec(.integer(bits: 3), .row))
    pass.clip = clip
    return pass
  }

  @Test(
    "Every role leaves the function alone",
    arguments: [SampleNetworks.transformer, SampleNetworks.stateSpace], [false, true])
  func preserves(text: String, clip: Bool) throws {
    var before = try SampleNetworks.graph(text)
    var injection = InjectOutliers()
    injection.sites = [NamePattern("*")]
    _ = try run([injection], on: &before)
    var after = before
    let runs = try run([pass(["norm", "value", "product", "activation"], clip: clip)], on: &after)
    #expect((runs.first?.counters.first?.value ?? 0) > 0)
    let difference = try FunctionCheck.compare(
      before, after, probe: [3, 1, 4, 1, 5, 9], tolerance: 1, precision: .double)
    #expect(difference.largest < 1e-10 && difference.largest > 0, "\(difference.largest)")
  }

  /// The error of the outputs of layers that read `input`, after rounding their weights to nearest, relative to the outputs.
  private func error(_ graph: Graph, _ names: [String], _ spec: QuantizationSpec) throws -> Double {
    let folder = ConstantFolder(graph)
    return try graph.operations(of: Linear.self).reduce(0) { sum, linear in
      let (input, weights) = (linear.operation.operands[0], linear.operation.operands[1])
      guard names.contains(graph.parameterName(of: weights) ?? "") else { return sum }
      let measured = try Calibration.collectChannels(
        graph, requests: [input: .secondMoment], windows: Self.windows)
      let moment = try #require(measured[input]?.secondMoment)
      let w = try folder.fold(weights)
      let energy = OutputEnergy(moment: moment)
      return try sum
        + energy.of(spec.nearestValues(of: w).subtracting(w)) / energy.of(w)
    }
  }

  @Test("Layers behind a site have less error once their weights are rounded")
  func improves() throws {
    var before = try SampleNetworks.graph(SampleNetworks.transformer)
    var injection = InjectOutliers()
    injection.sites = [NamePattern("product")]
    _ = try run([injection], on: &before)
    var after = before
    let pass = pass(["product"])
    let runs = try run([pass], on: &after)
    #expect(runs.first?.counters.first?.value == 1)
    let spec = pass.scheme.weights
    let (worse, better) = try (
      error(before, ["down.weight"], spec), error(after, ["down.weight"], spec)
    )
    #expect(better < worse, "\(worse) to \(better)")
  }
}
