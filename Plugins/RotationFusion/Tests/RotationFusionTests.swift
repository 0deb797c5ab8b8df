import FoldNormGains
import Foundation
import IRCPassKit
import IRCPassManager
import IRCTestSupport
import RotationFusion
import Testing

@Suite("rotation-fusion")
struct RotationFusionTests {
  /// Runs the pass after `facts` are established, with calibration on `windows`.
  private func run(
    _ pass: RotationFusion, on graph: inout Graph, facts: Set<Fact> = [.normGainsFolded],
    windows: [[Int32]] = (0..<24).map { seed in (0..<16).map { Int32(($0 * 7 + seed * 3) % 16) } }
  ) throws -> PassRun {
    graph.facts = facts
    let recorder = RunRecorder()
    let manager = PassManager(
      [PassInstance(id: "rotation-fusion", pass: pass, span: nil)],
      registry: try PassRegistry([RotationFusion.self]),
      instruments: [VerifyInstrument(), recorder])
    var services = PassServices.none
    services.channelStatistics = { groups, graph in
      try Calibration.collectChannels(graph, groups: groups, windows: windows)
    }
    try manager.run(
      on: &graph, model: ModelDescription(name: "m", vocabularySize: 16, contextLength: nil),
      target: .portable, services: services)
    return try #require(recorder.runs.first)
  }

  private func difference(_ before: Graph, _ after: Graph) throws -> Double {
    try FunctionCheck.compare(
      before, after, probe: [3, 1, 4, 1, 5, 9], tolerance: 1, precision: .double
    ).largest
  }

  private func make(
    _ kind: RotationKind, _ sites: [String], online: Bool = false
  ) -> RotationFusion {
    var pass = RotationFusion()
    pass.kind = kind
    pass.sites = sites.map { NamePattern($0) }
    pass.online = online
    return pass
  }

  @Test(
    "Every kind leaves the function alone at every closed site",
    arguments: [RotationKind.hadamard, .orthogonal, .klt, .kltHadamard],
    [SampleNetworks.transformer, SampleNetworks.stateSpace])
  func preserves(kind: RotationKind, text: String) throws {
    let before = try SampleNetworks.graph(text)
    var after = before
    let run = try run(make(kind, ["residual", "value", "low-rank"]), on: &after)
    #expect(run.counters.first { $0.name == "rotated" }?.value == 2)
    #expect(run.counters.first { $0.name == "online" }?.value == 0)
    #expect(after != before)
    #expect(try difference(before, after) < 1e-11)
  }

