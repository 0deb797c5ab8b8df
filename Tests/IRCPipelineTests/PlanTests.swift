import Foundation
import IRCPassKit
import IRCPassManager
import IRCPipeline
import IRCSupport
import IRCTestSupport
import Testing

private let minimal = "irc: 1\nsource: tiny\npipeline: rtn-w8a8\n"

@Suite struct PlanTests {
  @Test func exampleOfEveryKey() throws {
    let project = try Project([
      (
        "model.yaml",
        """
        irc: 1                                  # language version, required
        name: novels-mamba                      # default: folder name
        source: tiny
        calibration: {text: prose.txt, tokens: 16384, window: 256, seed: 0}
        pipeline: rtn-w8a8
        target: native
        emit: [c]
        output: build/novels-mamba
        """
      )
    ])
    let plan = try project.plan()
    #expect(
      plan.passes.map(\.id) == ["fold-norm-gains", "quantize", "lower-kernels", "emit-c"])
    #expect(plan.model.name == "novels-mamba")
    #expect(plan.model.identifier == "novels_mamba")
    #expect(plan.model.source == project.path + "/tiny")
    #expect(plan.model.output == project.path + "/build/novels-mamba")
    #expect(plan.model.calibration?.source == .text(project.path + "/prose.txt"))
    #expect(plan.model.target == .native)
    #expect(
      plan.files.map(project.shorten)
        == ["model.yaml", "@schemes/w8a8.yaml", "@rtn.yaml", "@lower-and-emit.yaml"])
    let scheme = try #require(quantizer(plan)).scheme
    #expect(scheme.weights == QuantizationSpec(.integer(bits: 8), .row))
    #expect(scheme.activations?.spec == QuantizationSpec(.integer(bits: 8), .row))
  }

  @Test func defaults() throws {
    let project = try Project([
      ("model.yaml", minimal + "calibration: {text: docs.jsonl}\n"), ("docs.jsonl", "{}\n"),
    ])
    let model = try project.plan().model
    #expect(model.name == "toy")
    #expect(model.output == project.path + "/build/toy")
    #expect(model.emit == ["c"])
    #expect(
      model.calibration
        == .init(
          source: .documents(project.path + "/docs.jsonl"), written: "docs.jsonl"))
    #expect(model.calibration?.tokens == 16_384 && model.calibration?.window == 256)
    #expect(try project.plan(output: "elsewhere").model.output == "elsewhere")
  }

  /// Schemes of integers are named after their bits.
  static let integerSchemes = shipped.schemes.filter { $0.hasPrefix("w") && !$0.contains(".") }

  /// Schemes with a budget are named after its bits.
  @Test(arguments: shipped.schemes.filter { $0.contains(".") })
  func shippedBudgets(_ name: String) throws {
    let project = try Project([("model.yaml", minimal.replacing("w8a8", with: name))])
    let scheme = try #require(quantizer(try project.plan())).scheme
    let parts = name.dropFirst().split(separator: "a")
    #expect(scheme.bits == Double(parts[0]))
    // To start with, all weights have the format that takes just so many bits with its scales.
    #expect(
      Double(scheme.weights.storedBits(rows: 64, columns: 1024)) == 65_536 * (scheme.bits ?? 0))
    #expect(
      scheme.activations.map { String($0.spec.format.bits) }
        == (parts[1] == "16" ? nil : String(parts[1])))
  }

  @Test(arguments: integerSchemes) func shippedSchemes(_ name: String) throws {
    let project = try Project([("model.yaml", minimal.replacing("w8a8", with: name))])
    let scheme = try #require(quantizer(try project.plan())).scheme
    let parts = name.dropFirst().split(separator: "a")
    #expect(String(scheme.weights.format.bits) == parts[0])
    #expect(
      scheme.weights.granularity == (scheme.weights.format.bits == 8 ? .row : .group(32)))
    let bits = parts[1].prefix { $0.isNumber }
    #expect(
      scheme.activations.map { String($0.spec.format.bits) } == (bits == "16" ? nil : String(bits)))
    #expect(
      scheme.activations.map { $0.spec.granularity == .tensor }
        == (bits == "16" ? nil : name.hasSuffix("-static")))
    #expect(scheme.cache == (name.hasSuffix("kv8") ? .integer(bits: 8) : nil))
  }

  @Test(arguments: [
    ("fp8", TableFormat.fp8E4M3, Granularity.row, ScaleFormat.f32),
    ("nf4", .nf4, .group(32), .f16), ("mxfp4", .fp4, .group(32), .e8m0),
    ("mxfp8", .fp8E4M3, .group(32), .e8m0), ("nvfp4", .fp4, .group(16), .e4m3),
    ("mxfp4a8", .fp4, .group(32), .e8m0), ("nvfp4a8", .fp4, .group(16), .e4m3),
    ("nf4a8", .nf4Int8, .group(32), .f16),
  ])
  func shippedTableSchemes(
    _ name: String, _ format: TableFormat, _ granularity: Granularity, _ scales: ScaleFormat
  ) throws {
    let project = try Project([("model.yaml", minimal.replacing("w8a8", with: name))])
    let scheme = try #require(quantizer(try project.plan())).scheme
    #expect(
      scheme.weights == QuantizationSpec(.table(format), granularity, scaleFormat: scales))
    if name.hasSuffix("a8") {
      // Codes of eight bits are multiplied with integers only.
      #expect(format.levels != nil)
      #expect(scheme.activations?.spec == QuantizationSpec(.integer(bits: 8), .row))
    } else {
      #expect(scheme.activations == nil)
    }
  }

  @Test(
    "Schemes of fitted formats keep values in f16",
    arguments: [
      ("cb2a16", NumericFormat.codebook(bits: 2), Granularity.row),
      ("cb3a16", .codebook(bits: 3), .row), ("cb4a16", .codebook(bits: 4), .row),
      ("bcq2a16", .binary(bits: 2), .group(128)), ("bcq3a16", .binary(bits: 3), .group(128)),
      ("bcq4a16", .binary(bits: 4), .group(128)),
    ])
  func shippedFittedSchemes(_ name: String, _ format: NumericFormat, _ granularity: Granularity)
    throws
  {
    let project = try Project([("model.yaml", minimal.replacing("w8a8", with: name))])
    let scheme = try #require(quantizer(try project.plan())).scheme
    #expect(scheme.weights == QuantizationSpec(format, granularity, scaleFormat: .f16))
    #expect(scheme.activations == nil)
  }

  @Test("A pipeline of one's own takes a scheme behind its path")
  func schemeBehindPath() throws {
    let files = [
      ("model.yaml", minimal.replacing("rtn-w8a8", with: "own/mine.yaml-w8a8-static")),
      (
        "own/mine.yaml",
        "irc: 1\npasses:\n  - quantize: {scheme: $scheme}\n  - include: lower-and-emit\n"
      ),
      ("own/plain.yaml", "irc: 1\npasses:\n  - include: lower-and-emit\n"),
    ]
    let scheme = try #require(quantizer(try Project(files).plan())).scheme
    #expect(scheme.activations?.isStatic == true)
    func messages(_ pipeline: String) throws -> String {
      let model = ("model.yaml", minimal.replacing("rtn-w8a8", with: pipeline))
      return try Project([model] + files.dropFirst()).messages([])
    }
    #expect(try messages("own/mine.yaml").contains("hint: write 'own/mine.yaml-w8a8'"))
    #expect(
      try messages("own/plain.yaml-w8a8").contains("pipeline 'own/plain.yaml' takes no scheme"))
    #expect(try messages("own/mine.yaml-w8a9").contains("unknown scheme 'w8a9'"))
  }

  @Test func shippedNames() {
    #expect(
      shipped.pipelines == [
        "awq", "fitted", "fitted-gptq", "float", "gptq", "lower-and-emit", "mambaquant",
        "mambaquant-cpu",
        "mambaquant-mixed", "mixed", "mr-gptq", "quarot", "rsq", "rtn", "smoothquant", "svdquant",
      ])
    #expect(Self.integerSchemes.count == 15 && shipped.schemes.count == 32)
  }

  @Test func settingsOverride() throws {
    let project = try Project([
      (
        "model.yaml",
        minimal.replacing("rtn-w8a8", with: "[quantize: {rounds: 2}, quantize, lower-kernels]")
      )
    ])
    let plan = try project.plan([
      "passes.quantize.scheme=w4a16", "passes.quantize#2.rounds=7", "target=neon",
      "passes.quantize#2.include=['*.up', \"*.down\"]", "passes.quantize.rounds=3",
      "calibration={text: \(project.path)/prose.txt}", "calibration.tokens=99", "output=out",
      "name=other",
    ])
    #expect(plan.passes.map(\.id) == ["quantize", "quantize#2", "lower-kernels"])
    #expect(quantizer(plan)?.scheme.weights.granularity == .group(32))
    #expect(quantizer(plan)?.rounds == 3)
    #expect(quantizer(plan, "quantize#2")?.rounds == 7)
    #expect(quantizer(plan, "quantize#2")?.include.map(\.glob) == ["*.up", "*.down"])
    #expect(plan.model.target == .neon)
    #expect(plan.model.calibration?.tokens == 99)
    #expect(plan.model.output == "out")
    #expect(plan.model.name == "other")
  }

  @Test func pipelineFromTheCommandLine() throws {
    let project = try Project([("model.yaml", minimal)])
    #expect(try project.plan(["pipeline=float"]).passes.map(\.id) == ["lower-kernels", "emit-c"])
    let plan = try project.plan(["pipeline=rtn-w4a4"])
    #expect(quantizer(plan)?.scheme.activations?.spec.format == .integer(bits: 4))
  }

  @Test func includesPassTheSchemeOn() throws {
    let project = try Project([
      (
        "model.yaml",
        minimal.replacing("rtn-w8a8", with: "[include: sub/a.yaml, include: rtn-w2a16]")
      ),
      (
        "sub/a.yaml",
        "irc: 1\npasses:\n  - quantize: {scheme: b.yaml, rounding: stochastic}\n  - emit: []\n"
          .replacing("b.yaml", with: "./b.yaml")
      ),
      ("sub/b.yaml", "irc: 1\nweights: {format: int3}\n"),
    ])
    let plan = try project.plan()
    #expect(quantizer(plan)?.scheme.weights.format == .integer(bits: 3))
    #expect(quantizer(plan)?.rounding == .stochastic)
    #expect(quantizer(plan, "quantize#2")?.scheme.weights.format == .integer(bits: 2))
  }

  @Test func findsShippedFilesFromTheExecutable() throws {
    let folder = try TemporaryFolder()
    try folder.write("repo/pipelines/schemes/a.yaml", "irc: 1\n")
    try folder.write("repo/.build/release/irc", "")
    try folder.write("usr/bin/irc", "")
    try folder.write("usr/share/irc/pipelines/schemes/a.yaml", "irc: 1\n")
    try FileManager.default.createSymbolicLink(
      atPath: folder.file("irc"), withDestinationPath: folder.file("repo/.build/release/irc"))
    func find(_ name: String, _ given: String? = nil) -> String? {
      ShippedFiles.pipelinesDirectory(executable: folder.file(name), override: given)
    }
    #expect(find("repo/.build/release/irc")?.hasSuffix("repo/pipelines") == true)
    #expect(find("irc")?.hasSuffix("repo/pipelines") == true)
    #expect(find("usr/bin/irc")?.hasSuffix("usr/share/irc/pipelines") == true)
    #expect(find("irc", "given") == "given")
    // A program that was built elsewhere from these sources.
    #expect(
      ShippedFiles.pipelinesDirectory(executable: "/nowhere/bin/irc")
        == Shared.repository.map { $0 + "/pipelines" })
  }
}
