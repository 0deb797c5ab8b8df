import IRCPassKit
import IRCPassManager
import IRCTestSupport
import InjectOutliers
import SmoothFusion
import Testing

@Suite("smooth-fusion")
struct SmoothFusionTests {
  private static let windows: [[Int32]] = (0..<8).map { seed in
    (0..<16).map { Int32(($0 * 7 + seed * 3) % 16) }
  }

  private func run(_ passes: [any Pass], on graph: inout Graph) throws -> [PassRun] {
    let recorder = RunRecorder()
    let manager = PassManager(
      passes.enumerated().map { PassInstance(id: "pass#\($0)", pass: $1, span: nil) },
      registry: try PassRegistry([SmoothFusion.self, InjectOutliers.self]),
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

  private func smoothing(_ sites: [String], alpha: Double? = 0.5) -> SmoothFusion {
    var pass = SmoothFusion()
    pass.sites = sites.map { NamePattern($0) }
    pass.alpha = alpha
    return pass
  }

  @Test(
    "Every role leaves the function alone",
    arguments: [
      (SampleNetworks.transformer, "norm"), (SampleNetworks.transformer, "value"),
      (SampleNetworks.transformer, "product"), (SampleNetworks.transformer, "activation"),
      (SampleNetworks.stateSpace, "norm"), (SampleNetworks.stateSpace, "activation"),
      (SampleNetworks.stateSpace, "scan"), (SampleNetworks.stateSpace, "state"),
      (SampleNetworks.stateSpace, "convolution"), (SampleNetworks.stateSpace, "low-rank"),
    ], [0.5, 0])
  func preserves(network: (text: String, role: String), alpha: Double) throws {
    let before = try SampleNetworks.graph(network.text)
    var after = before
    let runs = try run([smoothing([network.role], alpha: alpha)], on: &after)
    #expect((runs.first?.counters.first?.value ?? 0) > 0)
    let difference = try FunctionCheck.compare(
      before, after, probe: [3, 1, 4, 1, 5, 9], tolerance: 1, precision: .double)
    #expect(difference.largest < 1e-12, "\(difference.largest)")
    if alpha > 0 { #expect(difference.largest > 0, "nothing was changed") }
  }

  @Test("All roles together leave the function alone")
  func together() throws {
    for text in [SampleNetworks.transformer, SampleNetworks.stateSpace] {
      let before = try SampleNetworks.graph(text)
      var after = before
      _ = try run(
        [
          smoothing([
            "norm", "value", "product", "activation", "scan", "state", "convolution", "low-rank",
          ])
        ], on: &after)
      #expect(
        try FunctionCheck.compare(
          before, after, probe: [3, 1, 4, 1, 5, 9], tolerance: 1, precision: .double
        ).largest < 1e-12)
      #expect(!after.facts.contains(.normGainsFolded) && after.facts.contains(.normInputsSmoothed))
    }
  }

  @Test("Smoothing takes injected outliers away again")
  func flattens() throws {
    var hard = try SampleNetworks.graph(SampleNetworks.stateSpace)
    var injection = InjectOutliers()
    injection.sites = [NamePattern("activation")]
    _ = try run([injection], on: &hard)
    var smooth = hard
    _ = try run([smoothing(["activation"], alpha: nil)], on: &smooth)
    func spread(_ graph: Graph) throws -> Float {
      let product = try #require(graph.operations(of: Multiply.self).first).operation.result
      let peaks = try #require(
        Calibration.collectChannels(graph, requests: [product: .range], windows: Self.windows)[
          product]
      ).absoluteMaximum
      return try #require(peaks.max()) / #require(peaks.min())
    }
    let (before, after) = try (spread(hard), spread(smooth))
    #expect(after < before / 5, "\(before) to \(after)")
  }

  @Test("Sites of one pattern that meet are measured one after the other")
  func rounds() throws {
    func smoothed(_ sites: [String]) throws -> [[Float]] {
      var graph = try SampleNetworks.graph(SampleNetworks.transformer)
      let runs = try run([smoothing(sites, alpha: 0.5)], on: &graph)
      #expect(runs.first?.counters.first?.value == 2)
      let folder = ConstantFolder(graph)
      return try graph.operations(of: Linear.self).map {
        try folder.fold($0.operation.operands[1]).array(of: Float.self)
      }
    }
    #expect(try smoothed(["*/down"]) == smoothed(["activation/down", "product/down"]))
  }

  @Test("Passes that change weights are refused after quantization")
  func afterQuantization() throws {
    for pass in [SmoothFusion(), InjectOutliers()] as [any Pass] {
      var graph = try SampleNetworks.graph(SampleNetworks.transformer)
      graph.facts = [.quantized]
      let error = #expect(throws: DiagnosticList.self) { try run([pass], on: &graph) }
      #expect(error?.diagnostics.map(\.id) == ["passes.conflicting-fact"])
    }
  }

  @Test("Factors that are too far from the typical one are cut off")
  func limits() throws {
    var graph = try SampleNetworks.graph(SampleNetworks.stateSpace)
    var pass = smoothing(["activation"])
    pass.limit = 1
    let before = graph
    _ = try run([pass], on: &graph)
    let scales = graph.operations(of: ChannelScale.self)
    #expect(!scales.isEmpty)
    let folder = ConstantFolder(graph)
    for (operation, _) in scales {
      #expect(
        try folder.fold(operation.operands[1]).array(of: Float.self).allSatisfy { $0 == 1 })
    }
    #expect(
      try FunctionCheck.compare(
        before, graph, probe: [1, 2], tolerance: 1e-12, precision: .double
      ).firstExceeding == nil)
  }
}
