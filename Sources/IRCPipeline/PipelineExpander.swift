import IRCPassKit
import IRCSupport

/// Turns a pipeline into a flat list of passes: follows includes, fills in variables, names exporters.
struct PipelineExpander {
  let shipped: ShippedFiles
  let emit: OptionValue
  let target: OptionValue
  var files: SourceFiles
  private(set) var problems: [Diagnostic] = []
  private(set) var requests: [PassRequest] = []
  /// What the files say under `plugins`, in the order of their first use.
  private(set) var plugins: [OptionValue] = []

  /// Passes of one pipeline, and entries that may be read to find them: includes can multiply.
  static let maximumPasses = 1000
  private var entriesRead = 0
  private var schemeUses = 0

  init(shipped: ShippedFiles, emit: OptionValue, target: OptionValue, files: SourceFiles) {
    self.shipped = shipped
    self.emit = emit
    self.target = target
    self.files = files
  }

  /// Where an entry stands: which scheme was asked for, and through which files it was reached.
  private struct Scope {
    var scheme: OptionValue?
    /// The value that named the pipeline without a scheme, and the name.
    var asked: OptionValue?
    var chain: [String] = []
    /// The name that led into the shipped files; nil outside of them.
    var shippedFrom: SourceSpan?
  }

  /// Expands what a model file says under `pipeline`, beginning in the file at `path`.
  mutating func expand(_ pipeline: OptionValue, in path: String) {
    let scope = Scope(chain: [path])
    if pipeline.text != nil {
      include(pipeline, scope)
    } else {
      entries(of: pipeline, scope)
    }
  }

  // MARK: - Files

  private mutating func include(_ value: OptionValue, _ outer: Scope) {
    guard let text = value.text else {
      problems.append(
        value.span.error("pipeline.entry", "'include' takes the name or path of a pipeline"))
      return
    }
    var scope = outer
    let found: (pipeline: String, scheme: String?)
    let path: String
    if let named = pathWithScheme(text) {
      found = (named.path, named.scheme)
      path = resolve(named.path, written: value.span)
    } else if let known = shipped.find(text) {
      found = (known.pipeline, known.scheme)
      path = shipped.path(ofPipeline: known.pipeline)
      if scope.shippedFrom == nil { scope.shippedFrom = value.span }
    } else {
      problems.append(unknownPipeline(text, value.span))
      return
    }
    if scope.scheme == nil, scope.asked == nil { scope.asked = value }
    let usesBefore = schemeUses
    let problemsBefore = problems.count + files.problems.count
    if let scheme = found.scheme {
      scope.scheme = schemeContent(named: scheme, value.span, &files, shipped, &problems)
    }
    read(path, value, scope)
    if found.scheme != nil, schemeUses == usesBefore,
      problemsBefore == problems.count + files.problems.count
    {
      problems.append(
        value.span.error(
          "pipeline.no-scheme", "pipeline '\(found.pipeline)' takes no scheme",
          hint: "write '\(found.pipeline)'"))
    }
  }

  private func unknownPipeline(_ text: String, _ span: SourceSpan) -> Diagnostic {
    guard shipped.directory != nil else {
      return span.error(
        "pipeline.unknown", "the folder with the shipped pipelines was not found",
        hint: "name a pipeline by its path")
    }
    let nearest = nearestMatch(to: text, in: shipped.allNames)
    if let (pipeline, scheme) = shipped.split(text),
      nearest.map({ shipped.find($0)?.pipeline == pipeline }) ?? true
    {
      return unknownScheme(scheme, span, shipped)
    }
    let near = nearest.map { "did you mean '\($0)'?" }
    return span.error(
      "pipeline.unknown", "unknown pipeline '\(text)'",
      hint: near ?? "pipelines: \(shipped.pipelines.joined(separator: ", "))",
      notes: near == nil ? ["schemes: \(shipped.schemes.joined(separator: ", "))"] : [])
  }

  private mutating func read(_ path: String, _ value: OptionValue, _ outer: Scope) {
    let path = files.name(of: path)
    if outer.chain.contains(path) {
      let way = (outer.chain + [path]).joined(separator: " → ")
      problems.append(
        value.span.error("pipeline.include-cycle", "a pipeline includes itself: \(way)"))
      return
    }
    let isFirst = !files.paths.contains(path)
    guard let root = files.document(at: path, from: value.span) else { return }
    var scope = outer
    scope.chain.append(path)
    var found: [Diagnostic] = []
    let keys = CheckedMapping(root, Language.withoutPasses(Language.pipelineFields), &found)
    keys.checkVersion(&found)
    if isFirst {
      problems += found
      if let list = keys["plugins"] { plugins.append(list) }
    }
    if let passes = keys["passes"] { entries(of: passes, scope) }
  }

  // MARK: - Entries

  private mutating func entries(of list: OptionValue, _ scope: Scope) {
    guard case .sequence(let items) = list.content else {
      problems.append(
        list.span.error("pipeline.entry", "expected a list of passes, found \(list.summary)"))
      return
    }
    for item in items {
      entriesRead += 1
      if entriesRead == Self.maximumPasses + 1 {
        problems.append(
          item.span.error(
            "pipeline.too-long", "more than \(Self.maximumPasses) entries, includes counted"))
      }
      if entriesRead > Self.maximumPasses { return }
      entry(item, scope)
    }
  }

