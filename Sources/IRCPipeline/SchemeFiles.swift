import IRCPassKit
import IRCSupport

/// The mapping that a scheme's name or path stands for, or nil with the reason in `problems` or `files`.
func schemeContent(
  named text: String, _ span: SourceSpan, _ files: inout SourceFiles, _ shipped: ShippedFiles,
  _ problems: inout [Diagnostic]
) -> OptionValue? {
  let path: String
  if isPath(text) {
    path = resolve(text, written: span)
  } else if shipped.schemes.contains(text) {
    path = shipped.path(ofScheme: text)
  } else {
    problems.append(unknownScheme(text, span, shipped))
    return nil
  }
  guard let root = files.document(at: path, from: span) else { return nil }
  guard case .mapping(let entries) = root.content else {
    problems.append(
      root.span.error("options.type", "expected a scheme, found \(root.summary)"))
    return nil
  }
  let own = [Language.versionField, Language.summaryField]
  let (head, body) = (
    entries.filter { entry in own.contains { $0.name == entry.key } },
    entries.filter { entry in !own.contains { $0.name == entry.key } }
  )
  let keys = CheckedMapping(OptionValue(.mapping(head), span: root.span), own, &problems)
  keys.checkVersion(&problems)
  return OptionValue(.mapping(body), span: root.span)
}

/// The error that no shipped scheme has that name.
func unknownScheme(_ name: String, _ span: SourceSpan, _ shipped: ShippedFiles) -> Diagnostic {
  let near = nearestMatch(to: name, in: shipped.schemes).map { "did you mean '\($0)'?" }
  let all = "schemes: \(shipped.schemes.joined(separator: ", "))"
  return span.error(
    "scheme.unknown", "unknown scheme '\(name)'",
    hint: near ?? (shipped.schemes.isEmpty ? "name a scheme by its path" : all))
}
