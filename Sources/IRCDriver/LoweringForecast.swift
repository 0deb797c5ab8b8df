import Foundation
import IRCCodegen
import IRCFrontend
import IRCGraph
import IRCOps
import IRCPassKit
import IRCPassManager
import IRCPipeline
package import IRCSupport

/// What `irc lower --dry-run` tells: the passes in order, the format and size of each tensor, and how much memory and time it will take.
///
/// Nothing is written, and of the weights no more is read than where they lie and whether two of them are equal.
package struct LoweringForecast {
  private let plan: CompilationPlan
  private let passes: [ForecastOfPass]
  private let sourceBytes: Int
  private let memory: CalibrationDemand.Memory
  private let time: CalibrationDemand.Time

  private var emission: EmissionReport? { passes.flatMap(\.emissions).first }

  /// Forecasts a compilation.
  ///
  /// - Parameter lastRun: the last run on the same question, whose times are the best estimate.
  /// - Throws: `Diagnostic` `pipeline.no-exporter`, and `DiagnosticList` as lowering would.
  package init(_ compilation: Compilation, lastRun: LoweringRecord?) throws {
    plan = compilation.plan
    try plan.checkExporter()
    var graph = compilation.model.graph
    graph.name = plan.model.name
    graph.renumber()
    let ownBytes = CalibrationDemand.processBytes
    let usesCalibration = plan.passes.contains { $0.pass.needsCalibration && $0.pass.isCostly }
    let (tokens, window) = usesCalibration ? compilation.calibrationSize : (0, 0)
    let network = graph
    passes = try plan.manager().forecast(
      on: &graph, model: compilation.facts, target: plan.model.target, calibrationTokens: tokens)
    let demand = CalibrationDemand(
      network, passes.map(\.work), tokens: tokens, window: window, ownBytes: ownBytes)
    sourceBytes = compilation.model.checkpoint.byteCount
    memory = demand.memory
    if let lastRun {
      time = CalibrationDemand.Time(
        seconds: lastRun.seconds, isLeast: false,
        from: "the passes of the last run with these arguments")
    } else {
      time = try demand.time(writing: sourceBytes)
    }
  }

  // MARK: - Reports

  /// Keys are documented in `docs/commands.md`.
  package var json: JSON {
    .object([
      ("output", .string(plan.model.output)),
      (
        "passes",
        .array(
          passes.map { pass in
            .object([
              ("instance", .string(pass.instance.id)),
              ("open", pass.reason.map(JSON.string) ?? .null),
              ("statistics", .object(pass.counters.map { ($0.name, .integer($0.value)) })),
            ])
          })
      ),
      ("files", .array((emission?.files ?? []).map(JSON.string))),
      (
        "dependencies",
        emission.map { .string("\(plan.model.output)/\($0.names.dependencies)") } ?? .null
      ),
      (
        "compiler_flags",
        .array(
          (emission?.compilerFlags ?? plan.model.target.compilerFlags(.none)).map(JSON.string))
      ),
      ("tensors", .array((emission?.tensors ?? []).map(\.json))),
      ("source_bytes", .integer(sourceBytes)),
      ("weight_bytes", emission.map { .integer($0.weightBytes) } ?? .null),
      ("text_bytes", emission.map { .integer($0.textBytes) } ?? .null),
      ("context_bytes", emission.map { .integer($0.contextBytes) } ?? .null),
      ("token_bytes", emission.map { .integer($0.tokenBytes) } ?? .null),
      ("memory_bytes", .integer(memory.bytes)), ("memory_from", .string(memory.from)),
      ("seconds", .real(time.seconds)), ("seconds_at_least", .bool(time.isLeast)),
      ("seconds_from", .string(time.from)),
    ])
  }

  /// What caches are of a context.
  private func caches(_ emission: EmissionReport) -> String {
    guard emission.tokenBytes > 0, let length = emission.contextLength else { return "" }
    return "; caches take \(emission.tokenBytes) bytes for each of \(length) tokens"
  }

  /// The same for people.
  package var text: String {
    var text = "\(plan.model.output): nothing is written\n\npasses\n"
    for pass in passes {
      text += "  \(pass.instance.id)\(pass.reason.map { ", open: \($0)" } ?? "")\n"
    }
    if let emission {
      text += "\ntensors\n"
      let width = emission.tensors.map(\.name.count).max() ?? 0
      for tensor in emission.tensors {
        let shape = tensor.shape.map(String.init).joined(separator: "x")
        text +=
          "  \(tensor.name.padding(toLength: width, withPad: " ", startingAt: 0))  \(shape)  \(tensor.format)  "
          + "\(tensor.bytes) bytes\(tensor.constant.map { "  as '\($0)'" } ?? "")\n"
      }
      let isOpen = passes.contains { $0.reason != nil }
      text += """

        checkpoint  \(sourceBytes) bytes
        weights     \(emission.weightBytes) bytes\(isOpen ? ", as far as open passes change no formats and add no tensors" : "")
        C files     \(emission.textBytes) bytes
        context     \(emission.contextBytes) bytes while the library runs\(caches(emission))

        """
    }
    text += """
      memory      about \(ByteSize.text(memory.bytes)), from \(memory.from)
      time        \(time.isLeast ? "at least" : "about") \(fixed(time.seconds, time.seconds < 10 ? 1 : 0)) s, from \(time.from)

      """
    return text
  }
}

extension ForecastOfPass {
  /// Why it is open what the pass does; nil if it is not.
  fileprivate var reason: String? {
    if case .open(let reason) = forecast { return reason }
    return nil
  }
}

extension EmissionReport.StoredTensor {
  /// As manifests and forecasts have it.
  var json: JSON {
    .object([
      ("name", .string(name)), ("constant", constant.map(JSON.string) ?? .null),
      ("shape", .array(shape.map { .integer($0) })),
      ("format", .string(format)), ("bytes", .integer(bytes)),
      ("bits_per_weight", .real(bitsPerWeight)),
    ])
  }
}
