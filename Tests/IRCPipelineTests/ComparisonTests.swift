import IRCPassKit
import IRCPassManager
import IRCPipeline
import IRCSupport
import Testing

/// Plans of several pipelines on one model file.
@Suite struct ComparisonTests {
  private let project: Project

  init() throws {
    project = try Project([
      ("model.yaml", "irc: 1\nsource: tiny\npipeline: no-such-pipeline\n"),
      ("own.yaml", "irc: 1\npasses:\n  - quantize: {rounds: 5}\n"),
    ])
  }

  private func plans(
    _ pipelines: String, prefix: String? = nil, _ settings: [String] = []
  ) throws -> [CompilationPlan] {
    try CompilationPlan.comparing(
      project.path + "/model.yaml", pipelines: pipelines, prefix: prefix, settings: settings,
      registry: PassRegistry(fakePasses), shipped: shipped)
  }

  private func messages(
    _ pipelines: String, prefix: String? = nil, _ settings: [String] = []
  ) -> String {
    let error = #expect(throws: DiagnosticList.self) {
      try plans(pipelines, prefix: prefix, settings)
    }
    return project.shorten(error?.description ?? "")
  }

  @Test func oneForEachPipeline() throws {
    let own = project.path + "/own.yaml"
    let plans = try plans(" rtn-w8a8 ,float,\(own),rtn-w8a8")
    #expect(plans.map(\.model.pipeline) == ["rtn-w8a8", "float", own, "rtn-w8a8"])
    #expect(
      plans.map { $0.passes.map(\.id) } == [
        ["fold-norm-gains", "quantize", "lower-kernels", "emit-c"], ["lower-kernels", "emit-c"],
        ["quantize"], ["fold-norm-gains", "quantize", "lower-kernels", "emit-c"],
      ])
    // Each plan knows its own files and no other's.
    #expect(
      plans[1].files.map(project.shorten) == ["model.yaml", "@float.yaml", "@lower-and-emit.yaml"])
    #expect(plans[2].files.map(project.shorten) == ["model.yaml", "own.yaml"])
    #expect(quantizer(plans[2])?.rounds == 5)
  }

  @Test func prefixComesFirst() throws {
    let plans = try plans(
      "rtn-w8a8,float", prefix: "quantize,fold-norm-gains",
      ["passes.quantize.rounds=7", "passes.quantize#2.rounds=9"])
    #expect(
      plans[0].passes.map(\.id) == [
        "quantize", "fold-norm-gains", "fold-norm-gains#2", "quantize#2", "lower-kernels", "emit-c",
      ])
    #expect(quantizer(plans[0])?.rounds == 7)
    #expect(quantizer(plans[0], "quantize#2")?.rounds == 9)
    #expect(plans[1].passes.map(\.id).prefix(2) == ["quantize", "fold-norm-gains"])
    #expect(quantizer(plans[1])?.rounds == 7)
  }

  @Test func everyMistakeOnce() {
    let text = messages(
      "rtn-w8a9,float,", prefix: "lower-kernel,quantize{rounds: 0}",
      ["pipeline=float", "target=avx3", "passes.quantise.rounds=2"])
    let lines = text.split(separator: "\n").filter { $0.contains(": error: ") }
    #expect(
      lines == [
        "--set:1:1: error: 'pipeline' is not the model file's here [set.excluded]",
        "--set:2:8: error: expected native | portable | avx2 | avx512-vnni | neon, found 'avx3' [options.type]",
        "--pipelines:1:1: error: unknown scheme 'w8a9' [scheme.unknown]",
        "--pipelines:1:16: error: expected the name of a pipeline [pipeline.syntax]",
        "--prefix:1:1: error: unknown pass 'lower-kernel' [passes.unknown]",
        "--prefix:1:31: error: expected a whole number from 1 to 100, found '0' [options.range]",
      ])
  }

  @Test func settingsThatNoPipelineTakes() throws {
    #expect(try plans("float,rtn-w8a8", ["passes.quantize.rounds=2"]).count == 2)
    let text = messages("float,rtn-w8a8", ["passes.quantise.rounds=2"])
    #expect(text.components(separatedBy: "has no pass 'quantise'").count == 2)
    #expect(messages("").hasPrefix("--pipelines:1:1: error: expected the name of a pipeline"))
  }
}
