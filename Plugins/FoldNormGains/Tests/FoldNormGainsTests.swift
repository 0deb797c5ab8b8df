import FoldNormGains
import IRCPassKit
import IRCPassManager
import IRCTestSupport
import Testing

@Suite("fold-norm-gains")
struct FoldNormGainsTests {
  /// Two readers of one normalisation, and a head that has the embedding's table.
  private static let tied = """
    irc.graph @"tied" {stage = "float"} {
      %ids = input "ids" : i32[tokens]
      %table = param "table" {shape = [16, 8], stored = f32} : f32[16, 8]
      %x = embedding %ids, %table : f32[tokens, 8]
      %g = param "first.gain" {shape = [8], stored = f32} : f32[8]
      %n = rms_norm %x, %g {epsilon = 1e-05} : f32[tokens, 8]
      %a = param "a" {shape = [8, 8], stored = f32} : f32[8, 8]
      %b = param "b" {shape = [8, 8], stored = f32} : f32[8, 8]
      %c = param "b.bias" {shape = [8], stored = f32} : f32[8]
      %p = linear %n, %a : f32[tokens, 8]
      %q = linear %n, %b, %c : f32[tokens, 8]
      %s = add %p, %q : f32[tokens, 8]
      %h = param "last.gain" {shape = [8], stored = f32} : f32[8]
      %m = rms_norm %s, %h {epsilon = 1e-05} : f32[tokens, 8]
      %y = linear %m, %table : f32[tokens, 16]
      output "logits" = %y
    }
    """

  private func graph(_ text: String) throws -> Graph {
    var graph = try GraphParser.parse(text, file: "test.irc", registry: .standard)
    var tensors = NamedTensors()
    for (_, op) in graph.operations(of: Parameter.self) { tensors.add(random: op.name, op.shape) }
    graph.parameters = tensors
    return graph
  }

  /// Runs the pass with the graph verified afterwards.
  private func run(_ pass: FoldNormGains, on graph: inout Graph) throws -> PassRun {
    let recorder = RunRecorder()
    let manager = PassManager(
      [PassInstance(id: "fold-norm-gains", pass: pass, span: nil)],
      registry: try PassRegistry([FoldNormGains.self]),
      instruments: [VerifyInstrument(), recorder])
    try manager.run(
      on: &graph, model: ModelDescription(name: "tied", vocabularySize: 16, contextLength: nil),
      target: .portable, services: .none)
    return try #require(recorder.runs.first)
  }

  private func counters(_ run: PassRun) -> [String] {
    run.counters.map { "\($0.name) \($0.value)" }
  }

