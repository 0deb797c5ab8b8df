/// Reads RFC 8259 text into nodes; every fault is a `Diagnostic`, whatever the bytes are.
struct JSONParser {
  /// Nesting beyond this is refused, so that hostile input cannot exhaust the stack.
  static let maximumDepth = 128

  let bytes: [UInt8]
  let path: String
  let allowNonFinite: Bool
  private var position = 0
  private var depth = 0

  init(bytes: [UInt8], path: String, allowNonFinite: Bool) {
    self.bytes = bytes
    self.path = path
    self.allowNonFinite = allowNonFinite
  }

  mutating func parseDocument() throws -> JSONNode {
    skipSpace()
    let root = try parseValue()
    skipSpace()
    if position < bytes.count {
      throw failure("json.syntax", "unexpected \(shown(position)) after the end of the document")
    }
    return root
  }

  private mutating func parseValue() throws -> JSONNode {
    let start = position
    guard position < bytes.count else {
      throw failure("json.syntax", "the text ends where a value should be")
    }
    let content: JSONNode.Content
    switch bytes[position] {
    case UInt8(ascii: "{"): content = try parseObject()
    case UInt8(ascii: "["): content = try parseArray()
    case UInt8(ascii: "\""): content = .string(try parseString())
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): content = try parseNumber()
    default: content = try parseWord()
    }
    return JSONNode(content: content, offset: start, end: position)
  }

  private mutating func parseObject() throws -> JSONNode.Content {
    try enter()
    defer { depth -= 1 }
    var keys: [ByteKey] = []
    var offsets: [Int] = []
    var values: [JSONNode] = []
    var index: [ByteKey: Int] = [:]
    skipSpace()
    if take(UInt8(ascii: "}")) {
      return .object(JSONMembers(keys: [], keyOffsets: [], values: [], index: [:]))
    }
    while true {
      let start = position
      guard position < bytes.count, bytes[position] == UInt8(ascii: "\"") else {
        throw expected("a key in double quotes")
      }
      let key = ByteKey(try parseString())
      // Small objects are searched in order; the index starts when one outgrows that.
      if keys.count == JSONMembers.smallCount {
        for (place, key) in keys.enumerated() { index[key] = place }
      }
      let isRepeated: Bool
      if keys.count < JSONMembers.smallCount {
        isRepeated = keys.contains(key)
      } else {
        isRepeated = index.updateValue(keys.count, forKey: key) != nil
      }
      if isRepeated {
        throw failure(
          "json.duplicate-key", "the key \(JSON.string(key.string).serialized()) appears twice",
          at: start, end: position, hint: "keep one of the two")
      }
      skipSpace()
      guard take(UInt8(ascii: ":")) else { throw expected("':' after the key") }
      skipSpace()
      keys.append(key)
      offsets.append(start)
      values.append(try parseValue())
      skipSpace()
      if take(UInt8(ascii: "}")) { break }
      guard take(UInt8(ascii: ",")) else { throw expected("',' or '}'") }
      skipSpace()
    }
    return .object(JSONMembers(keys: keys, keyOffsets: offsets, values: values, index: index))
  }

  private mutating func parseArray() throws -> JSONNode.Content {
    try enter()
    defer { depth -= 1 }
    var elements: [JSONNode] = []
    skipSpace()
    if take(UInt8(ascii: "]")) { return .array([]) }
    while true {
      elements.append(try parseValue())
      skipSpace()
      if take(UInt8(ascii: "]")) { return .array(elements) }
      guard take(UInt8(ascii: ",")) else { throw expected("',' or ']'") }
      skipSpace()
    }
  }

  private mutating func parseWord() throws -> JSONNode.Content {
    let words: [(String, JSONNode.Content)] = [
      ("true", .bool(true)), ("false", .bool(false)), ("null", .null),
      ("Infinity", .real(.infinity)), ("NaN", .real(.nan)),
    ]
    for (word, content) in words where takeWord(word) {
      if case .real = content { try checkNonFinite(word, at: position - word.utf8.count) }
      return content
    }
    throw expected("a value")
  }

  private func checkNonFinite(_ word: String, at offset: Int) throws {
    if allowNonFinite { return }
    throw failure("json.syntax", "\(word) is not JSON", at: offset, end: position)
  }

  private mutating func parseNumber() throws -> JSONNode.Content {
    let start = position
    let isNegative = take(UInt8(ascii: "-"))
    if isNegative, takeWord("Infinity") {
      try checkNonFinite("-Infinity", at: start)
      return .real(-.infinity)
    }
    let whole = position
    guard skipDigits() > 0 else { throw expected("a digit") }
    if bytes[whole] == UInt8(ascii: "0"), position - whole > 1 {
      throw failure("json.syntax", "a number may not start with 0", at: whole, end: position)
    }
    var isIntegral = true
    if take(UInt8(ascii: ".")) {
      isIntegral = false
      guard skipDigits() > 0 else { throw expected("a digit after the point") }
    }
    if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
      isIntegral = false
      if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
      guard skipDigits() > 0 else { throw expected("a digit of the exponent") }
    }
    // Any 18 digits fit 64 bits; vocabularies hold nothing else.
    if isIntegral, position - whole <= 18 {
      let magnitude = bytes[whole..<position].reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) }
      return .integer(isNegative ? -magnitude : magnitude)
    }
    let text = String(decoding: bytes[start..<position], as: UTF8.self)
    if isIntegral, let integer = Int(text) { return .integer(integer) }
    guard let real = Double(text), real.isFinite else {
      throw failure(
        "json.number-range", "the number does not fit a 64-bit float", at: start, end: position)
    }
    return .real(real)
  }

  private mutating func skipDigits() -> Int {
    let start = position
    while position < bytes.count, bytes[position] &- UInt8(ascii: "0") < 10 { position += 1 }
    return position - start
  }

  private mutating func skipSpace() {
    while position < bytes.count {
      switch bytes[position] {
      case 0x20, 0x0A, 0x0D, 0x09: position += 1
      default: return
      }
    }
  }

  private mutating func take(_ byte: UInt8) -> Bool {
    guard position < bytes.count, bytes[position] == byte else { return false }
    position += 1
    return true
  }

  private mutating func takeWord(_ word: String) -> Bool {
    guard bytes[position...].starts(with: word.utf8) else { return false }
    position += word.utf8.count
    return true
  }

  private mutating func enter() throws {
    guard depth < JSONParser.maximumDepth else {
      throw failure(
        "json.too-deep", "arrays and objects are nested deeper than \(JSONParser.maximumDepth)")
    }
    depth += 1
    position += 1
  }
}

