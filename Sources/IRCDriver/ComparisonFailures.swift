import IRCPipeline
package import IRCSupport

/// What went wrong in a comparison of pipelines with schemes: told once for each scheme and reason, not for each cell of the table.
package struct ComparisonFailures {
  private struct Failure {
    var scheme: Int
    var pipelines: [String]
    var problem: Diagnostic
    var places: [SourceLocation]
  }

  private let schemes: [String]
  private let spans: [SourceSpan]
  private var failures: [Failure] = []

  /// - Parameter list: the argument of `--schemes`.
  package init(schemes list: String) {
    schemes = CompilationPlan.schemeNames(list)
    spans = CompilationPlan.schemeSpans(list)
  }

  /// Takes a row, which is named after its pipeline with the scheme behind.
  package mutating func add(_ row: ComparisonRow) {
    guard case .failure(let problems) = row.outcome,
      let scheme = schemes.indices.filter({ row.pipeline.hasSuffix("-" + schemes[$0]) })
        .max(by: { schemes[$0].count < schemes[$1].count })
    else { return }
    let pipeline = String(row.pipeline.dropLast(schemes[scheme].count + 1))
    for problem in problems.diagnostics {
      // An argument of the command line is no place of its own: scheme and pipeline are told.
      let place = problem.location.flatMap { $0.file.hasPrefix("--") ? nil : $0 }
      let known = failures.firstIndex {
        $0.scheme == scheme && $0.problem.id == problem.id && $0.problem.message == problem.message
      }
      guard let known else {
        failures.append(
          Failure(
            scheme: scheme, pipelines: [pipeline], problem: problem,
            places: place.map { [$0] } ?? []))
        continue
      }
      if let place, !failures[known].places.contains(place) {
        failures[known].places.append(place)
      }
      if !failures[known].pipelines.contains(pipeline) {
        failures[known].pipelines.append(pipeline)
      }
    }
  }

  /// One error for each scheme and reason, at the scheme's name, in the order of the schemes; notes say where else it is.
  package var diagnostics: [Diagnostic] {
    schemes.indices.flatMap { scheme in
      failures.filter { $0.scheme == scheme }.map { failure in
        let cells = failure.pipelines.map { "'\($0)'" }.joined(separator: ", ")
        return spans[scheme].error(
          failure.problem.id,
          "scheme '\(schemes[scheme])' with \(cells): \(failure.problem.message)",
          hint: failure.problem.hint,
          notes: failure.problem.notes + failure.places.map { "at \($0)" })
      }
    }
  }
}
