import IRCCodegen
import IRCFrontend
import IRCGraph
import IRCPassKit
import IRCPassManager
import IRCPipeline

extension Compilation {
  /// What the plan's exporters would write; passes run only where one cannot tell otherwise what it makes of formats.
  ///
  /// - Throws: `Diagnostic` `pipeline.no-exporter`, and what passes throw.
  func plannedEmissions() throws -> [EmissionReport] {
    try plan.checkExporter()
    var graph = model.graph
    graph.name = plan.model.name
    graph.renumber()
    let forecasts = try plan.manager().forecast(
      on: &graph, model: facts, target: plan.model.target)
    let isCertain = forecasts.allSatisfy {
      if case .certain = $0.forecast { true } else { false }
    }
    if isCertain { return forecasts.flatMap(\.emissions) }
    graph = try simulate().graph
    let exporters = plan.passes.filter { $0.info.emitsFiles }
    return try plan.manager(of: exporters)
      .forecast(on: &graph, model: facts, target: plan.model.target).flatMap(\.emissions)
  }
}
