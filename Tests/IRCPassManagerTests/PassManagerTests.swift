import IRCGraph
import IRCPassKit
import IRCPassManager
import IRCSupport
import Testing

extension Fact {
  fileprivate static let prepared = Fact("prepared")
}

/// Establishes a fact and drops the others.
private struct Prepare: Pass {
  static let info = PassInfo(
    name: "prepare", summary: "Prepares.", establishes: [.prepared], preserves: .only([]),
    preservesFunction: true, statistics: [seen, unused], remarks: [told])
  static let seen = Statistic("seen", "Operations seen.")
  static let unused = Statistic("unused", "Never counted.")
  static let told = RemarkKind("told", .analysis, "Something was told.")
  func run(on graph: inout Graph, in context: PassContext) throws {
    context.count(Self.seen, by: graph.operations.count)
    context.remark(Self.told, at: .checkpoint("w"), "it was \(context.instance)", hint: "look")
  }
}

/// Needs the fact.
private struct Consume: Pass {
  static let info = PassInfo(
    name: "consume", summary: "Consumes.", requires: [.prepared], preservesFunction: true)
  func run(on graph: inout Graph, in context: PassContext) throws {}
}

/// Drops every fact.
private struct Forget: Pass {
  static let info = PassInfo(
    name: "forget", summary: "Forgets.", preserves: .only([]), preservesFunction: true)
  func run(on graph: inout Graph, in context: PassContext) throws {}
}

/// Says that it keeps the function, and negates the output.
private struct Lie: Pass {
  static let info = PassInfo(name: "lie", summary: "Lies.", preservesFunction: true)
  func run(on graph: inout Graph, in context: PassContext) throws {
    let output = graph.producer(of: graph.outputs[0].value)
    let negated = try graph.add(
      Negate(), [output.operands[0]], before: output.id, at: context.derived(from: .unknown))
    graph.setOperand(0, of: output.id, to: negated[0])
  }
}

/// Leaves an operation that reads what is made after it.
private struct Break: Pass {
  static let info = PassInfo(name: "break", summary: "Breaks.", preservesFunction: false)
  func run(on graph: inout Graph, in context: PassContext) throws {
    let output = graph.producer(of: graph.outputs[0].value)
    graph.setOperand(0, of: output.id, to: output.result)
  }
}

/// Gives up after it has changed something.
private struct GiveUp: Pass {
  static let info = PassInfo(name: "give-up", summary: "Gives up.", preservesFunction: false)
  func run(on graph: inout Graph, in context: PassContext) throws {
    graph.name = "changed"
    throw PassError("no way on", at: .checkpoint("some.weight"), hint: "go back")
  }
}

/// Writes nothing, and says that it writes.
private struct Write: Pass {
  static let info = PassInfo(
    name: "emit-text", summary: "Writes.", preservesFunction: true, emitsFiles: true)
  func run(on graph: inout Graph, in context: PassContext) throws {}
}

/// Wants of a site what it cannot do.
private struct Overreach: Pass {
  static let info = PassInfo(name: "overreach", summary: "Fails.", preservesFunction: false)
  func run(on graph: inout Graph, in context: PassContext) throws {
    throw SiteError(description: "site 'residual/q' cannot do that", hint: "leave it out")
  }
}

/// Asks for statistics unless it is told a number.
private struct Measure: Pass {
  static let info = PassInfo(
    name: "measure", summary: "Measures.", preservesFunction: true, usesCalibration: true)
  @PassOption("A number.", in: 0...9) var number: Int? = nil
  var needsCalibration: Bool { number == nil }
  func run(on graph: inout Graph, in context: PassContext) throws {}
}

@Suite("Pass manager")
struct PassManagerTests {
  private let all: [any Pass.Type] = [
    Prepare.self, Consume.self, Forget.self, Lie.self, Break.self, GiveUp.self, Overreach.self,
    Write.self,
  ]

  private func graph() throws -> Graph {
    try GraphParser.parse(
      """
      irc.graph @"g" {stage = "float"} {
        %ids = input "ids" : i32[tokens]
        %t = generated {shape = [4, 3], values = random(1, 0.5)} : f32[4, 3]
        %x = embedding %ids, %t : f32[tokens, 3]
        %y = silu %x : f32[tokens, 3]
        output "logits" = %y
      }
      """, file: "g.irc", registry: .standard)
  }

