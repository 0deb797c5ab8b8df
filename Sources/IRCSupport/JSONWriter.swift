/// A JSON document to be written; `["a": 1, "b": [true, nil]]` is one.
///
/// Keys are written in the order given, so equal trees give equal bytes.
public enum JSON: Sendable {
  case null
  case bool(Bool)
  case integer(Int)
  /// Written with the fewest digits that read back as the same double; null if not finite.
  case real(Double)
  case string(String)
  case array([JSON])
  case object([(key: String, value: JSON)])

  /// The document as text; with `indent`, one value a line and that many spaces a level.
  ///
  /// Empty arrays and objects, and with `indent` also the end of the text, take no line of their own.
  public func serialized(indent: Int? = nil) -> String {
    var text: [UInt8] = []
    write(to: &text, indent: indent.map { max(0, $0) }, level: 0)
    return String(decoding: text, as: UTF8.self)
  }

  private func write(to text: inout [UInt8], indent: Int?, level: Int) {
    switch self {
    case .null: text += "null".utf8
    case .bool(let value): text += (value ? "true" : "false").utf8
    case .integer(let value): text += String(value).utf8
    case .real(let value): text += (value.isFinite ? value.description : "null").utf8
    case .string(let value): JSON.writeString(value, to: &text)
    case .array(let elements):
      JSON.writeList(elements, "[", "]", to: &text, indent, level) { element, text in
        element.write(to: &text, indent: indent, level: level + 1)
      }
    case .object(let members):
      JSON.writeList(members, "{", "}", to: &text, indent, level) { member, text in
        JSON.writeString(member.key, to: &text)
        text += (indent == nil ? ":" : ": ").utf8
        member.value.write(to: &text, indent: indent, level: level + 1)
      }
    }
  }

  private static func writeList<Element>(
    _ elements: [Element], _ open: String, _ close: String, to text: inout [UInt8],
    _ indent: Int?, _ level: Int, _ write: (Element, inout [UInt8]) -> Void
  ) {
    text += open.utf8
    for (place, element) in elements.enumerated() {
      if place > 0 { text += ",".utf8 }
      if let indent { newLine(indent * (level + 1), to: &text) }
      write(element, &text)
    }
    if let indent, !elements.isEmpty { newLine(indent * level, to: &text) }
    text += close.utf8
  }

  private static func newLine(_ spaces: Int, to text: inout [UInt8]) {
    text.append(0x0A)
    text.append(contentsOf: repeatElement(0x20, count: spaces))
  }

  private static func writeString(_ value: String, to text: inout [UInt8]) {
    text.append(UInt8(ascii: "\""))
    for byte in value.utf8 {
      switch byte {
      case UInt8(ascii: "\""): text += "\\\"".utf8
      case UInt8(ascii: "\\"): text += "\\\\".utf8
      case 0x0A: text += "\\n".utf8
      case 0x0D: text += "\\r".utf8
      case 0x09: text += "\\t".utf8
      case 0..<0x20:
        text += "\\u00".utf8
        text += (byte < 0x10 ? "0" : "").utf8
        text += String(byte, radix: 16).utf8
      default: text.append(byte)
      }
    }
    text.append(UInt8(ascii: "\""))
  }
}

extension JSON: ExpressibleByNilLiteral, ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral,
  ExpressibleByFloatLiteral, ExpressibleByStringInterpolation, ExpressibleByArrayLiteral,
  ExpressibleByDictionaryLiteral
{
  /// `null`.
  public init(nilLiteral: ()) { self = .null }
  /// A truth value.
  public init(booleanLiteral value: Bool) { self = .bool(value) }
  /// An integer.
  public init(integerLiteral value: Int) { self = .integer(value) }
  /// A number.
  public init(floatLiteral value: Double) { self = .real(value) }
  /// A string.
  public init(stringLiteral value: String) { self = .string(value) }
  /// An array.
  public init(arrayLiteral elements: JSON...) { self = .array(elements) }
  /// An object whose members keep this order.
  public init(dictionaryLiteral elements: (String, JSON)...) {
    self = .object(elements.map { (key: $0, value: $1) })
  }
}

extension JSON {
  /// What was parsed, without its places, to be written again.
  public init(_ value: JSONValue) {
    switch value.content {
    case .null: self = .null
    case .bool(let value): self = .bool(value)
    case .integer(let value): self = .integer(value)
    case .real(let value): self = .real(value)
    case .string(let value): self = .string(value)
    case .array(let elements): self = .array(elements.map { JSON($0) })
    case .object(let members): self = .object(members.map { (key: $0.key, value: JSON($0.value)) })
    }
  }
}
