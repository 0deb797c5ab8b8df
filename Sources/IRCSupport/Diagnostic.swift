/// One message to the user, as data: rendering is separate (`Diagnostic.rendered`).
public struct Diagnostic: Error, Hashable, Sendable {
  /// How bad it is.
  public enum Severity: String, Hashable, Sendable {
    case error, warning, remark
  }

  /// Stable identifier, such as `options.unknown-key`, at the end of the message.
  public var id: String
  /// How bad it is.
  public var severity: Severity
  /// One sentence that says what is wrong, without a full stop.
  public var message: String
  /// Where it is, if it is in a text file.
  public var location: SourceLocation?
  /// Number of characters from `location` on that are at fault; at least 1.
  public var length: Int
  /// The whole line of text at `location`, for the caret; nil when there is none to show.
  public var sourceLine: String?
  /// Bytes of the longest line that is shown.
  static let longestSourceLine = 400
  /// What to do about it.
  public var hint: String?
  /// Further facts, one a line.
  public var notes: [String]

  /// Makes an error, the usual kind.
  public init(
    _ id: String, _ message: String, at location: SourceLocation? = nil, length: Int = 1,
    sourceLine: String? = nil, hint: String? = nil, notes: [String] = [],
    severity: Severity = .error
  ) {
    self.id = id
    self.severity = severity
    self.message = message
    self.location = location
    self.length = max(1, length)
    self.sourceLine = sourceLine
    self.hint = hint
    self.notes = notes
  }

  /// The message as text: `place: error: message [id]`, the line with a caret, notes and hint.
  public var rendered: String {
    var lines: [String] = []
    let place = location.map { "\($0): " } ?? ""
    lines.append("\(place)\(severity.rawValue): \(message) [\(id)]")
    if let sourceLine, let location, location.line > 0 {
      let number = String(location.line)
      let (excerpt, column) = Self.excerpt(of: sourceLine, column: location.column)
      lines.append(" \(number) | \(String(excerpt.map(visible)))")
      if column > 0 {
        let gutter = String(repeating: " ", count: number.count + 1)
        lines.append("\(gutter) | \(caret(under: excerpt, column: column))")
      }
    }
    for note in notes { lines.append("  note: \(note)") }
    if let hint { lines.append("  hint: \(hint)") }
    return lines.joined(separator: "\n")
  }

  /// Characters of a line that are shown, dots in the place of others left out.
  static let shownCharacters = 160

  /// The part of a line around a column, with the column's place in it; the whole line if that is short.
  static func excerpt(of line: String, column: Int) -> (text: String, column: Int) {
    let count = line.count
    if count <= shownCharacters { return (line, column) }
    let start = min(max(0, column - 1 - shownCharacters / 2), count - shownCharacters)
    var text = Array(line.dropFirst(start).prefix(shownCharacters))
    if start > 0 { text[0] = "…" }
    if start + shownCharacters < count { text[shownCharacters - 1] = "…" }
    return (String(text), column > 0 ? column - start : column)
  }

  /// `^~~~` below the characters at fault, with tabs kept and wide characters counted as a terminal shows them.
  private func caret(under line: String, column: Int) -> String {
    var result = ""
    for character in line.prefix(column - 1) {
      result += character == "\t" ? "\t" : String(repeating: " ", count: terminalWidth(character))
    }
    result += String(repeating: " ", count: max(0, column - 1 - line.count))
    let marked = line.dropFirst(column - 1).prefix(length).reduce(0) { $0 + terminalWidth($1) }
    return result + "^" + String(repeating: "~", count: max(1, marked) - 1)
  }
}

/// The character, or a stand-in for one that would move the terminal's cursor.
private func visible(_ character: Character) -> Character {
  let isControl = character.unicodeScalars.contains { $0.properties.generalCategory == .control }
  return isControl && character != "\t" ? "\u{FFFD}" : character
}

/// Number of terminal columns of a character: 2 for East Asian wide characters and emoji, else 1.
private func terminalWidth(_ character: Character) -> Int {
  guard let scalar = character.unicodeScalars.first else { return 0 }
  switch scalar.value {
  case 0x1100...0x115F, 0x2E80...0x303E, 0x3041...0xA4CF, 0xAC00...0xD7A3, 0xF900...0xFAFF,
    0xFE30...0xFE6F, 0xFF01...0xFF60, 0xFFE0...0xFFE6, 0x1F300...0x1F64F, 0x1F680...0x1FAFF,
    0x20000...0x3FFFD:
    return 2
  default: return 1
  }
}

/// Everything that is wrong with one input, in source order: errors are collected, not stopped at.
public struct DiagnosticList: Error, Sendable {
  /// The messages, at least one of them an error.
  public var diagnostics: [Diagnostic]

  /// Wraps messages that were collected.
  public init(_ diagnostics: [Diagnostic]) {
    self.diagnostics = diagnostics
  }

  /// Wraps one message.
  public init(_ diagnostic: Diagnostic) {
    self.diagnostics = [diagnostic]
  }
}

extension Diagnostic: CustomStringConvertible {
  public var description: String { rendered }
}

extension DiagnosticList: CustomStringConvertible {
  public var description: String {
    diagnostics.map(\.rendered).joined(separator: "\n")
  }
}