  @Test("Online rotations leave the function alone", arguments: ["product", "activation", "score"])
  func online(role: String) throws {
    let text = role == "score" ? SampleNetworks.transformer : SampleNetworks.stateSpace
    let before = try SampleNetworks.graph(text)
    var after = before
    let run = try run(make(.hadamard, [role], online: true), on: &after)
    #expect((run.counters.first { $0.name == "online" }?.value ?? 0) > 0)
    #expect(
      after.operations(of: HadamardTransform.self).contains {
        !after.constants().contains($0.operation.result)
      })
    #expect(try difference(before, after) < 1e-11)
  }

  @Test("After klt-hadamard all channels have one variance, after Hadamard they have not")
  func equalises() throws {
    var graph = try SampleNetworks.graph(SampleNetworks.stateSpace)
    let run = try run(make(.kltHadamard, ["residual", "low-rank"]), on: &graph)
    let spreads = run.remarks.filter { $0.kind.name == "spread" }.map(\.message)
    #expect(spreads.count == 2)
    #expect(spreads.allSatisfy { $0.contains(", 1.0 after") }, "\(spreads)")
    #expect(spreads.allSatisfy { !$0.contains("max/min 1.0 before") && !$0.hasSuffix(" 1.0") })
  }

  @Test("A site that is not closed is left alone without 'online', with the reason")
  func leavesOut() throws {
    var graph = try SampleNetworks.graph(SampleNetworks.stateSpace)
    let run = try run(make(.hadamard, ["product"]), on: &graph)
    #expect(run.counters.map(\.value) == [0, 0, 1])
    #expect(run.remarks.first?.message.contains("'mul'") == true)
    #expect(run.remarks.first?.hint?.contains("online: true") == true)
  }

  @Test("Too little calibration data is an error that says how much is needed")
  func needsRows() throws {
    var graph = try SampleNetworks.graph(SampleNetworks.stateSpace)
    let error = #expect(throws: DiagnosticList.self) {
      try run(make(.klt, ["residual"]), on: &graph, windows: [[1, 2, 3]])
    }
    let text = error?.diagnostics.first?.message ?? ""
    #expect(text.contains("needs at least 32 calibration tokens"), "\(text)")
    #expect(text.contains("the text gave 3"), "\(text)")
  }

  @Test(
    "Directions that the data never take are rotated in any way, and told; no data at all is an error"
  )
  func singular() throws {
    let before = try SampleNetworks.graph(SampleNetworks.stateSpace)
    var graph = before
    let run = try run(
      make(.kltHadamard, ["residual"]), on: &graph,
      windows: [[Int32]](repeating: [2], count: 64))
    let remark = try #require(run.remarks.first { $0.kind.name == "rank" })
    #expect(remark.message.contains("rank 2 of 8"), "\(remark.message)")
    #expect(try difference(before, graph) < 1e-11)

    let dead = Self.pair(width: 8).replacing(
      #"param "table" {shape = [16, 8], stored = f32}"#,
      with: "generated {shape = [16, 8], values = splat(0.0)}")
    var silent = try SampleNetworks.graph(dead)
    let error = #expect(throws: DiagnosticList.self) {
      try self.run(make(.klt, ["low-rank"]), on: &silent)
    }
    #expect(error?.diagnostics.first?.message.contains("is zero") == true)
  }

  @Test("Small blocks mix the channels of a block only, and leave the function alone")
  func blocks() throws {
    let before = try SampleNetworks.graph(SampleNetworks.transformer)
    for block in [2, 4] {
      var pass = make(.hadamard, ["residual"])
      pass.block = block
      var graph = before
      let run = try run(pass, on: &graph)
      #expect(run.counters.first { $0.name == "rotated" }?.value == 1)
      #expect(!run.remarks.contains { $0.kind.name == "blockwise" })
      #expect(try difference(before, graph) < 1e-11)
      let blocks = graph.operations(of: HadamardTransform.self).map { $0.op.block }
      #expect(!blocks.isEmpty && blocks.allSatisfy { $0 == block })
    }
    // Five divides no width here, four does.
    var pass = make(.hadamard, ["residual"])
    pass.block = 5
    var graph = before
    let told = try run(pass, on: &graph)
    let remark = try #require(told.remarks.first { $0.kind.name == "blockwise" })
    #expect(
      remark.message.contains("5 does not divide 8 channels, so blocks of 4"), "\(remark.message)")
  }

  @Test("A channel that is always zero does not stand in the way")
  func deadChannel() throws {
    let text = Self.pair(width: 8).replacing("%x = embedding", with: "%e = embedding").replacing(
      "%y = linear",
      with: """
        %m = generated {shape = [8], values = inline(1, 1, 1, 0, 1, 1, 1, 1)} : f32[8]
          %t = mul %table, %m : f32[16, 8]
          %x = embedding %ids, %t : f32[tokens, 8]
          %y = linear
        """)
    let before = try SampleNetworks.graph(text)
    var after = before
    let run = try run(make(.kltHadamard, ["low-rank"]), on: &after)
    #expect(run.remarks.contains { $0.message.contains("rank 7 of 8") })
    let spread = try #require(run.remarks.first { $0.kind.name == "spread" })
    #expect(spread.message.contains("max/min inf before, 1.0 after"), "\(spread.message)")
    #expect(try difference(before, after) < 1e-11)
  }

  /// A table and what reads it, with so many channels between them.
  private static func pair(width: Int) -> String {
    """
    irc.graph @"pair" {stage = "float"} {
      %ids = input "ids" : i32[tokens]
      %table = param "table" {shape = [16, \(width)], stored = f32} : f32[16, \(width)]
      %x = embedding %ids, %table : f32[tokens, \(width)]
      %w = param "w.weight" {shape = [16, \(width)], stored = f32} : f32[16, \(width)]
      %y = linear %x, %w : f32[tokens, 16]
      output "logits" = %y
    }
    """
  }

  @Test("Where a Hadamard matrix mixes parts of a site only, each part gets strong and weak axes")
  func dealing() throws {
    func spread(_ kind: RotationKind) throws -> Double {
      var graph = try SampleNetworks.graph(Self.pair(width: 14))
      let before = graph
      let run = try run(make(kind, ["low-rank"]), on: &graph)
      #expect(try difference(before, graph) < 1e-11)
      let message = try #require(run.remarks.first { $0.kind.name == "spread" }).message
      let text = try #require(message.firstRange(of: " before, ")).upperBound
      return try #require(Double(message[text...].prefix { $0 != " " }))
    }
    let (axes, even) = try (spread(.klt), spread(.kltHadamard))
    #expect(even < axes.squareRoot(), "\(even) of \(axes)")
  }

  @Test(
    "A width that no Hadamard order but 1 divides is left out", arguments: ["low-rank", "residual"])
  func odd(role: String) throws {
    let text =
      role == "low-rank"
      ? Self.pair(width: 7)
      : SampleNetworks.stateSpace.replacing(", 8]", with: ", 7]").replacing("[8, ", with: "[7, ")
    let before = try SampleNetworks.graph(text)
    for kind in [RotationKind.hadamard, .kltHadamard] {
      var graph = before
      let run = try run(make(kind, [role]), on: &graph)
      #expect(run.counters.map(\.value) == [0, 0, 1])
      #expect(run.remarks.map(\.kind.name) == ["left-out"])
      #expect(run.remarks[0].message.contains("divides 7 channels"))
      #expect(run.remarks[0].location != .unknown)
      #expect(graph.operations.count == before.operations.count)
    }
    var graph = before
    _ = try run(make(.klt, [role]), on: &graph)
    #expect(!graph.operations(of: ChannelMatmul.self).isEmpty)
  }

  @Test("Dense blocks online are refused before anything is measured, with the kind to use")
  func denseOnline() throws {
    var graph = try SampleNetworks.graph(SampleNetworks.transformer)
    for kind in [RotationKind.klt, .kltHadamard, .orthogonal] {
      let error = #expect(throws: DiagnosticList.self) {
        try run(make(kind, ["score"], online: true), on: &graph, windows: [])
      }
      #expect(error?.diagnostics.first?.message.contains("no kernel") == true)
      #expect(error?.diagnostics.first?.hint == "use kind: hadamard at this site")
    }
  }

  @Test("A tied table is said once to be no longer shared")
  func tied() throws {
    var graph = try SampleNetworks.graph(
      SampleNetworks.transformer.replacing(
        "%f = rms_norm %t {",
        with: """
          %fg = param "norm.gain" {shape = [8], stored = f32} : f32[8]
            %f = rms_norm %t, %fg {
          """))
    let before = graph
    let recorder = RunRecorder()
    let passes: [any Pass] = [
      FoldNormGains(), make(.hadamard, ["residual", "value"]),
      make(.hadamard, ["product"], online: true),
    ]
    let manager = PassManager(
      passes.enumerated().map { PassInstance(id: "pass#\($0)", pass: $1, span: nil) },
      registry: try PassRegistry([FoldNormGains.self, RotationFusion.self]),
      instruments: [VerifyInstrument(), recorder])
    try manager.run(
      on: &graph, model: ModelDescription(name: "m", vocabularySize: 16, contextLength: nil),
      target: .portable, services: .none)
    let untied = recorder.runs.flatMap(\.remarks).filter { $0.kind.name == "untied" }
    #expect(untied.count == 1, "\(untied.map(\.message))")
    #expect(try difference(before, graph) < 1e-11)
  }

  @Test("Another site changes nothing at this one")
  func seeds() throws {
    func seeds(_ sites: [String]) throws -> Set<Int?> {
      var graph = try SampleNetworks.graph(SampleNetworks.transformer)
      _ = try run(make(.hadamard, sites), on: &graph)
      return Set(graph.operations(of: HadamardTransform.self).map(\.op.seed))
    }
    let (value, both) = try (seeds(["value"]), seeds(["residual", "value"]))
    #expect(value.count == 1 && both.count == 2 && both.isSuperset(of: value))
  }

  @Test("Rotation after quantization is refused before anything runs")
  func afterQuantization() throws {
    var graph = try SampleNetworks.graph(SampleNetworks.transformer)
    let error = #expect(throws: DiagnosticList.self) {
      try run(make(.hadamard, ["value"]), on: &graph, facts: [.quantized])
    }
    #expect(error?.diagnostics.map(\.id) == ["passes.conflicting-fact"])
  }

  @Test("A misspelt site is an error with the nearest name; a role that is not there is told")
  func unknownSites() throws {
    var graph = try SampleNetworks.graph(SampleNetworks.stateSpace)
    let error = #expect(throws: DiagnosticList.self) {
      try run(make(.hadamard, ["residul"]), on: &graph)
    }
    #expect(error?.diagnostics.first?.hint == "did you mean 'residual'?")
    let second = try run(make(.hadamard, ["value", "residual"]), on: &graph)
    #expect(
      second.remarks.contains { $0.kind.name == "absent" && $0.message.contains("'value'") })
  }

  @Test("A gain in the residual stream stops its rotation, and the message names the norm")
  func postNorm() throws {
    var text = SampleNetworks.transformer
    text = text.replacingOccurrences(
      of: "%r = add %x, %o : f32[tokens, 8]",
      with: """
        %pg = param "post.gain" {shape = [8], stored = f32} : f32[8]
          %op = rms_norm %o, %pg {epsilon = 1e-05} : f32[tokens, 8]  loc(checkpoint("post_norm.weight"))
          %r = add %x, %op : f32[tokens, 8]
        """)
    var graph = try SampleNetworks.graph(text)
    let error = #expect(throws: DiagnosticList.self) {
      try run(make(.hadamard, ["residual"]), on: &graph)
    }
    let message = error?.diagnostics.first?.message ?? ""
    #expect(message.contains("rms_norm") && message.contains("post_norm"), "\(message)")
  }

  /// The transformer with an RMS normalisation of each head of queries and keys before the rotary embedding.
  private var headNorms: String {
    func normalised(_ name: String, _ heads: Int) -> String {
      var lines = ["%\(name)g = param \"\(name)_norm.gain\" {shape = [4], stored = f32} : f32[4]"]
      for head in 0..<heads {
        lines += [
          "%\(name)s\(head) = slice %\(name)0 {axis = 1, lower = \(4 * head), upper = \(4 * head + 4)} : f32[tokens, 4]",
          "%\(name)n\(head) = rms_norm %\(name)s\(head), %\(name)g {epsilon = 1e-05} : f32[tokens, 4]",
        ]
      }
      let parts = (0..<heads).map { "%\(name)n\($0)" }.joined(separator: ", ")
      return (lines + ["%\(name)1 = concat \(parts) {axis = 1} : f32[tokens, \(4 * heads)]"])
        .joined(separator: "\n")
    }
    var text = SampleNetworks.transformer
    for (name, heads) in [("q", 4), ("k", 2)] {
      text = text.replacingOccurrences(
        of: "%\(name) = rope %\(name)0,",
        with: normalised(name, heads) + "\n%\(name) = rope %\(name)1,")
    }
    return text
  }

  @Test("Norms of queries and keys keep rotations of scores out of the projections")
  func headNormsStopScores() throws {
    let plain = try SampleNetworks.graph(SampleNetworks.transformer)
    let before = try SampleNetworks.graph(headNorms)
    // Without the norms, rotations of the pairs would go into the weights.
    func absorbs(_ graph: Graph) -> [String] {
      graph.sites(.pairing).flatMap(\.absorbers).compactMap {
        graph.parameterName(of: graph[$0.operation].operands[$0.operand])
      }.filter { ["q.weight", "k.weight"].contains($0) }
    }
    #expect(
      absorbs(plain) == ["k.weight", "q.weight"] || absorbs(plain) == ["q.weight", "k.weight"])
    #expect(absorbs(before).isEmpty)

    var untouched = before
    let left = try run(make(.hadamard, ["score"]), on: &untouched)
    #expect(left.counters.map(\.value) == [0, 0, 1])
    #expect(left.remarks.first?.message.contains("is not closed: 'rope'") == true)
    #expect(untouched.operations(of: HadamardTransform.self).isEmpty)

    var after = before
    let online = try run(make(.hadamard, ["score"], online: true), on: &after)
    #expect((online.counters.first { $0.name == "online" }?.value ?? 0) > 0)
    #expect(after != before)
    #expect(try difference(before, after) < 1e-11)
    // Rotated after the rotary embedding: the projections and the gains are what they were.
    for (operation, _) in after.operations(of: RMSNorm.self) where operation.operands.count == 2 {
      let slice = after.producer(of: operation.operands[0])
      let projection = after.producer(of: slice.operands[0])
      #expect(projection.op is Linear && after.producer(of: projection.operands[1]).op is Parameter)
      #expect(after.producer(of: operation.operands[1]).op is Parameter)
    }
  }

  @Test("Rotation after smoothing of the norms is refused, and says which goes first")
  func order() throws {
    var graph = try SampleNetworks.graph(SampleNetworks.transformer)
    let error = #expect(throws: DiagnosticList.self) {
      try run(
        make(.hadamard, ["residual"]), on: &graph, facts: [.normInputsSmoothed])
    }
    #expect(error?.diagnostics.first?.id == "passes.conflicting-fact")
    #expect(error?.diagnostics.count == 1)
  }

  @Test("Equal seeds give equal graphs")
  func determinism() throws {
    let before = try SampleNetworks.graph(SampleNetworks.transformer)
    var (a, b) = (before, before)
    _ = try run(make(.kltHadamard, ["residual", "value"]), on: &a)
    _ = try run(make(.kltHadamard, ["residual", "value"]), on: &b)
    #expect(a == b && a.text == b.text)
    let folder = (ConstantFolder(a), ConstantFolder(b))
    for (x, y) in zip(a.operations(of: Linear.self), b.operations(of: Linear.self)) {
      let weights = try (
        folder.0.fold(x.operation.operands[1]), folder.1.fold(y.operation.operands[1])
      )
      #expect(weights.0.array(of: Float.self) == weights.1.array(of: Float.self))
    }
  }
}
