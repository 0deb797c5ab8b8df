/// The text of one JSON document with its parsed nodes: what values point into to say where they are.
final class JSONDocument: Sendable {
  let path: String
  let bytes: [UInt8]
  let root: JSONNode

  init(bytes: [UInt8], path: String, allowNonFinite: Bool) throws {
    var parser = JSONParser(bytes: bytes, path: path, allowNonFinite: allowNonFinite)
    root = try parser.parseDocument()
    self.path = path
    self.bytes = bytes
  }

  /// Key path of the node that starts at `offset`, such as `model.merges[3]`; empty for the root.
  func keyPath(to offset: Int) -> String {
    var path = ""
    var node = root
    while node.offset != offset {
      switch node.content {
      case .array(let elements):
        guard let index = elements.lastIndex(where: { $0.offset <= offset }) else { return path }
        path += "[\(index)]"
        node = elements[index]
      case .object(let members):
        guard let index = members.values.lastIndex(where: { $0.offset <= offset }) else {
          return path
        }
        path = JSONDocument.join(path, members.keys[index].string)
        node = members.values[index]
      default:
        return path
      }
    }
    return path
  }

  /// `path.key`, with keys that are not plain words quoted in brackets.
  static func join(_ path: String, _ key: String) -> String {
    let plain = !key.isEmpty && key.utf8.allSatisfy { isWordByte($0) }
    if !plain { return "\(path)[\(JSON.string(key).serialized())]" }
    return path.isEmpty ? key : "\(path).\(key)"
  }

  private static func isWordByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
      true
    default: false
    }
  }
}

/// Makes a diagnostic at the bytes `offset..<end` of a JSON text; line and column are counted only now.
func jsonDiagnostic(
  _ id: String, _ message: String, bytes: [UInt8], path: String, offset: Int, end: Int,
  hint: String? = nil, notes: [String] = []
) -> Diagnostic {
  let newline = UInt8(ascii: "\n")
  let offset = min(max(0, offset), bytes.count)
  let before = bytes[..<offset]
  let line = before.reduce(into: 1) { count, byte in if byte == newline { count += 1 } }
  let start = before.lastIndex(of: newline).map { $0 + 1 } ?? 0
  var stop = bytes[offset...].firstIndex(of: newline) ?? bytes.count
  if stop > offset, bytes[stop - 1] == UInt8(ascii: "\r") { stop -= 1 }
  let column = String(decoding: bytes[start..<offset], as: UTF8.self).count + 1
  let marked = min(max(end, offset), stop)
  let length = String(decoding: bytes[offset..<marked], as: UTF8.self).count
  // A whole minified document on one line would bury the message, and what is no text shows nothing.
  let shown: String? =
    stop - start > Diagnostic.longestSourceLine || isBinary(bytes[start..<stop])
    ? nil
    : String(
      String.UnicodeScalarView(
        String(decoding: bytes[start..<stop], as: UTF8.self).unicodeScalars
          .map { $0.value < 0x20 || $0.value == 0x7F ? " " : $0 }))
  return Diagnostic(
    id, message, at: SourceLocation(file: path, line: line, column: column), length: length,
    sourceLine: shown, hint: hint, notes: notes)
}

/// True if so many bytes of a line are none of a text that they are those of something else.
private func isBinary(_ line: ArraySlice<UInt8>) -> Bool {
  let strange = String(decoding: line, as: UTF8.self).unicodeScalars.reduce(into: 0) {
    if $1.value < 0x20 && $1.value != 0x09 || $1.value == 0x7F || $1 == "\u{FFFD}" { $0 += 1 }
  }
  return strange * 8 > line.count
}
