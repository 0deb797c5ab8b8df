import IRCPassKit
import IRCSupport

/// What `--set KEY=VALUE` arguments say: changes of the model file and of passes' options, with places in the arguments.
struct Overrides {
  /// One part of a key path.
  struct Part {
    var text: String
    var span: SourceSpan
  }

  /// One argument.
  struct Change {
    var path: [Part]
    var value: OptionValue
  }

  private var modelChanges: [Change] = []
  private var passChanges: [Change] = []
  private(set) var problems: [Diagnostic] = []

  /// Parses the arguments; line n of the text called `--set` is argument n.
  init(_ arguments: [String]) {
    let lines = arguments.map { $0.replacing("\r\n", with: " ").replacing("\n", with: " ") }
    let file = TextFile(path: "--set", text: lines.joined(separator: "\n"))
    for (index, line) in lines.enumerated() {
      guard let change = parse(line, file, index + 1) else { continue }
      if change.path[0].text == "passes" {
        passChanges.append(change)
      } else {
        modelChanges.append(change)
      }
    }
  }

  private mutating func parse(_ text: String, _ file: TextFile, _ line: Int) -> Change? {
    let sides = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    guard sides.count == 2 else {
      let span = SourceSpan(file: file, line: line, column: 1, length: text.count)
      problems.append(span.error("set.syntax", "expected KEY=VALUE, found '\(text)'"))
      return nil
    }
    var column = 1
    var path: [Part] = []
    for piece in sides[0].split(separator: ".", omittingEmptySubsequences: false) {
      let span = SourceSpan(file: file, line: line, column: column, length: piece.count)
      path.append(Part(text: String(piece), span: span))
      column += piece.count + 1
    }
    if let empty = path.first(where: \.text.isEmpty) {
      problems.append(empty.span.error("set.syntax", "a key is missing"))
      return nil
    }
    let known = Language.modelFields.map(\.name) + ["passes"]
    if !known.contains(path[0].text) {
      problems.append(
        path[0].span.error(
          "options.unknown-key", "unknown key '\(path[0].text)'",
          hint: hint(path[0].text, known, "known keys")))
      return nil
    }
    if path[0].text == "passes", path.count != 3 {
      problems.append(
        path[0].span.error(
          "set.syntax", "an option of a pass is written passes.PASS.OPTION=VALUE"))
      return nil
    }
    let document = YAMLDocument(
      fragment: String(sides[1]), of: file, line: line, column: column)
    problems += document.problems.map { problem in
      guard problem.id == "yaml.empty" else { return problem }
      return path[path.count - 1].span.error("options.missing-value", "a value is missing")
    }
    guard let value = document.root else { return nil }
    return Change(path: path, value: value)
  }

  /// Complains about a change of a key that the rest of the command line decides.
  mutating func refuse(_ key: String, hint: String) {
    for part in modelChanges.compactMap(\.path.first) where part.text == key {
      problems.append(
        part.span.error("set.excluded", "'\(key)' is not the model file's here", hint: hint))
    }
  }

  /// Changes a model file's tree; what is wrong with the result is found when it is read.
  func apply(to root: inout OptionValue) {
    for change in modelChanges { root.set(change.path[...], to: change.value) }
  }

  /// Changes the options of passes; `problems` tells of passes that there are not.
  mutating func apply(to requests: inout [PassRequest]) {
    for change in passChanges {
      let (name, key) = (change.path[1], change.path[2])
      guard let index = requests.firstIndex(where: { $0.instance == name.text }) else {
        problems.append(
          name.span.error(
            "set.unknown-pass", "the pipeline has no pass '\(name.text)'",
            hint: hint(name.text, requests.map(\.instance), "passes")))
        continue
      }
      if requests[index].setSpan == nil { requests[index].setSpan = name.span }
      let entry = OptionValue.Entry(key: key.text, keySpan: key.span, value: change.value)
      if let place = requests[index].options.firstIndex(where: { $0.key == key.text }) {
        requests[index].options[place] = entry
      } else {
        requests[index].options.append(entry)
      }
    }
  }
}

extension OptionValue {
  /// Puts a value under a path of keys, making mappings where there are none.
  fileprivate mutating func set(_ path: ArraySlice<Overrides.Part>, to value: OptionValue) {
    guard let key = path.first else {
      self = value
      return
    }
    var entries: [Entry] = []
    if case .mapping(let present) = content { entries = present }
    if let index = entries.firstIndex(where: { $0.key == key.text }) {
      entries[index].value.set(path.dropFirst(), to: value)
      if path.count == 1 { entries[index].keySpan = key.span }
    } else {
      var fresh = OptionValue(.mapping([]), span: key.span)
      fresh.set(path.dropFirst(), to: value)
      entries.append(Entry(key: key.text, keySpan: key.span, value: fresh))
    }
    if case .mapping = content {} else { span = key.span }
    content = .mapping(entries)
  }
}
