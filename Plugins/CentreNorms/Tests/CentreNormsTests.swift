import CentreNorms
import FoldNormGains
import IRCPassKit
import IRCPassManager
import IRCTestSupport
import RotationFusion
import Testing

@Suite("centre-norms")
struct CentreNormsTests {
  /// Runs passes one after another, verified after each; returns what each did.
  private func run(_ passes: [any Pass], on graph: inout Graph) throws -> [PassRun] {
    let recorder = RunRecorder()
    let manager = PassManager(
      passes.enumerated().map { index, pass in
        PassInstance(id: "\(type(of: pass).info.name)#\(index)", pass: pass, span: nil)
      }, registry: try PassRegistry([FoldNormGains.self, CentreNorms.self, RotationFusion.self]),
      instruments: [VerifyInstrument(), recorder])
    try manager.run(
      on: &graph, model: ModelDescription(name: "m", vocabularySize: 16, contextLength: nil),
      target: .portable, services: .none)
    return recorder.runs
  }

  private func difference(_ before: Graph, _ after: Graph) throws -> Double {
    try FunctionCheck.compare(
      before, after, probe: [3, 1, 4, 1, 5, 9], tolerance: 1, precision: .double
    ).largest
  }

  private func counters(_ run: PassRun) -> [String] {
    run.counters.map { "\($0.name) \($0.value)" }
  }

  /// The layer norm network with one line replaced.
  private func network(_ line: String = "", by other: String = "") throws -> Graph {
    let text = SampleNetworks.layerNorms
    #expect(line.isEmpty || text.contains(line))
    return try SampleNetworks.graph(
      line.isEmpty ? text : text.replacingOccurrences(of: line, with: other))
  }

  /// Centres everything that writes the residual stream, whether or not that is right.
  private func centreWriters(of graph: inout Graph) throws {
    let site = try #require(graph.sites(.mixing).first { $0.role == .residual })
    for writer in site.writers {
      let centred = try graph.add(
        ChannelCentre(axis: writer.axis), [graph[writer.operation].operands[writer.operand]],
        before: writer.operation)
      graph.setOperand(writer.operand, of: writer.operation, to: centred[0])
    }
  }

  @Test(
    "Layer norms become RMS norms, and the stream can be rotated, without a change of the function")
  func centresAndRotates() throws {
    let before = try network()
    var after = before
    let runs = try run([FoldNormGains(), CentreNorms()], on: &after)
    #expect(counters(runs[0]) == ["folded 3", "biases 3", "kept 0"])
    // Two tables, two matrices and their biases.
    #expect(counters(runs[1]) == ["centred 3", "writers 6", "kept 0"])
    #expect(after.operations(of: LayerNorm.self).isEmpty)
    #expect(after.operations(of: RMSNorm.self).allSatisfy { $0.operation.operands.count == 1 })
    #expect(try difference(before, after) < 1e-12)

    let residual = try #require(after.sites(.mixing).first { $0.role == .residual })
    #expect(residual.group == .orthogonal && residual.isOffline)
    #expect(residual.writers.count == 6)
    let centred = after
    var rotation = RotationFusion()
    rotation.sites = [NamePattern("residual")]
    let rotated = try run([rotation], on: &after)
    #expect(rotated[0].counters.first { $0.name == "rotated" }?.value == 1)
    #expect(after != centred)
    #expect(try difference(before, after) < 1e-12)
  }

