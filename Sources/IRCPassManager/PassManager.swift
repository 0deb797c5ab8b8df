public import IRCGraph
package import IRCPassKit
public import IRCSupport

/// Runs a list of passes over a graph: checks facts first, times each pass and lets the instruments watch.
public struct PassManager {
  /// What runs, in order.
  public let schedule: [PassInstance]
  /// Who watches, in order.
  public var instruments: [any Instrument]
  /// Results of earlier runs; nil to run every pass.
  package var results: (any PassResults)?
  /// False if there is no calibration text, so that a pass that needs it is an error before anything runs.
  public var hasCalibration = true
  let registry: PassRegistry

  /// Prepares a schedule.
  public init(_ schedule: [PassInstance], registry: PassRegistry, instruments: [any Instrument]) {
    self.schedule = schedule
    self.registry = registry
    self.instruments = instruments
  }

  /// Passes that would change what an earlier one has written already, each an error at the pass's entry.
  public func orderProblems() -> [Diagnostic] {
    guard let exporter = schedule.first(where: \.info.emitsFiles) else { return [] }
    return lateChanges.map { instance in
      instance.error(
        "passes.after-exporter",
        "'\(instance.id)' would change a network that '\(exporter.id)' has already written",
        hint: "put it before '\(exporter.id)'")
    }
  }

  /// The passes behind the first exporter that are none themselves.
  private var lateChanges: [PassInstance] {
    schedule.drop { !$0.info.emitsFiles }.filter { !$0.info.emitsFiles }
  }

  /// Facts that some pass requires and nothing before it establishes, each an error at the pass's entry, after what is wrong with the
  /// order (`orderProblems`).
  ///
  /// Nothing is inserted silently: the error names the passes that would establish the fact.
  public func factProblems(startingWith facts: Set<Fact>) -> [Diagnostic] {
    var facts = facts
    var problems = orderProblems()
    let late = Set(lateChanges.map(\.id))
    // Who made a fact true that holds now.
    var makers: [Fact: String] = [:]
    // What is in the wrong place is not asked for facts, too.
    for instance in schedule where !late.contains(instance.id) {
      let effects = instance.pass.effects
      let conflicts = effects.conflicts.filter { facts.contains($0.fact) }
      for conflict in conflicts {
        let maker = makers[conflict.fact]
        problems.append(
          instance.error(
            "passes.conflicting-fact",
            "pass '\(instance.id)' \(conflict.reason) ('\(conflict.fact)')",
            hint: conflict.hint ?? maker.map { maker in
              schedule.contains { $0.id == maker && $0.info.name == instance.info.name }
                ? "remove one of '\(maker)' and '\(instance.id)'"
                : "put '\(instance.id)' before '\(maker)'"
            } ?? "run it before the fact is established"))
      }
      // What a conflict broke is not reported a second time as missing.
      for fact in effects.requires where !facts.contains(fact) && conflicts.isEmpty {
        let makers = registry.establishing(fact)
        problems.append(
          instance.error(
            "passes.missing-fact",
            "pass '\(instance.id)' requires '\(fact)', which nothing before it establishes",
            hint: makers.isEmpty
              ? "no known pass establishes it"
              : "put \(makers.map { "'\($0)'" }.joined(separator: " or ")) before it"))
      }
      facts = factsAfter(effects, facts)
      for fact in effects.establishes { makers[fact] = instance.id }
    }
    return problems
  }

  /// Everything that is known to be wrong with the schedule before anything runs: facts, and calibration text that is not there.
  public func problems(startingWith facts: Set<Fact>) -> [Diagnostic] {
    factProblems(startingWith: facts) + [calibrationProblem].compactMap(\.self)
  }

  /// An error at the entry of the first pass that needs calibration text, if there is none; one text serves them all.
  public var calibrationProblem: Diagnostic? {
    if hasCalibration { return nil }
    let needy = schedule.filter(\.pass.needsCalibration)
    guard let first = needy.first else { return nil }
    let others = needy.dropFirst().map { "'\($0.id)'" }
    return first.error(
      "passes.missing-calibration",
      "pass '\(first.id)' needs calibration text, and the model file names none",
      hint: "add 'calibration: {text: FILE}' to the model file",
      notes: others.isEmpty ? [] : ["needed by \(others.joined(separator: ", ")) too"])
  }

