package import IRCPassKit
import IRCPassManager
import IRCSupport

extension CompilationPlan {
  /// Reads a model file once and plans several pipelines on it, instead of the one that it names.
  ///
  /// `--set` may change a pass that only some of the pipelines have. Passes of the prefix count first: where the prefix and a
  /// pipeline both have `quantize`, the pipeline's is `quantize#2`.
  ///
  /// - Parameters:
  ///   - path: The model file.
  ///   - pipelines: Names as in a model file, with commas between them; paths start from the working directory.
  ///   - prefix: Passes that run before each pipeline, as in `fold-norm-gains,quantize{scheme: w8a8}`; nil for none.
  ///   - settings: Arguments of `--set`.
  ///   - passes: Every pass that there is.
  ///   - shipped: The shipped pipelines and schemes.
  /// - Returns: A plan for each pipeline, in order, named in its `model.pipeline`.
  /// - Throws: `DiagnosticList` with every error of every file and argument.
  package static func comparing(
    _ path: String, pipelines: String, prefix: String? = nil, settings: [String] = [],
    passes: [any Pass.Type], shipped: ShippedFiles
  ) throws -> [CompilationPlan] {
    let names = PipelineNames(pipelines)
    let first = prefix.map { TextualPasses.requests($0, as: "--prefix") }
    let argumentProblems = names.problems + (first?.problems ?? [])
    var overrides = Overrides(settings)
    overrides.refuse("pipeline", hint: "name it in --pipelines")
    let reader = try PlanReader(
      path, overrides: overrides, passes: passes, shipped: shipped, more: argumentProblems)
    let drafts = names.values.map { reader.draft($0, prefix: first?.requests ?? []) }

    var problems = ProblemList()
    problems.add(reader.problems + argumentProblems + drafts.flatMap(\.problems))
    if let some = drafts.first {
      problems.add(
        some.settingProblems.filter { problem in
          drafts.allSatisfy { draft in
            draft.settingProblems.contains { $0.location == problem.location }
          }
        })
    }
    try problems.report(
      files: [path] + drafts.flatMap(\.plan.files) + ["--set", "--pipelines", "--prefix"])
    return zip(names.values, drafts).map { name, draft in
      var plan = draft.plan
      plan.model.pipeline = name.text ?? ""
      return plan
    }
  }
}

/// Names of pipelines on one line, with commas between them.
private struct PipelineNames {
  private(set) var values: [OptionValue] = []
  private(set) var problems: [Diagnostic] = []

  init(_ text: String) {
    let line = text.replacing("\r\n", with: " ").replacing("\n", with: " ")
    let file = TextFile(path: "--pipelines", text: line)
    var column = 1
    for piece in line.split(separator: ",", omittingEmptySubsequences: false) {
      let rest = piece.drop(while: \.isWhitespace)
      let start = column + piece.count - rest.count
      var name = String(rest)
      while name.last?.isWhitespace == true { name.removeLast() }
      let span = SourceSpan(file: file, line: 1, column: start, length: name.count)
      if name.isEmpty {
        problems.append(
          span.error(
            "pipeline.syntax", "expected the name of a pipeline", hint: "PIPELINE,PIPELINE"))
      } else {
        values.append(OptionValue(.scalar(name), span: span))
      }
      column += piece.count + 1
    }
  }
}
