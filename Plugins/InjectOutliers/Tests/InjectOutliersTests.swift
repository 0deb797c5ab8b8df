import IRCPassKit
import IRCPassManager
import IRCTestSupport
import InjectOutliers
import Testing

@Suite("inject-outliers")
struct InjectOutliersTests {
  private func run(_ pass: InjectOutliers, on graph: inout Graph) throws -> PassRun {
    let recorder = RunRecorder()
    let manager = PassManager(
      [PassInstance(id: "inject-outliers", pass: pass, span: nil)],
      registry: try PassRegistry([InjectOutliers.self]),
      instruments: [VerifyInstrument(), recorder])
    try manager.run(
      on: &graph, model: ModelDescription(name: "m", vocabularySize: 16, contextLength: nil),
      target: .portable, services: .none)
    return try #require(recorder.runs.first)
  }

  @Test(
    "The function stays, and some channel of a reader's input stands out",
    arguments: [SampleNetworks.transformer, SampleNetworks.stateSpace])
  func injects(text: String) throws {
    let before = try SampleNetworks.graph(text)
    var after = before
    let run = try run(InjectOutliers(), on: &after)
    #expect((run.counters.first?.value ?? 0) >= 2)
    let difference = try FunctionCheck.compare(
      before, after, probe: [3, 1, 4, 1, 5, 9], tolerance: 1, precision: .double)
    #expect(difference.largest < 1e-12)

    let product = try #require(after.operations(of: Multiply.self).first).operation.result
    let original = try #require(before.operations(of: Multiply.self).first).operation.result
    let windows: [[Int32]] = [[1, 2, 3, 4, 5, 6, 7]]
    let measured = try Calibration.collectChannels(
      after, requests: [product: .range], windows: windows)[product]
    let plain = try Calibration.collectChannels(
      before, requests: [original: .range], windows: windows)[original]
    let ratios = try zip(
      #require(measured).absoluteMaximum, #require(plain).absoluteMaximum
    ).map { $0 / $1 }
    // The product has the factor from either side, or from both at once.
    #expect(ratios.contains { abs($0 - 30) < 0.01 || abs($0 - 900) < 1 }, "\(ratios)")
    #expect(ratios.filter { abs($0 - 1) < 1e-4 }.count >= 8)
  }

  @Test("Another site changes nothing at this one, and remarks say where it is")
  func independence() throws {
    func remarks(_ sites: [String]) throws -> [Remark] {
      var graph = try SampleNetworks.graph(SampleNetworks.transformer)
      var pass = InjectOutliers()
      pass.sites = sites.map { NamePattern($0) }
      return try run(pass, on: &graph).remarks
    }
    let (one, all) = try (remarks(["product"]), remarks(["value", "product", "norm"]))
    #expect(one.count == 1 && one[0].location == .checkpoint("down.weight"))
    #expect(all.map(\.message).contains(one[0].message))
  }

  @Test("Another seed draws other channels")
  func seeds() throws {
    var (a, b) = (
      try SampleNetworks.graph(SampleNetworks.transformer),
      try SampleNetworks.graph(SampleNetworks.transformer)
    )
    var other = InjectOutliers()
    other.seed = 1
    let messages = try (run(InjectOutliers(), on: &a), run(other, on: &b))
    #expect(messages.0.remarks.map(\.message) != messages.1.remarks.map(\.message))
  }
}