  /// Names that no instance of the schedule has.
  private func instanceProblems(_ names: [String]) -> [Diagnostic] {
    let known = schedule.map(\.id)
    var seen = Set(known)
    return names.filter { seen.insert($0).inserted }.map { name in
      let list = known.map { "'\($0)'" }.joined(separator: ", ")
      return Diagnostic(
        "passes.unknown-instance", "the pipeline has no pass '\(name)'",
        hint: nearestMatch(to: name, in: known).map { "did you mean '\($0)'?" }
          ?? (known.isEmpty ? "it has no passes" : "it has \(list)"))
    }
  }

  /// Runs the schedule, or the part of it up to the instance `lastInstance`.
  ///
  /// - Throws: `DiagnosticList` naming the pass that failed; `graph` is then as it was before that pass. Nothing runs when a
  ///   fact or the calibration text is missing, or an instance that `lastInstance` or an instrument names.
  package func run(
    on graph: inout Graph, model: ModelDescription, target: Target, services: PassServices,
    until lastInstance: String? = nil
  ) throws {
    let problems =
      instanceProblems(instruments.flatMap(\.awaited) + (lastInstance.map { [$0] } ?? []))
      + problems(startingWith: graph.facts)
    if !problems.isEmpty { throw DiagnosticList(problems) }
    for (position, instance) in schedule.enumerated() {
      // So that what a pass is given does not tell how earlier passes came to it.
      if position > 0 { graph.renumber() }
      try runOne(instance, on: &graph, model: model, target: target, services: services)
      if instance.id == lastInstance { return }
    }
  }

  private func runOne(
    _ instance: PassInstance, on graph: inout Graph, model: ModelDescription, target: Target,
    services: PassServices
  ) throws {
    let before = graph
    let results = instance.pass.isCostly ? results : nil
    do {
      for instrument in instruments { try instrument.before(instance, graph) }
      let clock = ContinuousClock()
      let start = clock.now
      let known = results?.find(instance, on: before)
      let result =
        try known?.result
        ?? compute(
          instance, on: before,
          in: PassContext(
            instance: instance.id, model: model, target: target, services: services,
            components: registry.components))
      graph = result.graph
      let run = PassRun(
        instance: instance.id,
        seconds: known == nil ? result.seconds : (clock.now - start) / .seconds(1),
        earlierSeconds: known?.result.seconds, remarks: result.said.remarks,
        counters: instance.info.statistics.map { ($0.name, result.said.counters[$0.name] ?? 0) },
        emissions: result.said.emissions,
        operations: (before.operations.count, graph.operations.count))
      var passed: [String] = []
      for instrument in instruments {
        let check = instrument.check(of: instance)
        if let check, let known, results?.hasPassed(check, known.kept) == true { continue }
        try instrument.after(instance, before, graph, run)
        if let check { passed.append(check) }
      }
      // What a check refuses is not kept.
      guard let results, let kept = known?.kept ?? results.keep(result, of: instance, on: before)
      else { return }
      for check in passed { results.pass(check, kept) }
    } catch {
      graph = before
      throw blame(instance, error)
    }
  }

  /// Runs the pass, and leaves of its graph what the text tells.
  private func compute(
    _ instance: PassInstance, on before: Graph, in context: PassContext
  ) throws -> PassResult {
    var graph = before
    let elapsed = try ContinuousClock().measure {
      try instance.guarded { try instance.pass.run(on: &graph, in: context) }
      graph.removeDeadOperations()
    }
    graph.facts = factsAfter(instance.pass.effects, graph.facts)
    graph.dropUnusedParameters()
    return PassResult(graph: graph, said: context.said, seconds: elapsed / .seconds(1))
  }

  /// The error as the user sees it: at the pass's entry, with the pass's name.
  func blame(_ instance: PassInstance, _ error: any Error) -> DiagnosticList {
    switch error {
    case let list as DiagnosticList: DiagnosticList(list.diagnostics.map(instance.blamed))
    case let diagnostic as Diagnostic: DiagnosticList(instance.blamed(diagnostic))
    case let error as PassError:
      DiagnosticList(
        instance.error(
          "passes.failed", "pass '\(instance.id)': \(error.message)", hint: error.hint,
          notes: error.location.words.map { ["at \($0)"] } ?? []))
    case let error as SiteError:
      DiagnosticList(
        instance.error(
          "passes.failed", "pass '\(instance.id)': \(error.description)", hint: error.hint))
    default:
      DiagnosticList(instance.error("passes.failed", "pass '\(instance.id)': \(error)"))
    }
  }

  func factsAfter(_ effects: PassEffects, _ facts: Set<Fact>) -> Set<Fact> {
    effects.preserves.selected(of: facts).union(effects.establishes)
  }
}
