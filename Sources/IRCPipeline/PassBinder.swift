import IRCPassKit
import IRCPassManager
import IRCSupport

/// Looks passes up by name and sets their options, collecting what is wrong.
struct PassBinder {
  let registry: PassRegistry
  /// False if some plugin could not be loaded: what is not there may have been in it.
  let isComplete: Bool
  let shipped: ShippedFiles
  var files: SourceFiles
  private(set) var problems: [Diagnostic] = []
  private(set) var bound: [PassInstance] = []

  init(
    registry: PassRegistry, isComplete: Bool = true, shipped: ShippedFiles, files: SourceFiles
  ) {
    self.registry = registry
    self.isComplete = isComplete
    self.shipped = shipped
    self.files = files
  }

  mutating func bind(_ requests: [PassRequest]) {
    for request in requests { bind(request) }
  }

  private mutating func bind(_ request: PassRequest) {
    guard var pass = registry[request.name] else {
      if isComplete { problems.append(unknown(request)) }
      return
    }
    let options = registry.options(of: pass)
    let declared = pass.options
    let before = problems.count + files.problems.count
    for entry in request.options {
      guard let index = options.firstIndex(where: { $0.key == entry.key }) else {
        problems.append(unknownOption(entry, of: request.name, options))
        continue
      }
      let option = options[index]
      guard let value = withFiles(entry.value, option.schema) else { continue }
      // Which components there are, the pass itself cannot know.
      if option.schema != declared[index].schema, !value.isNull {
        let unknown = value.problems(with: option.schema)
        // One that is not there may have been in a plugin that could not be loaded.
        if !unknown.isEmpty {
          if isComplete { problems += unknown }
          continue
        }
      }
      do {
        try option.set(value, of: &pass)
      } catch let list as DiagnosticList {
        problems += list.diagnostics
      } catch let problem as Diagnostic {
        problems.append(problem)
      } catch {
        problems.append(entry.value.span.error("options.type", "\(error)"))
      }
    }
    // Whether options go together is a question only when each of them is right.
    if problems.count + files.problems.count == before {
      problems += pass.check().map { request.error("options.constraint", $0) }
    }
    bound.append(
      PassInstance(
        id: request.instance, pass: pass, span: request.place, notes: request.notes,
        plugin: registry.plugin(of: request.name)?.path, helpers: registry.plugins(helping: pass)))
  }

  private func unknown(_ request: PassRequest) -> Diagnostic {
    let names = registry.passes.map { $0.info.name }
    if let exporter = request.exporter {
      let exporters = names.filter { $0.hasPrefix("emit-") }.map { String($0.dropFirst(5)) }
      return request.nameSpan.error(
        "passes.unknown", "unknown exporter '\(exporter)'",
        hint: hint(exporter, exporters, "exporters"))
    }
    return request.error(
      "passes.unknown", "unknown pass '\(request.name)'", hint: hint(request.name, names, "passes"))
  }

  private func unknownOption(
    _ entry: OptionValue.Entry, of pass: String, _ options: [DeclaredOption]
  ) -> Diagnostic {
    let keys = options.map(\.key)
    return entry.keySpan.error(
      "options.unknown-key", "pass '\(pass)' has no option '\(entry.key)'",
      hint: keys.isEmpty ? "it has no options" : hint(entry.key, keys, "options"))
  }

  /// The value with names of schemes and paths of documents replaced by what they stand for; nil when one is not known or was
  /// complained about.
  private mutating func withFiles(_ value: OptionValue, _ schema: OptionSchema) -> OptionValue? {
    switch (schema, value.content) {
    case (_, .unknown): return nil
    case (.scheme, .scalar(let name)):
      return schemeContent(named: name, value.span, &files, shipped, &problems)
    case (.document, .scalar(let path)):
      return files.document(
        at: resolve(path, written: value.span), from: value.span, isOwn: false)
    case (.either(let kinds), .scalar):
      let others = kinds.filter { $0 != .scheme }
      let isOther = others.contains { value.problems(with: $0).isEmpty }
      return kinds.contains(.scheme) && !isOther ? withFiles(value, .scheme) : value
    case (.list(let element), .sequence(let items)):
      let replaced = items.compactMap { withFiles($0, element) }
      return replaced.count == items.count
        ? OptionValue(.sequence(replaced), span: value.span) : nil
    default: return value.containsUnknown ? nil : value
    }
  }
}

extension OptionValue {
  /// True if some part of the value could not be found out, which was reported.
  var containsUnknown: Bool {
    switch content {
    case .unknown: true
    case .null, .scalar: false
    case .sequence(let items): items.contains { $0.containsUnknown }
    case .mapping(let entries): entries.contains { $0.value.containsUnknown }
    }
  }
}

/// A suggestion for a misspelt word, else the words that there are.
func hint(_ word: String, _ words: [String], _ what: String) -> String {
  nearestMatch(to: word, in: words).map { "did you mean '\($0)'?" }
    ?? "\(what): \(words.joined(separator: ", "))"
}