  @Test("Without centring, rotation is refused with the pass that would help")
  func rotationNeedsIt() throws {
    var graph = try network()
    var rotation = RotationFusion()
    rotation.sites = [NamePattern("residual")]
    let error = #expect(throws: DiagnosticList.self) {
      try run([FoldNormGains(), rotation], on: &graph)
    }
    #expect(error?.diagnostics.first?.message.contains("'layer_norm'") == true)
    #expect(error?.diagnostics.first?.hint?.contains("'centre-norms'") == true)
  }

  @Test("Only layer norms do not see the mean: centring the writers of others changes the function")
  func meanMatters() throws {
    let layer = try network()
    var centred = layer
    try centreWriters(of: &centred)
    #expect(try difference(layer, centred) < 1e-12)

    let rms = try SampleNetworks.graph(SampleNetworks.transformer)
    var wrong = rms
    try centreWriters(of: &wrong)
    #expect(try difference(rms, wrong) > 1e-2)
    var untouched = rms
    let runs = try run([CentreNorms()], on: &untouched)
    #expect(counters(runs[0]) == ["centred 0", "writers 0", "kept 0"])
    #expect(untouched == rms)
  }

  @Test("The embedding's table gets a copy of its own if the head has the one that is not centred")
  func unties() throws {
    let text = SampleNetworks.layerNorms.replacingOccurrences(
      of: "layer_norm %t, %g3, %b3", with: "layer_norm %t")
    let before = try SampleNetworks.graph(text)
    var after = before
    let runs = try run([FoldNormGains(), CentreNorms()], on: &after)
    let untied = runs[1].remarks.filter { $0.kind == .untied }
    #expect(untied.count == 1)
    #expect(untied.first?.message.contains("'table'") == true)
    #expect(untied.first?.message.contains("128 weights") == true)
    #expect(try difference(before, after) < 1e-12)
  }

  /// Lines of the network, what stands there instead, and what the remark says of it.
  static let obstacles = [
    (
      "%d = linear %s, %wd, %bd : f32[tokens, 8]",
      "%d0 = linear %s, %wd, %bd : f32[tokens, 8]\n%d = silu %d0 : f32[tokens, 8]",
      "'silu' writes what it reads"
    ),
    (
      "%place = embedding %pos, %places : f32[tokens, 8]",
      "%place = input \"places\" : f32[tokens, 8]", "'input' writes what it reads"
    ),
    (
      "output \"logits\" = %y", "output \"logits\" = %y\noutput \"stream\" = %t",
      "the output 'stream' shows what it reads"
    ),
    (
      "%y = linear %f, %table : f32[tokens, 16]", "%y = linear %t, %table : f32[tokens, 16]",
      "'linear' reads the same and would miss the mean"
    ),
    (
      "%f = layer_norm %t, %g3, %b3 {", "%f = rms_norm %t {",
      "'rms_norm' reads the same and would miss the mean"
    ),
    (
      "%f = layer_norm %t, %g3, %b3 {", "%f = rms_norm %t, %g3 {",
      "'rms_norm' reads the same and would miss the mean"
    ),
    (
      "%wd = param \"down.weight\" {shape = [8, 12], stored = f32} : f32[8, 12]",
      "%wd = reshape %u {shape = [8, 12]} : f32[8, 12]",
      "'linear' writes what it reads"
    ),
  ]

  @Test(
    "A norm stays where a writer cannot leave out the mean, or where someone sees it",
    arguments: obstacles)
  func leaves(line: String, other: String, reason: String) throws {
    var text = SampleNetworks.layerNorms.replacingOccurrences(of: line, with: other)
    #expect(text != SampleNetworks.layerNorms)
    // Weights of run time need a fixed number of tokens.
    if other.contains("reshape") {
      text = text.replacingOccurrences(of: "past+tokens", with: "past+8")
        .replacingOccurrences(of: "tokens", with: "8")
    }
    let before = try SampleNetworks.graph(text)
    var after = before
    let runs = try run([FoldNormGains(), CentreNorms()], on: &after)
    let norms = after.operations(of: LayerNorm.self).count
    #expect(norms >= 2)
    #expect(counters(runs[1]) == ["centred 0", "writers 0", "kept \(norms)"])
    #expect(after.operations(of: ChannelCentre.self).isEmpty)
    #expect(runs[1].remarks.count == norms)
    for remark in runs[1].remarks {
      #expect(remark.kind.name == "not-centred")
      #expect(remark.message.contains(reason), "\(remark.message)")
    }
  }

  @Test("A norm with a bias that its readers cannot take stays, the others are centred")
  func keepsBiases() throws {
    let before = try network(
      "%s = silu %u : f32[tokens, 12]",
      by: """
        %m0 = silu %m : f32[tokens, 8]
          %m1 = linear %m0, %wu : f32[tokens, 12]
          %u1 = add %u, %m1 : f32[tokens, 12]
          %s = silu %u1 : f32[tokens, 12]
        """)
    var after = before
    let runs = try run([FoldNormGains(), CentreNorms()], on: &after)
    #expect(counters(runs[0]) == ["folded 2", "biases 2", "kept 1"])
    #expect(runs[0].remarks.contains { $0.message.contains("absorb a gain and a bias") })
    #expect(counters(runs[1]) == ["centred 2", "writers 6", "kept 1"])
    #expect(runs[1].remarks.contains { $0.message.contains("it has a bias") })
    #expect(try difference(before, after) < 1e-12)
    // What is centred already is not centred twice.
    let once = after
    let again = try run([CentreNorms()], on: &after)
    #expect(counters(again[0]) == ["centred 0", "writers 0", "kept 1"])
    #expect(after == once)
  }

  @Test("A gain that stays goes on to the RMS norm; a norm of something that is no stream stays")
  func others() throws {
    let before = try network(
      "%s = silu %u : f32[tokens, 12]",
      by:
        "%s0 = silu %u : f32[tokens, 12]\n  %s = layer_norm %s0 {epsilon = 0.01} : f32[tokens, 12]")
    var after = before
    let gains = after.operations(of: LayerNorm.self).filter { $0.operation.operands.count == 3 }
    for (operation, norm) in gains {
      try after.replace(operation.id, with: norm, Array(operation.operands.prefix(2)))
    }
    let onlyGains = after
    let runs = try run([CentreNorms()], on: &after)
    #expect(counters(runs[0]) == ["centred 3", "writers 6", "kept 1"])
    #expect(
      runs[0].remarks.contains {
        $0.message == "its input is no residual stream; 'silu' makes it"
      })
    #expect(after.operations(of: RMSNorm.self).allSatisfy { $0.operation.operands.count == 2 })
    #expect(try difference(onlyGains, after) < 1e-12)
  }
}