  @Test("Gains move into every reader, and the function stays in double precision")
  func folds() throws {
    let before = try graph(Self.tied)
    var after = before
    let run = try run(FoldNormGains(), on: &after)
    #expect(counters(run) == ["folded 2", "biases 0", "kept 0"])
    #expect(after.operations(of: RMSNorm.self).allSatisfy { $0.operation.operands.count == 1 })
    #expect(after.facts.contains(.normGainsFolded))
    let difference = try FunctionCheck.compare(
      before, after, probe: [3, 1, 4, 1, 5, 9], tolerance: 1e-12, precision: .double)
    #expect(difference.firstExceeding == nil, "\(difference.largest)")
    // The comparison can fail: without gains the function is another.
    var wrong = before
    for (operation, norm) in before.operations(of: RMSNorm.self) {
      try wrong.replace(
        operation.id, with: RMSNorm(epsilon: norm.epsilon), [operation.operands[0]])
    }
    #expect(
      try FunctionCheck.compare(
        before, wrong, probe: [3, 1, 4], tolerance: 1e-12, precision: .double
      ).firstExceeding != nil)
  }

  @Test("The embedding keeps its table when the head that shares it absorbs a gain, with a remark")
  func unties() throws {
    var graph = try graph(Self.tied)
    let remarks = try run(FoldNormGains(), on: &graph).remarks.filter { $0.kind.name == "untied" }
    #expect(remarks.count == 1)
    #expect(remarks.first?.message.contains("'table'") == true)
    #expect(remarks.first?.message.contains("128 weights") == true)
    #expect(remarks.first?.hint?.contains("untie: false") == true)
    let embedding = try #require(graph.operations(of: Embedding.self).first).operation
    #expect(graph.producer(of: embedding.operands[1]).op is Parameter)
  }

  @Test("With 'untie: false' a tied table stays shared and its gain where it is")
  func keepsTies() throws {
    let before = try graph(Self.tied)
    var after = before
    var pass = FoldNormGains()
    pass.untie = false
    let run = try run(pass, on: &after)
    #expect(counters(run) == ["folded 1", "biases 0", "kept 1"])
    let missed = run.remarks.filter { $0.kind.outcome == .missed }
    #expect(missed.map(\.message) == ["a reader shares its weights 'table'"])
    #expect(missed.first?.hint?.contains("untie: true") == true)
    let head = after.producer(of: after.outputs[0].value)
    #expect(after.producer(of: head.operands[1]).op is Parameter)
    #expect(
      try FunctionCheck.compare(
        before, after, probe: [3, 1, 4], tolerance: 1e-12, precision: .double
      )
      .firstExceeding == nil)
  }

  @Test(
    "A gain stays where some reader cannot absorb it, with the reason",
    arguments: [
      ("%y = silu %n : f32[tokens, 8]", "output \"logits\" = %y", "'silu' reads the result"),
      (
        "%y = linear %n, %w : f32[tokens, 8]", "output \"logits\" = %y\noutput \"n\" = %n", "output"
      ),
      (
        "%z = linear %n, %w : f32[tokens, 8]\n%y = add %z, %n : f32[tokens, 8]",
        "output \"logits\" = %y", "'add' reads the result"
      ),
    ])
  func keeps(readers: String, outputs: String, reason: String) throws {
    let before = try graph(
      """
      irc.graph @"kept" {stage = "float"} {
        %ids = input "ids" : i32[tokens]
        %table = param "table" {shape = [16, 8], stored = f32} : f32[16, 8]
        %w = param "w" {shape = [8, 8], stored = f32} : f32[8, 8]
        %x = embedding %ids, %table : f32[tokens, 8]
        %g = param "gain" {shape = [8], stored = f32} : f32[8]
        %n = rms_norm %x, %g {epsilon = 1e-05} : f32[tokens, 8]
        \(readers)
        \(outputs)
      }
      """)
    var after = before
    after.removeDeadOperations()
    let operations = after.operations.count
    let run = try run(FoldNormGains(), on: &after)
    #expect(counters(run) == ["folded 0", "biases 0", "kept 1"])
    #expect(after.operations.count == operations)
    #expect(run.remarks.map(\.kind.name) == ["not-folded"])
    #expect(try #require(run.remarks.first).message.contains(reason))
  }

  @Test("Biases of layer norms go into those of their readers, which get one where they had none")
  func foldsBiases() throws {
    let before = try SampleNetworks.graph(SampleNetworks.layerNorms)
    var after = before
    let run = try run(FoldNormGains(), on: &after)
    #expect(counters(run) == ["folded 3", "biases 3", "kept 0"])
    #expect(after.operations(of: LayerNorm.self).allSatisfy { $0.operation.operands.count == 1 })
    let constants = after.constants()
    let readers = after.operations(of: Linear.self).map(\.operation).filter {
      after.producer(of: $0.operands[0]).op is LayerNorm
    }
    #expect(readers.count == 5)
    #expect(readers.allSatisfy { $0.operands.count == 3 && constants.contains($0.operands[2]) })
    let difference = try FunctionCheck.compare(
      before, after, probe: [3, 1, 4, 1, 5, 9], tolerance: 1e-12, precision: .double)
    #expect(difference.firstExceeding == nil, "\(difference.largest)")
    // A reader's own bias keeps its name.
    #expect(readers.map { after.parameterName(of: $0.operands[2]) }.contains("up.bias"))
  }

  @Test(
    "A bias stays where its gain does: nothing is folded by halves", arguments: ["gain", "bias"])
  func runTimeParameters(which: String) throws {
    let text = SampleNetworks.layerNorms.replacingOccurrences(
      of:
        "%\(which.first ?? "g")2 = param \"second.\(which)\" {shape = [8], stored = f32} : f32[8]",
      with: "%\(which.first ?? "g")2 = input \"second\" : f32[8]")
    var graph = try SampleNetworks.graph(text)
    let run = try run(FoldNormGains(), on: &graph)
    #expect(counters(run) == ["folded 2", "biases 2", "kept 1"])
    #expect(run.remarks.contains { $0.message == "the \(which) is computed at run time" })
    #expect(
      graph.operations(of: LayerNorm.self).map(\.operation.operands.count) == [1, 3, 1])
  }

  @Test("A second run finds nothing to do")
  func repeats() throws {
    var graph = try graph(Self.tied)
    _ = try run(FoldNormGains(), on: &graph)
    let once = graph
    #expect(counters(try run(FoldNormGains(), on: &graph)) == ["folded 0", "biases 0", "kept 0"])
    #expect(graph == once)
  }
}
