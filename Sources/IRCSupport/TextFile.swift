import Foundation

/// A text file that a user wrote, kept with its lines so that diagnostics can show them.
public struct TextFile: Sendable {
  /// Path as the user would type it.
  public let path: String
  /// The whole text.
  public let text: String
  /// The lines without their ends.
  public let lines: [Substring]

  /// Takes text that is already in memory.
  public init(path: String, text: String) {
    self.path = path
    self.text = text
    lines = text.split(omittingEmptySubsequences: false) { $0 == "\n" || $0 == "\r\n" }
  }

  /// Reads a file.
  ///
  /// - Throws: `Diagnostic` `file.unreadable`, or `file.not-utf8` with the byte offset of the first bad byte.
  public init(reading path: String) throws {
    let file = try MappedFile(path: path)
    guard let text = unsafe String(validating: file.bytes, as: UTF8.self) else {
      throw unsafe TextFile.notUnicode(path, file.bytes)
    }
    self.init(path: path, text: text)
  }

  /// The error at the first bytes that are not UTF-8.
  private static func notUnicode(_ path: String, _ bytes: UnsafeRawBufferPointer) -> Diagnostic {
    var decoder = UTF8()
    var iterator = unsafe bytes.makeIterator()
    var before = ""
    while case .scalarValue(let scalar) = unsafe decoder.decode(&iterator) {
      before.unicodeScalars.append(scalar)
    }
    let start = TextFile(path: path, text: before)
    let place = SourceLocation(
      file: path, line: start.lines.count, column: (start.lines.last?.count ?? 0) + 1)
    return Diagnostic(
      "file.not-utf8", "not UTF-8 text from byte \(before.utf8.count) on", at: place,
      hint: "save the file as UTF-8")
  }

  /// A diagnostic at a place of this file, with its line for the caret unless that is very long.
  public func diagnostic(
    _ id: String, _ message: String, line: Int, column: Int, length: Int = 1, hint: String? = nil,
    notes: [String] = []
  ) -> Diagnostic {
    // A whole document on one line would bury the message, and a copy for each message exhaust the memory.
    let source = line >= 1 && line <= lines.count ? lines[line - 1] : ""
    let shown = source.utf8.count <= Diagnostic.longestSourceLine ? String(source) : nil
    return Diagnostic(
      id, message, at: SourceLocation(file: path, line: line, column: column), length: length,
      sourceLine: shown, hint: hint, notes: notes)
  }
}
