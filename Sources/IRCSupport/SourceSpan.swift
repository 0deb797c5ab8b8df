/// A run of characters in a text file, kept with the file so that a diagnostic can show the line.
public struct SourceSpan: Sendable {
  /// The file.
  public let file: TextFile
  /// Line, from 1.
  public let line: Int
  /// Column in characters, from 1.
  public let column: Int
  /// Number of characters, at least 1.
  public let length: Int

  /// Names a run of characters.
  public init(file: TextFile, line: Int, column: Int, length: Int) {
    self.file = file
    self.line = line
    self.column = column
    self.length = max(1, length)
  }

  /// The place without the text.
  public var location: SourceLocation {
    SourceLocation(file: file.path, line: line, column: column)
  }

  /// An error about these characters.
  public func error(
    _ id: String, _ message: String, hint: String? = nil, notes: [String] = []
  ) -> Diagnostic {
    file.diagnostic(
      id, message, line: line, column: column, length: length, hint: hint, notes: notes)
  }
}
