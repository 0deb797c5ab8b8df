import Foundation
import IRCFrontend
import IRCGraph
import IRCPassManager
package import IRCPipeline
import IRCSupport

/// Everything that can be known to be wrong with a model file before anything is computed: what `irc check` reports.
package struct ModelCheck {
  /// The plan.
  package let plan: CompilationPlan
  /// Every file that lowering would read.
  package let files: [String]

  /// Reads the model file and what it names.
  ///
  /// - Throws: `DiagnosticList` with every problem of the YAML files and options; if there is none, with those of the model's folder,
  ///   of the order of the passes, and of the calibration text.
  package init(
    _ path: String, settings: [String] = [], in environment: CompilerEnvironment
  ) throws {
    let plan = try environment.plan(path, settings: settings)
    self.plan = plan
    var problems: [Diagnostic] = []
    func attempt(_ body: () throws -> Void) throws {
      do {
        try body()
      } catch let list as DiagnosticList {
        problems += list.diagnostics
      } catch let problem as Diagnostic {
        problems.append(problem)
      }
    }
    var model: LoadedModel?
    try attempt { model = try ModelFolder.load(plan.model.source) }
    try attempt { try plan.checkExporter() }
    problems += plan.manager().problems(startingWith: model?.graph.facts ?? [])
    if let calibration = plan.model.calibration {
      try attempt { _ = try MappedFile(path: calibration.source.path) }
      // Ids need no tokenizer.
      if case .ids = calibration.source {
      } else if case .failure(let list)? = model?.tokenizer {
        problems += list.diagnostics
      }
    }
    guard problems.isEmpty, let model else { throw DiagnosticList(problems) }
    files = plan.inputs(model, shipped: environment.shipped).map(\.path)
  }
}
