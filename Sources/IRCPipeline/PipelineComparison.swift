import IRCPassKit
package import IRCPassManager
package import IRCSupport

extension CompilationPlan {
  /// The names of `--schemes`, as `comparing` takes them.
  package static func schemeNames(_ list: String) -> [String] {
    NameList(list, argument: "--schemes", of: "scheme").values.compactMap(\.text)
  }

  /// Where each scheme of `--schemes` stands, in order.
  package static func schemeSpans(_ list: String) -> [SourceSpan] {
    NameList(list, argument: "--schemes", of: "scheme").values.map(\.span)
  }

  /// Reads a model file once and plans several pipelines on it, instead of the one that it names.
  ///
  /// `--set` may change a pass that only some of the pipelines have. Passes of the prefix count first: where the prefix and a
  /// pipeline both have `quantize`, the pipeline's is `quantize#2`.
  ///
  /// - Parameters:
  ///   - path: The model file.
  ///   - pipelines: Names as in a model file, with commas between them; paths start from the working directory.
  ///   - schemes: Names of schemes, with commas between them: each pipeline is planned with each; nil where names say it.
  ///   - prefix: Passes that run before each pipeline, as in `fold-norm-gains,quantize{scheme: w8a8}`; nil for none.
  ///   - settings: Arguments of `--set`.
  ///   - registry: Every pass that there is without the plugins of the files, which are loaded.
  ///   - shipped: The shipped pipelines and schemes.
  /// - Returns: A plan for each pipeline, in order, named in its `model.pipeline`.
  /// - Throws: `DiagnosticList` with every error of every file and argument.
  package static func comparing(
    _ path: String, pipelines: String, schemes: String? = nil, prefix: String? = nil,
    settings: [String] = [], registry: PassRegistry, shipped: ShippedFiles
  ) throws -> [CompilationPlan] {
    var names = NameList(pipelines, argument: "--pipelines", of: "pipeline")
    if let schemes {
      names.combine(with: NameList(schemes, argument: "--schemes", of: "scheme"), shipped)
    }
    let first = prefix.map { TextualPasses.requests($0, as: "--prefix") }
    let argumentProblems = names.problems + (first?.problems ?? [])
    var overrides = Overrides(settings)
    overrides.refuse("pipeline", hint: "name it in --pipelines")
    let reader = try PlanReader(
      path, overrides: overrides, registry: registry, shipped: shipped, more: argumentProblems)
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
      files: [path] + drafts.flatMap(\.plan.files) + [
        "--set", "--pipelines", "--schemes", "--prefix",
      ])
    return zip(names.values, drafts).map { name, draft in
      var plan = draft.plan
      plan.model.pipeline = name.text ?? ""
      // What is written goes away again, so nobody sees its names.
      plan.notes = []
      return plan
    }
  }
}

/// Names on one line, with commas between them.
private struct NameList {
  private(set) var values: [OptionValue] = []
  private(set) var problems: [Diagnostic] = []

  /// Reads what was said with an argument; `kind` is what a name stands for.
  init(_ text: String, argument: String, of kind: String) {
    let line = text.replacing("\r\n", with: " ").replacing("\n", with: " ")
    let file = TextFile(path: argument, text: line)
    var column = 1
    for piece in line.split(separator: ",", omittingEmptySubsequences: false) {
      let rest = piece.drop(while: \.isWhitespace)
      let start = column + piece.count - rest.count
      var name = String(rest)
      while name.last?.isWhitespace == true { name.removeLast() }
      let span = SourceSpan(file: file, line: 1, column: start, length: name.count)
      if name.isEmpty {
        let place = kind.uppercased()
        problems.append(
          span.error(
            "pipeline.syntax", "expected the name of a \(kind)", hint: "\(place),\(place)"))
      } else {
        values.append(OptionValue(.scalar(name), span: span))
      }
      column += piece.count + 1
    }
  }

  /// Puts every scheme behind every pipeline, those of one pipeline next to each other. A scheme that there is not is told once, here.
  mutating func combine(with schemes: NameList, _ shipped: ShippedFiles) {
    problems += schemes.problems
    var known: [OptionValue] = []
    for scheme in schemes.values {
      if let name = scheme.text, !shipped.schemes.contains(name) {
        problems.append(unknownScheme(name, scheme.span, shipped))
      } else {
        known.append(scheme)
      }
    }
    values = values.flatMap { pipeline in
      known.map { scheme in
        OptionValue(
          .scalar("\(pipeline.text ?? "")-\(scheme.text ?? "")"), span: pipeline.span)
      }
    }
  }
}
