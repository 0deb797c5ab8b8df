import IRCExecution
public import IRCGraph
import IRCPassKit
import IRCSupport

/// Verifies the graph after every pass.
public final class VerifyInstrument: Instrument {
  /// Makes the instrument.
  public init() {}

  public func after(
    _ instance: PassInstance, _ before: Graph, _ graph: Graph, _ run: PassRun
  ) throws {
    let problems = graph.verify()
    guard let first = problems.first else { return }
    throw instance.error(
      "passes.invalid-graph", "pass '\(instance.id)' left an invalid graph: \(first.message)",
      hint:
        "this is a defect of the pass; run with --print-ir-after=\(instance.id) to see the graph",
      notes: problems.dropFirst().prefix(5).map(\.message))
  }
}

/// Prints the graph after chosen passes.
public final class DumpInstrument: Instrument {
  public var awaited: [String] { instances ?? [] }
  private let instances: [String]?
  private let write: (String) -> Void

  /// Prints after the instances named, or after all of them when `instances` is nil.
  public init(after instances: [String]?, write: @escaping (String) -> Void) {
    self.instances = instances
    self.write = write
  }

  public func after(
    _ instance: PassInstance, _ before: Graph, _ graph: Graph, _ run: PassRun
  ) throws {
    if instances?.contains(instance.id) ?? true {
      write("// IR after \(instance.id)\n\(graph.text)")
    }
  }
}

/// Runs the graph before and after each pass that says it preserves the function, on probe tokens.
///
/// In double precision, so that what a pass did wrong stands out from rounding: a code that rounds the other way because of a
/// difference in the last bit of a float would look like a wrong result.
public final class FunctionCheckInstrument: Instrument {
  private let probe: [Int32]

  /// Compares the two graphs on these token ids.
  public init(probe: [Int32]) {
    self.probe = probe
  }

  public func check(of instance: PassInstance) -> String? {
    instance.info.preservesFunction ? "function-check 1 \(probe)" : nil
  }

  public func after(
    _ instance: PassInstance, _ before: Graph, _ graph: Graph, _ run: PassRun
  ) throws {
    guard instance.info.preservesFunction, before != graph else { return }
    let difference = try FunctionCheck.compare(
      before, graph, probe: probe, tolerance: instance.info.tolerance, precision: .double)
    guard let worst = difference.firstExceeding else { return }
    throw instance.error(
      "passes.function-changed",
      "pass '\(instance.id)' changed the function of the network: \(worst)",
      hint: "this is a defect of the pass; --function-check never skips the comparison",
      notes: [
        "largest relative difference \(difference.largest), allowed \(instance.info.tolerance)"
      ])
  }
}

/// Keeps what every pass did, for `--timing`, remarks and the manifest.
public final class RunRecorder: Instrument {
  /// What ran, in order.
  public private(set) var runs: [PassRun] = []

  /// Makes the instrument.
  public init() {}

  public func after(
    _ instance: PassInstance, _ before: Graph, _ graph: Graph, _ run: PassRun
  ) throws {
    runs.append(run)
  }
}
