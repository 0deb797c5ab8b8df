package import IRCPassKit
package import IRCSupport

/// A YAML document as a tree of text with places.
///
/// A small part of YAML on purpose: one document, mappings with text keys, no anchors, tags or merge keys, so that what a file
/// says is what it shows.
package struct YAMLDocument {
  /// The tree, or nil when the text could not be understood.
  package private(set) var root: OptionValue?
  /// Everything that is wrong with the text itself.
  package private(set) var problems: [Diagnostic] = []

  /// Nesting that is read.
  static let maximumDepth = 32
  /// Size in bytes that is read.
  static let maximumSize = 1 << 18

  private var events: [YAMLEvent] = []
  private var next = 0
  private let positions: TextPositions
  private let file: TextFile
  private var isBroken = false

  /// Reads a whole file.
  package init(_ file: TextFile) {
    // A byte order mark is no part of the text, nor of its columns.
    let isMarked = file.text.unicodeScalars.first == "\u{FEFF}"
    let plain =
      isMarked
      ? TextFile(
        path: file.path,
        text: String(String.UnicodeScalarView(file.text.unicodeScalars.dropFirst())))
      : file
    self.init(text: plain.text, of: plain, line: 1, column: 1)
  }

  /// Reads a piece of one line of a file.
  package init(fragment: String, of file: TextFile, line: Int, column: Int) {
    self.init(text: fragment, of: file, line: line, column: column)
  }

  private init(text: String, of file: TextFile, line: Int, column: Int) {
    self.file = file
    guard text.utf8.count <= Self.maximumSize else {
      positions = TextPositions(of: "", in: file)
      problems = [
        Diagnostic(
          "yaml.too-large", "the file has more than \(Self.maximumSize) bytes",
          at: SourceLocation(file: file.path))
      ]
      return
    }
    positions = TextPositions(of: text, in: file, line: line, column: column)
    do {
      events = try yamlEvents(of: text, maximumDepth: Self.maximumDepth)
    } catch let failure as YAMLFailure {
      problems = [failure.diagnostic(text, positions)]
      return
    } catch {
      problems = [Diagnostic("yaml.syntax", "\(error)", at: SourceLocation(file: file.path))]
      return
    }
    compose()
  }

  private mutating func compose() {
    guard case .documentStart? = events.first?.kind else {
      problems.append(
        positions.span(from: 0, to: 0).error(
          "yaml.empty", "there is nothing here", hint: "a file starts with 'irc: 1'"))
      return
    }
    next = 1
    let value = node()
    if events.indices.contains(next + 1), case .documentStart = events[next + 1].kind {
      let event = events[next + 1]
      problems.append(
        positions.span(from: event.start, to: event.end).error(
          "yaml.unsupported", "a second document begins here", hint: "a file holds one document"))
    }
    if !isBroken { root = value }
  }

  private mutating func node() -> OptionValue {
    let event = events[next]
    next += 1
    let span = positions.span(from: event.start, to: event.end)
    refuseProperties(of: event, span)
    switch event.kind {
    case .scalar(let text, let isPlain):
      let isNull = isPlain && ["", "~", "null", "Null", "NULL"].contains(text)
      return OptionValue(isNull ? .null : .scalar(text), span: span)
    case .sequenceStart(let isFlow):
      var items: [OptionValue] = []
      while !isAtEnd { items.append(node()) }
      return finish(.sequence(items), from: event, isFlow, items.first?.span)
    case .mappingStart(let isFlow):
      let entries = mappingEntries()
      return finish(.mapping(entries), from: event, isFlow, entries.first?.keySpan)
    case .alias:
      isBroken = true
      problems.append(
        span.error(
          "yaml.unsupported", "aliases are not supported",
          hint: "write the value out, or quote text that starts with '*'"))
      return OptionValue(.null, span: span)
    case .documentStart, .documentEnd, .end:
      return OptionValue(.null, span: span)
    }
  }

  private var isAtEnd: Bool {
    guard next < events.count else { return true }
    if case .end = events[next].kind { return true } else { return false }
  }

  /// A collection in brackets is marked as a whole, one of several lines at its first entry.
  private mutating func finish(
    _ content: OptionValue.Content, from event: YAMLEvent, _ isFlow: Bool, _ first: SourceSpan?
  ) -> OptionValue {
    let end = next < events.count ? events[next].end : event.end
    next += 1
    let whole = positions.span(from: event.start, to: isFlow ? end : event.start + 1)
    return OptionValue(content, span: isFlow ? whole : first ?? whole)
  }

  private mutating func mappingEntries() -> [OptionValue.Entry] {
    var entries: [OptionValue.Entry] = []
    var known: [String: SourceSpan] = [:]
    while !isAtEnd {
      let keyEvent = events[next]
      let key = node()
      guard !isAtEnd else { break }
      let valueEvent = events[next]
      var value = node()
      // A value of no characters is shown at its key.
      if value.isNull, valueEvent.start == valueEvent.end { value.span = key.span }
      guard case .scalar(let name) = key.content else {
        problems.append(
          key.span.error("yaml.key", "a key must be text, found \(key.summary)"))
        continue
      }
      if name == "<<", case .scalar(_, isPlain: true) = keyEvent.kind {
        problems.append(
          key.span.error(
            "yaml.unsupported", "merge keys are not supported", hint: "write the keys out"))
        continue
      }
      if let first = known[name] {
        problems.append(
          key.span.error(
            "yaml.duplicate-key", "key '\(name)' is there already",
            notes: ["the first one is at \(first.location)"]))
        continue
      }
      known[name] = key.span
      entries.append(.init(key: name, keySpan: key.span, value: value))
    }
    return entries
  }

  private mutating func refuseProperties(of event: YAMLEvent, _ span: SourceSpan) {
    if event.hasAnchor {
      problems.append(
        span.error(
          "yaml.unsupported", "anchors are not supported", hint: "quote text that starts with '&'"))
    }
    if let tag = event.tag {
      problems.append(
        span.error(
          "yaml.unsupported", "the tag '\(tag)' is not supported: types come from the option",
          hint: "leave it out, or quote text that starts with '!'"))
    }
  }
}
