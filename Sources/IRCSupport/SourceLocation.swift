/// A place in a text file that a user wrote: what an error message points at.
///
/// Lines and columns count from 1; columns count characters, not bytes.
public struct SourceLocation: Hashable, Sendable, CustomStringConvertible {
  /// Path as the user would type it.
  public var file: String
  /// Line, from 1; 0 where only the file is known.
  public var line: Int
  /// Column in characters, from 1; 0 where only the line is known.
  public var column: Int

  /// Makes a location; leave `line` out to mean the whole file.
  public init(file: String, line: Int = 0, column: Int = 0) {
    self.file = file
    self.line = line
    self.column = column
  }

  /// `file:line:column`, without the parts that are not known.
  public var description: String {
    if line == 0 { return file }
    return column == 0 ? "\(file):\(line)" : "\(file):\(line):\(column)"
  }
}