  private mutating func entry(_ item: OptionValue, _ scope: Scope) {
    switch item.content {
    case .scalar(let name):
      if name == "include" || name == "emit" {
        problems.append(
          item.span.error(
            "pipeline.entry", "'\(name)' needs a value",
            hint: name == "emit" ? "emit: $emit" : "include: PIPELINE"))
      } else if name.hasPrefix("$") {
        _ = substitute(item, scope)
        problems.append(
          item.span.error("pipeline.entry", "expected a pass, found the variable '\(name)'"))
      } else {
        append(name, item.span, [], scope)
      }
    case .mapping(let keys):
      guard let key = keys.first, keys.count == 1 else {
        let isSplit = keys.first?.value.isNull == true
        problems.append(
          item.span.error(
            "pipeline.entry", "an entry is one pass, found \(keys.count) keys",
            hint: isSplit
              ? "indent the options deeper than '\(keys[0].key)'" : "start each pass with '-'"))
        return
      }
      entry(key, scope)
    case .null, .unknown, .sequence:
      problems.append(
        item.span.error(
          "pipeline.entry", "expected a pass, found \(item.summary)",
          hint: "write '- PASS', '- PASS: {OPTION: VALUE}' or '- include: PIPELINE'"))
    }
  }

  private mutating func entry(_ entry: OptionValue.Entry, _ scope: Scope) {
    switch entry.key {
    case "include":
      include(entry.value.isNull ? OptionValue(.null, span: entry.keySpan) : entry.value, scope)
    case "emit":
      exporters(entry.value, scope)
    default:
      var options: [OptionValue.Entry] = []
      switch entry.value.content {
      case .null, .unknown: break
      case .mapping(let written):
        options = written.map { option in
          var option = option
          option.value = substitute(option.value, scope)
          return option
        }
      case .scalar, .sequence:
        problems.append(
          entry.value.span.error(
            "options.type", "expected the options of '\(entry.key)', found \(entry.value.summary)",
            hint: "\(entry.key): {OPTION: VALUE}"))
      }
      append(entry.key, entry.keySpan, options, scope)
    }
  }

  /// Adds a pass that is written at `span`.
  private mutating func append(
    _ name: String, _ span: SourceSpan, _ options: [OptionValue.Entry], _ scope: Scope
  ) {
    requests.append(
      PassRequest(
        name: name, nameSpan: scope.shippedFrom ?? span,
        shippedSpan: scope.shippedFrom == nil ? nil : span, options: options))
  }

  private mutating func exporters(_ value: OptionValue, _ scope: Scope) {
    let value = substitute(value, scope)
    let items: [OptionValue]
    switch value.content {
    case .sequence(let list): items = list
    case .scalar: items = [value]
    case .null, .unknown, .mapping: items = []
    }
    if value.containsUnknown { return }
    if items.isEmpty, case .sequence = value.content { return }
    guard !items.isEmpty, items.allSatisfy({ $0.text != nil }) else {
      problems.append(
        value.span.error(
          "pipeline.entry", "'emit' takes exporters, found \(value.summary)", hint: "emit: $emit"))
      return
    }
    for item in items {
      guard let name = item.text else { continue }
      if requests.contains(where: { $0.exporter == name }) {
        problems.append(
          item.span.error(
            "pipeline.duplicate-exporter", "exporter '\(name)' is named twice",
            hint: "name each exporter once: its files have one place"))
        continue
      }
      requests.append(PassRequest(name: "emit-\(name)", nameSpan: item.span, exporter: name))
    }
  }

  // MARK: - Variables

  private static let variables = ["$scheme", "$emit", "$target"]

  /// The value with every variable replaced by what it stands for.
  private mutating func substitute(_ value: OptionValue, _ scope: Scope) -> OptionValue {
    switch value.content {
    case .null, .unknown: return value
    case .sequence(let items):
      return OptionValue(.sequence(items.map { substitute($0, scope) }), span: value.span)
    case .mapping(let entries):
      let replaced = entries.map { entry in
        OptionValue.Entry(
          key: entry.key, keySpan: entry.keySpan, value: substitute(entry.value, scope))
      }
      return OptionValue(.mapping(replaced), span: value.span)
    case .scalar(let text):
      guard text.hasPrefix("$") else { return value }
      switch text {
      case "$emit": return emit
      case "$target": return target
      case "$scheme":
        schemeUses += 1
        if let scheme = scope.scheme { return scheme }
        problems.append(noScheme(value, scope))
      default:
        let near = nearestMatch(to: text, in: Self.variables).map { "did you mean '\($0)'?" }
        problems.append(
          value.span.error(
            "pipeline.unknown-variable", "unknown variable '\(text)'",
            hint: near ?? "variables: \(Self.variables.joined(separator: ", "))"))
      }
      return OptionValue(.unknown, span: value.span)
    }
  }

  private func noScheme(_ value: OptionValue, _ scope: Scope) -> Diagnostic {
    let schemes = "schemes: \(shipped.schemes.joined(separator: ", "))"
    guard let asked = scope.asked, let name = asked.text else {
      return value.span.error(
        "pipeline.no-scheme", "no scheme was asked for, so '$scheme' has no value",
        hint: "write 'scheme: NAME' here", notes: [schemes])
    }
    let example = shipped.schemes.contains("w8a8") ? "w8a8" : shipped.schemes.first ?? "SCHEME"
    return asked.span.error(
      "pipeline.no-scheme", "pipeline '\(name)' needs a scheme",
      hint: "write '\(name)-\(example)'",
      notes: ["'$scheme' is used at \(value.span.location)", schemes])
  }
}
