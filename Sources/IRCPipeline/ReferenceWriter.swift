import IRCGraph
package import IRCPassKit
package import IRCPassManager
import IRCSupport

/// Writes the reference of the language as Markdown, from the declarations that validation uses.
package struct ReferenceWriter {
  private let registry: PassRegistry
  private let shipped: ShippedFiles

  /// Prepares to describe these passes and the shipped files.
  package init(_ registry: PassRegistry, shipped: ShippedFiles) {
    self.registry = registry
    self.shipped = shipped
  }

  /// The text of `docs/reference.md`.
  ///
  /// - Throws: `DiagnosticList` when a shipped file cannot be read.
  package func text() throws -> String {
    var parts = [
      "# Reference", "Generated from the declarations that the compiler checks; do not edit.",
    ]
    parts += modelFile + pipelines + schemes
    parts += try shippedFiles()
    parts.append("## Passes")
    parts += registry.passes.flatMap(section(of:))
    parts += components
    return parts.joined(separator: "\n\n") + "\n"
  }

  private var modelFile: [String] {
    [
      "## Model file", "Relative paths start from the folder of the file.",
      table(Language.modelFields), "### calibration",
      "Exactly one of `text` and `ids` must be there.", table(Language.calibrationFields),
    ]
  }

  private var pipelines: [String] {
    [
      "## Pipeline", table(Language.pipelineFields), "Each entry of `passes` is one of these:",
      """
      | entry | meaning |
      | --- | --- |
      | `PASS` | a pass with its default options |
      | `PASS: {OPTION: VALUE}` | a pass with options |
      | `include: PIPELINE` | the passes of another pipeline, by name or by path |
      | `emit: $emit` | the exporters that the model file names; `emit: [c]` names them here |
      """,
      """
      A path has a `/` or ends in `.yaml`, and starts from the folder of the file that says it; every other text is the \
      name of a shipped pipeline. A name can be followed by `-` and the name of a scheme.
      """,
      """
      | variable | meaning |
      | --- | --- |
      | `$scheme` | the scheme that the pipeline's name asked for: in `rtn-w4a16` it is `w4a16` |
      | `$emit` | `emit` of the model file |
      | `$target` | `target` of the model file |
      """,
    ]
  }

  private var schemes: [String] {
    var parts = [
      "## Scheme",
      "An option that takes a scheme takes the name of a shipped one, a path, or the mapping itself. `irc` and `summary` are keys of files; a mapping that is written out in place has none of them.",
      table(Language.schemeFields),
    ]
    for field in QuantizationScheme.fields {
      guard let inner = fields(in: field.schema) else { continue }
      parts += ["### \(field.name)", table(inner)]
    }
    return parts
  }

  private func fields(in schema: OptionSchema) -> [OptionSchema.Field]? {
    switch schema {
    case .mapping(let fields): fields
    case .either(let kinds): kinds.lazy.compactMap { fields(in: $0) }.first
    default: nil
    }
  }

  private func shippedFiles() throws -> [String] {
    func rows(_ names: [String], _ path: (String) -> String) throws -> String {
      let lines = try names.map { name in "| `\(name)` | \(cell(try summary(path(name)))) |" }
      return (["| name | what it does |", "| --- | --- |"] + lines).joined(separator: "\n")
    }
    return [
      "## Shipped pipelines", try rows(shipped.pipelines, shipped.path(ofPipeline:)),
      "## Shipped schemes", try rows(shipped.schemes, shipped.path(ofScheme:)),
    ]
  }

  private func summary(_ path: String) throws -> String {
    let document = YAMLDocument(try TextFile(reading: path))
    guard document.problems.isEmpty, case .mapping(let entries)? = document.root?.content else {
      throw DiagnosticList(document.problems)
    }
    return entries.first { $0.key == "summary" }?.value.text ?? ""
  }

  // MARK: - Components

  /// What options of passes can name, kind by kind.
  private var components: [String] {
    let kinds = Dictionary(grouping: registry.components.types, by: { $0.kind.name })
    return kinds.sorted { $0.key < $1.key }.flatMap { kind, types in
      [
        "## \(kind.prefix(1).uppercased())\(kind.dropFirst())s",
        (["| name | what it does | source |", "| --- | --- | --- |"]
          + types.map {
            "| `\($0.info.name)` | \(cell($0.info.summary)) | \(cell($0.info.paper ?? "")) |"
          }).joined(separator: "\n"),
      ]
    }
  }

  // MARK: - Passes

  /// The section of one pass, also what `irc passes NAME` shows.
  package func section(of pass: any DeclaredPass) -> [String] {
    let info = pass.info
    var parts = ["### \(info.name)", info.summary]
    if !info.details.isEmpty { parts.append(info.details) }
    let options = registry.options(of: pass)
    if !options.isEmpty {
      let rows = options.map { option in
        "| `\(option.key)` | \(cell(option.schema.description)) | `\(cell(option.text))` | \(cell(option.help)) |"
      }
      parts.append(
        (["| option | values | default | meaning |", "| --- | --- | --- | --- |"] + rows)
          .joined(separator: "\n"))
    }
    var facts = ["Keeps the function: \(info.preservesFunction ? "yes" : "no")"]
    if info.usesCalibration { facts.append("Can need calibration text: yes") }
    let effects = pass.effects
    facts += list("Requires", effects.requires) + list("Establishes", effects.establishes)
    facts += effects.conflicts.map { "Must not run after `\($0.fact)`: it \($0.reason)" }
    switch effects.preserves {
    case .all: break
    case .only(let kept):
      facts.append("Keeps of earlier facts: \(kept.isEmpty ? "none" : names(kept))")
    case .except(let lost): facts += list("Makes untrue", lost)
    }
    if let paper = info.paper { facts.append("Source: \(paper)") }
    facts += info.statistics.map { "Counts `\($0.name)`: \($0.help)" }
    facts += info.remarks.map { "Remark `\($0.name)` (\($0.outcome.rawValue)): \($0.help)" }
    parts.append(facts.map { "- \($0)" }.joined(separator: "\n"))
    return parts
  }

  private func list(_ title: String, _ facts: [Fact]) -> [String] {
    facts.isEmpty ? [] : ["\(title): \(names(facts))"]
  }

  private func names(_ facts: [Fact]) -> String {
    facts.map { "`\($0)`" }.joined(separator: ", ")
  }

  private func table(_ fields: [OptionSchema.Field]) -> String {
    let rows = fields.map { field in
      let need = field.isRequired ? " Required." : ""
      return "| `\(field.name)` | \(cell(values(field.schema))) | \(cell(field.help + need)) |"
    }
    return (["| key | values | meaning |", "| --- | --- | --- |"] + rows).joined(separator: "\n")
  }

  private func values(_ schema: OptionSchema) -> String {
    switch schema {
    case .mapping: "a mapping, see below"
    case .either(let kinds): kinds.map(values).joined(separator: ", or ")
    default: schema.description
    }
  }

  private func cell(_ text: String) -> String {
    text.replacing("|", with: "\\|").replacing("\n", with: " ")
  }
}
