package import IRCCodegen
package import IRCGraph
package import IRCPassKit
import IRCSupport

/// What is known of one pass of a schedule before anything runs.
package struct ForecastOfPass: Sendable {
  package let instance: PassInstance
  /// Whether the graph is as it will be.
  package let forecast: PassForecast
  /// Counters with their values, in the order of declaration; those of an open pass are 0.
  package let counters: [(name: String, value: Int)]
  /// What running it takes.
  package let work: PassWork
  /// What it would write, if it is an exporter that can tell.
  package let emissions: [EmissionReport]
}

extension PassManager {
  /// Takes every pass of the schedule to its forecast, in order; facts become what they would be.
  ///
  /// - Parameter tokens: how many the calibration text has.
  /// - Throws: `DiagnosticList` as `run`, as far as what is wrong can be found without data.
  package func forecast(
    on graph: inout Graph, model: ModelDescription, target: Target,
    calibrationTokens tokens: Int = 0
  ) throws -> [ForecastOfPass] {
    let problems = problems(startingWith: graph.facts)
    if !problems.isEmpty { throw DiagnosticList(problems) }
    let services = PassServices(
      statistics: { values, _ in Dictionary(values.map { ($0, .standIn) }) { first, _ in first } },
      output: PassServices.none.output)
    return try schedule.enumerated().map { position, instance in
      if position > 0 { graph.renumber() }
      func context() -> PassContext {
        PassContext(
          instance: instance.id, model: model, target: target, services: services,
          components: registry.components)
      }
      do {
        // What it says on the way counts once.
        let work = try instance.guarded {
          try instance.pass.work(on: graph, calibrationTokens: tokens, in: context())
        }
        let context = context()
        let forecast = try instance.guarded {
          try instance.pass.forecast(on: &graph, in: context)
        }
        graph.removeDeadOperations()
        graph.facts = factsAfter(instance.pass.effects, graph.facts)
        return ForecastOfPass(
          instance: instance, forecast: forecast,
          counters: instance.info.statistics.map { ($0.name, context.said.counters[$0.name] ?? 0) },
          work: work, emissions: context.said.emissions)
      } catch {
        throw blame(instance, error)
      }
    }
  }
}