  private func schedule(_ passes: [any Pass]) -> [PassInstance] {
    var counts: [String: Int] = [:]
    return passes.map { pass in
      let name = type(of: pass).info.name
      counts[name, default: 0] += 1
      let count = counts[name] ?? 1
      return PassInstance(id: count == 1 ? name : "\(name)#\(count)", pass: pass, span: nil)
    }
  }

  private func run(
    _ passes: [any Pass], on graph: inout Graph, _ instruments: [any Instrument] = [],
    until last: String? = nil
  ) throws {
    try PassManager(schedule(passes), registry: PassRegistry(all), instruments: instruments).run(
      on: &graph, model: ModelDescription(name: "g", vocabularySize: 4, contextLength: nil),
      target: .portable, services: .none, until: last)
  }

  private func failure(
    _ passes: [any Pass], _ instruments: [any Instrument] = []
  ) throws -> [Diagnostic] {
    var graph = try graph()
    let before = graph
    do {
      try run(passes, on: &graph, instruments)
      return []
    } catch let list as DiagnosticList {
      #expect(graph == before, "a failed pass leaves the graph as it was")
      return list.diagnostics
    }
  }

  @Test("A missing fact is found before anything runs, and the passes that establish it are named")
  func missingFact() throws {
    let recorder = RunRecorder()
    let problems = try failure([Forget(), Consume(), Consume()], [recorder])
    #expect(problems.map(\.id) == ["passes.missing-fact", "passes.missing-fact"])
    #expect(
      problems.map(\.message)
        == ["consume", "consume#2"].map {
          "pass '\($0)' requires 'prepared', which nothing before it establishes"
        })
    #expect(problems.first?.hint == "put 'prepare' before it")
    #expect(recorder.runs.isEmpty)
    // A fact that a pass between the two drops is missing again.
    #expect(try failure([Prepare(), Forget(), Consume()]).count == 1)
    #expect(try failure([Prepare(), Consume(), Forget()]).isEmpty)
  }

  @Test("A pass behind an exporter would change what was written, and is refused where it stands")
  func afterExporter() throws {
    let problems = try failure([Prepare(), Write(), Write(), Consume(), Forget()])
    #expect(problems.map(\.id) == ["passes.after-exporter", "passes.after-exporter"])
    #expect(
      problems.first?.message
        == "'consume' would change a network that 'emit-text' has already written")
    #expect(problems.first?.hint == "put it before 'emit-text'")
    // Facts of a pass in the wrong place are not asked for, too.
    #expect(try failure([Write(), Consume()]).map(\.id) == ["passes.after-exporter"])
    #expect(try failure([Prepare(), Consume(), Write(), Write()]).isEmpty)
  }

  @Test("Places of errors are told in words, with passes in the order in which they ran")
  func places() throws {
    #expect(
      try failure([GiveUp()]).first?.notes == ["at checkpoint tensor 'some.weight'"])
    let place = Location.pass("b", from: .pass("a", from: .checkpoint("w")))
    #expect(place.words == "checkpoint tensor 'w', by a, b")
    #expect(Location.pass("a", from: .unknown).words == "by a")
    #expect(Location.unknown.words == nil)
    #expect(
      Location.text(SourceLocation(file: "m.yaml", line: 3, column: 5)).words == "m.yaml:3:5")
  }

  @Test("A fact of the graph itself counts, and an unknown one has no pass to name")
  func givenFact() throws {
    var given = try graph()
    given.facts = [.prepared]
    try run([Consume()], on: &given)
    let manager = PassManager(
      schedule([Consume()]), registry: try PassRegistry([Consume.self]), instruments: [])
    #expect(manager.factProblems(startingWith: []).first?.hint == "no known pass establishes it")
    try run([Forget()], on: &given)
    #expect(given.facts.isEmpty)
  }

  @Test(
    "Calibration text that is not there is told once, at the first instance whose options need it")
  func missingCalibration() throws {
    var told = Measure()
    told.number = 3
    var manager = PassManager(
      schedule([told, Consume(), Measure(), Measure()]), registry: try PassRegistry([]),
      instruments: [])
    #expect(manager.problems(startingWith: [.prepared]).isEmpty)
    manager.hasCalibration = false
    let problems = manager.problems(startingWith: [])
    #expect(problems.map(\.id) == ["passes.missing-fact", "passes.missing-calibration"])
    #expect(
      problems.last?.message
        == "pass 'measure#2' needs calibration text, and the model file names none")
    #expect(problems.last?.notes == ["needed by 'measure#3' too"])
    #expect(problems.last?.hint == "add 'calibration: {text: FILE}' to the model file")
    var graph = try graph()
    #expect(throws: DiagnosticList.self) {
      try manager.run(
        on: &graph, model: ModelDescription(name: "g", vocabularySize: 4, contextLength: nil),
        target: .portable, services: .none)
    }
    #expect(throws: DiagnosticList.self) {
      try manager.forecast(
        on: &graph, model: ModelDescription(name: "g", vocabularySize: 4, contextLength: nil),
        target: .portable)
    }
    let modest = PassManager(
      schedule([told]), registry: try PassRegistry([]), instruments: [])
    #expect(modest.calibrationProblem == nil)
  }

  @Test("An invalid graph is blamed on the pass that left it")
  func invalid() throws {
    let problems = try failure([Break()], [VerifyInstrument()])
    #expect(problems.map(\.id) == ["passes.invalid-graph"])
    #expect(problems.first?.message.contains("pass 'break' left an invalid graph") == true)
    #expect(problems.first?.hint?.contains("--print-ir-after=break") == true)
  }

  @Test("A pass that only says it preserves the function is caught, by name and with both values")
  func lying() throws {
    let check = FunctionCheckInstrument(probe: [0, 1, 2, 3])
    let problems = try failure([Lie()], [VerifyInstrument(), check])
      .filter { $0.id == "passes.function-changed" }
    #expect(problems.count == 1)
    let message = problems.first?.message ?? ""
    #expect(message.contains("pass 'lie' changed the function of the network"))
    #expect(message.contains("output 'logits' at [0, 0] was"))
    #expect(problems.first?.notes.first?.contains("allowed 1e-06") == true)
  }

  @Test("A pass that gives up is named with its reason, place and hint")
  func givesUp() throws {
    let problem = try #require(try failure([GiveUp()]).first)
    #expect(problem.id == "passes.failed")
    #expect(problem.message == "pass 'give-up': no way on")
    #expect(problem.notes.count == 1 && problem.notes[0].contains("some.weight"))
    #expect(problem.hint == "go back")
    let site = try #require(try failure([Overreach()]).first)
    #expect(site.message == "pass 'overreach': site 'residual/q' cannot do that")
    #expect(site.id == "passes.failed" && site.hint == "leave it out")
  }

  @Test("The schedule stops after the instance asked for")
  func stops() throws {
    var graph = try graph()
    let recorder = RunRecorder()
    try run([Prepare(), Forget(), Prepare(), GiveUp()], on: &graph, [recorder], until: "prepare#2")
    #expect(recorder.runs.map(\.instance) == ["prepare", "forget", "prepare#2"])
  }

  @Test("Counters and remarks are recorded for each instance, counters that stayed 0 too")
  func records() throws {
    var graph = try graph()
    let recorder = RunRecorder()
    try run([Prepare(), Prepare()], on: &graph, [recorder])
    #expect(recorder.runs.map(\.operations.before) == [4, 4])
    for (run, instance) in zip(recorder.runs, ["prepare", "prepare#2"]) {
      #expect(run.counters.map { "\($0.name) \($0.value)" } == ["seen 4", "unused 0"])
      let remark = try #require(run.remarks.first)
      #expect(run.remarks.count == 1)
      #expect(remark.pass == instance && remark.message == "it was \(instance)")
      #expect(remark.location == .checkpoint("w") && remark.hint == "look")
      #expect(run.seconds >= 0 && run.emissions.isEmpty)
    }
  }

  @Test("The graph is printed after the instances asked for, or after all")
  func dumps() throws {
    for (names, count) in [(["prepare#2"] as [String], 1), (nil, 3)] {
      var texts: [String] = []
      var graph = try graph()
      let dump = DumpInstrument(after: names) { texts.append($0) }
      try run([Prepare(), Forget(), Prepare()], on: &graph, [dump])
      #expect(texts.count == count)
      let last = try #require(texts.last)
      #expect(last.hasPrefix("// IR after prepare#2\n"))
      let body = String(last.drop { $0 != "\n" })
      #expect(try GraphParser.parse(body, file: "dump", registry: .standard) == graph)
    }
  }

  @Test("Two passes of one name cannot be registered together")
  func duplicate() throws {
    #expect(throws: Diagnostic.self) { try PassRegistry([Prepare.self, Prepare.self]) }
    let registry = try PassRegistry(all)
    #expect(registry.passes.map { $0.info.name }.sorted() == registry.passes.map { $0.info.name })
    #expect(registry["forget"] != nil && registry["forgot"] == nil)
  }
}
