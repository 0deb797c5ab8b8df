/// One value of a parsed JSON document: knows its place, so that whoever reads it can complain there.
///
/// Integers that fit 64 bits stay exact; all other numbers are doubles. Objects keep the order of their keys.
public struct JSONValue: Sendable {
  /// The value by its type, for a `switch`; the accessors below are for reading what must be there.
  public enum Content: Sendable {
    case null
    case bool(Bool)
    case integer(Int)
    case real(Double)
    case string(String)
    case array(JSONArray)
    case object(JSONObject)
  }

  let document: JSONDocument
  let node: JSONNode

  init(_ node: JSONNode, of document: JSONDocument) {
    self.document = document
    self.node = node
  }

  /// Reads and parses a file; strict RFC 8259, and the words `Infinity`, `-Infinity` and `NaN` where `allowNonFinite`.
  ///
  /// - Throws: `Diagnostic` `file.unreadable`, `json.syntax`, `json.duplicate-key`, `json.not-utf8`, `json.too-deep` or
  ///   `json.number-range`, all but the first with the place.
  public init(reading path: String, allowNonFinite: Bool = false) throws {
    let file = try MappedFile(path: path)
    try unsafe self.init(parsing: file.bytes, path: path, allowNonFinite: allowNonFinite)
  }

  /// Parses bytes from anywhere, copying them; `path` is what messages call them.
  ///
  /// - Throws: as `init(reading:allowNonFinite:)`.
  public init(
    parsing bytes: UnsafeRawBufferPointer, path: String, allowNonFinite: Bool = false
  ) throws {
    try self.init(parsing: unsafe Array(bytes), path: path, allowNonFinite: allowNonFinite)
  }

  /// Parses bytes in memory; `path` is what messages call them.
  ///
  /// - Throws: as `init(reading:allowNonFinite:)`.
  public init(parsing bytes: [UInt8], path: String, allowNonFinite: Bool = false) throws {
    let document = try JSONDocument(bytes: bytes, path: path, allowNonFinite: allowNonFinite)
    self.init(document.root, of: document)
  }

  /// Parses text in memory; `path` is what messages call it.
  ///
  /// - Throws: as `init(reading:allowNonFinite:)`.
  public init(parsing text: String, path: String, allowNonFinite: Bool = false) throws {
    try self.init(parsing: Array(text.utf8), path: path, allowNonFinite: allowNonFinite)
  }

  /// The value by its type.
  public var content: Content {
    switch node.content {
    case .null: .null
    case .bool(let value): .bool(value)
    case .integer(let value): .integer(value)
    case .real(let value): .real(value)
    case .string(let value): .string(value)
    case .array(let elements): .array(JSONArray(document: document, elements: elements))
    case .object(let members): .object(JSONObject(document: document, node: node, list: members))
    }
  }

  /// True for `null`.
  public var isNull: Bool {
    if case .null = node.content { true } else { false }
  }

  /// First byte of the value's text in its document.
  public var offset: Int { node.offset }

  /// Way from the document's root to here, such as `model.merges[3]`; empty at the root.
  public var keyPath: String { document.keyPath(to: node.offset) }

  /// Path that the document was read from.
  public var file: String { document.path }

  /// Where the value starts.
  public var location: SourceLocation {
    diagnostic("", "").location ?? SourceLocation(file: document.path)
  }

  /// An error (or `severity`) about this value, with its place and its line.
  public func diagnostic(
    _ id: String, _ message: String, hint: String? = nil, notes: [String] = [],
    severity: Diagnostic.Severity = .error
  ) -> Diagnostic {
    // A list or an object is marked at its bracket only: its whole first line is not what is wrong.
    let end: Int
    switch node.content {
    case .array, .object: end = node.offset + 1
    default: end = node.end
    }
    var diagnostic = jsonDiagnostic(
      id, message, bytes: document.bytes, path: document.path, offset: node.offset, end: end,
      hint: hint, notes: notes)
    diagnostic.severity = severity
    return diagnostic
  }

  /// Name of the value for a sentence: its key path, or "the document".
  public var name: String {
    let path = keyPath
    return path.isEmpty ? "the document" : "'\(path)'"
  }

  /// The kind of value in words.
  var kind: String {
    switch node.content {
    case .null: "null"
    case .bool: "a boolean"
    case .integer: "an integer"
    case .real: "a number"
    case .string: "a string"
    case .array: "an array"
    case .object: "an object"
    }
  }
}

/// The elements of a JSON array.
public struct JSONArray: RandomAccessCollection, Sendable {
  let document: JSONDocument
  let elements: [JSONNode]

  /// Always 0.
  public var startIndex: Int { 0 }
  /// The number of elements.
  public var endIndex: Int { elements.count }
  /// The element at `position`.
  public subscript(position: Int) -> JSONValue { JSONValue(elements[position], of: document) }
}

/// The members of a JSON object in source order.
public struct JSONObject: RandomAccessCollection, Sendable {
  let document: JSONDocument
  let node: JSONNode
  let list: JSONMembers

  /// One key with its value.
  public struct Member: Sendable {
    /// The key, unescaped.
    public let key: String
    /// What it stands for.
    public let value: JSONValue
    let keyOffset: Int

    /// An error (or `severity`) about the key itself.
    public func diagnostic(
      _ id: String, _ message: String, hint: String? = nil, notes: [String] = [],
      severity: Diagnostic.Severity = .error
    ) -> Diagnostic {
      let document = value.document
      var diagnostic = jsonDiagnostic(
        id, message, bytes: document.bytes, path: document.path, offset: keyOffset,
        end: keyOffset + key.utf8.count + 2, hint: hint, notes: notes)
      diagnostic.severity = severity
      return diagnostic
    }
  }

  /// Always 0.
  public var startIndex: Int { 0 }
  /// The number of members.
  public var endIndex: Int { list.keys.count }
  /// The member at `position`.
  public subscript(position: Int) -> Member {
    Member(
      key: list.keys[position].string, value: JSONValue(list.values[position], of: document),
      keyOffset: list.keyOffsets[position])
  }

  /// The object as a value, for its place.
  public var value: JSONValue { JSONValue(node, of: document) }

  /// The value of `key`, compared byte by byte; nil when there is none.
  public subscript(key: String) -> JSONValue? {
    list.position(of: key).map { JSONValue(list.values[$0], of: document) }
  }
}