// MARK: - Strings

extension JSONParser {
  /// Reads the string whose opening quote is at `position`.
  private mutating func parseString() throws -> String {
    let opening = position
    position += 1
    let start = position
    var scan = position
    while scan < bytes.count, bytes[scan] != UInt8(ascii: "\""), bytes[scan] != UInt8(ascii: "\\"),
      bytes[scan] >= 0x20
    {
      scan += 1
    }
    position = scan
    if scan < bytes.count, bytes[scan] == UInt8(ascii: "\"") {
      position += 1
      guard let text = String(validating: bytes[start..<scan], as: UTF8.self) else {
        throw invalidText(start..<scan)
      }
      return text
    }
    var unescaped = Array(bytes[start..<scan])
    while position < bytes.count {
      let byte = bytes[position]
      switch byte {
      case UInt8(ascii: "\""):
        position += 1
        guard let text = String(validating: unescaped, as: UTF8.self) else {
          throw invalidText(start..<position - 1)
        }
        return text
      case UInt8(ascii: "\\"):
        try parseEscape(into: &unescaped)
      case 0..<0x20:
        throw failure("json.syntax", "a string holds an unescaped \(shown(position))")
      default:
        unescaped.append(byte)
        position += 1
      }
    }
    throw failure(
      "json.syntax", "the string that starts here has no end", at: opening, end: opening + 1)
  }

  private mutating func parseEscape(into text: inout [UInt8]) throws {
    let start = position
    position += 1
    guard position < bytes.count else {
      throw failure("json.syntax", "the text ends within an escape", at: start, end: position)
    }
    let kind = bytes[position]
    position += 1
    switch kind {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(kind)
    case UInt8(ascii: "b"): text.append(0x08)
    case UInt8(ascii: "f"): text.append(0x0C)
    case UInt8(ascii: "n"): text.append(0x0A)
    case UInt8(ascii: "r"): text.append(0x0D)
    case UInt8(ascii: "t"): text.append(0x09)
    case UInt8(ascii: "u"):
      var value = try parseHex(from: start)
      if 0xD800..<0xDC00 ~= value, takeWord("\\u") {
        let low = try parseHex(from: start)
        // A pair that does not fit leaves `value` a surrogate, which the check below refuses.
        if 0xDC00..<0xE000 ~= low { value = 0x10000 + (value - 0xD800) << 10 + (low - 0xDC00) }
      }
      guard let scalar = Unicode.Scalar(value) else {
        throw failure(
          "json.syntax", "half of a surrogate pair stands alone", at: start, end: position)
      }
      for byte in UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter { text.append(byte) }
    default:
      throw failure("json.syntax", "unknown escape", at: start, end: position)
    }
  }

  private mutating func parseHex(from start: Int) throws -> UInt32 {
    var value: UInt32 = 0
    for _ in 0..<4 {
      guard position < bytes.count, let digit = JSONParser.hexDigit(bytes[position]) else {
        throw failure(
          "json.syntax", "\\u needs four hexadecimal digits", at: start, end: position)
      }
      value = value << 4 | digit
      position += 1
    }
    return value
  }

  private static func hexDigit(_ byte: UInt8) -> UInt32? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(byte - UInt8(ascii: "0"))
    case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt32(byte - UInt8(ascii: "a") + 10)
    case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt32(byte - UInt8(ascii: "A") + 10)
    default: nil
    }
  }

  private func invalidText(_ range: Range<Int>) -> Diagnostic {
    var offset = range.lowerBound
    do {
      let text = Array(bytes[range])
      _ = try UTF8Span(validating: text.span)
    } catch {
      offset += error.byteOffsets.lowerBound
    }
    return failure("json.not-utf8", "a string holds bytes that are not UTF-8", at: offset)
  }
}

// MARK: - Failures

extension JSONParser {
  private func failure(
    _ id: String, _ message: String, at offset: Int? = nil, end: Int? = nil, hint: String? = nil
  ) -> Diagnostic {
    let offset = offset ?? position
    return jsonDiagnostic(
      id, message, bytes: bytes, path: path, offset: offset, end: end ?? offset + 1, hint: hint)
  }

  private func expected(_ what: String) -> Diagnostic {
    position < bytes.count
      ? failure("json.syntax", "expected \(what), not \(shown(position))")
      : failure("json.syntax", "the text ends where \(what) should be")
  }

  /// The byte at `offset` in words.
  private func shown(_ offset: Int) -> String {
    let byte = bytes[offset]
    if (0x21..<0x7F).contains(byte) { return "'\(Character(Unicode.Scalar(byte)))'" }
    switch byte {
    case 0x0A, 0x0D: return "line end"
    case 0x09: return "tab"
    case 0..<0x20, 0x7F: return "control character"
    default: return "byte 0x\(String(byte, radix: 16))"
    }
  }
}
