/// One word of the textual IR with its place in the file.
struct Token {
  enum Kind: Equatable {
    /// A bare word such as `rms_norm`, `irc.graph` or `f32`.
    case word(String)
    /// The name of a value, without its `%`.
    case value(String)
    /// Quoted text, unescaped.
    case string(String)
    case int(Int)
    case float(Double)
    /// One of `{ } ( ) [ ] = , : + @`.
    case mark(Character)
    /// Something that was reported already.
    case invalid
    case end
  }

  let kind: Kind
  /// Bytes of the file that the token takes up.
  let range: Range<Int>
  /// True if nothing but space precedes the token on its line: where a statement may begin again after an error.
  let startsLine: Bool
}

/// Cuts the textual IR into tokens; what cannot be one is noted and becomes `invalid`.
struct Lexer {
  /// A fault of the text that is none of the grammar.
  struct Problem {
    let message: String
    let range: Range<Int>
  }

  private let bytes: [UInt8]
  private var position = 0
  private var startsLine = true
  private(set) var problems: [Problem] = []

  /// Faults beyond this are not told apart: nobody reads so many.
  private static let problemLimit = 100

  init(_ bytes: [UInt8]) {
    self.bytes = bytes
  }

  /// All tokens, the last one `end`.
  mutating func tokens() -> [Token] {
    var tokens: [Token] = []
    while true {
      skipSpace()
      let start = position
      let kind = next()
      tokens.append(Token(kind: kind, range: start..<position, startsLine: startsLine))
      startsLine = false
      if kind == .end { return tokens }
    }
  }

  private mutating func skipSpace() {
    while position < bytes.count {
      switch bytes[position] {
      case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"):
        position += 1
      case UInt8(ascii: "\n"):
        position += 1
        startsLine = true
      case UInt8(ascii: "/") where byte(1) == UInt8(ascii: "/"):
        while position < bytes.count, bytes[position] != UInt8(ascii: "\n") { position += 1 }
      default:
        return
      }
    }
  }

  private mutating func next() -> Token.Kind {
    guard position < bytes.count else { return .end }
    let first = bytes[position]
    switch first {
    case UInt8(ascii: "\""):
      return string()
    case UInt8(ascii: "%"):
      position += 1
      let name = run(of: Lexer.isNameByte)
      return name.isEmpty ? invalid("a name must follow '%'", from: position - 1) : .value(name)
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
      return number()
    case _ where Lexer.isLetter(first):
      return .word(run(of: Lexer.isNameByte))
    case _ where "{}()[]=,:+@".utf8.contains(first):
      position += 1
      return .mark(Character(Unicode.Scalar(first)))
    default:
      return unknownCharacter()
    }
  }

  // MARK: - Kinds of token

  private mutating func number() -> Token.Kind {
    let start = position
    var isReal = false
    if bytes[position] == UInt8(ascii: "-") { position += 1 }
    guard digits() else { return invalid("digits must follow '-'", from: start) }
    if byte(0) == UInt8(ascii: "."), Lexer.isDigit(byte(1)) {
      isReal = true
      position += 1
      _ = digits()
    }
    if byte(0) == UInt8(ascii: "e") || byte(0) == UInt8(ascii: "E") {
      isReal = true
      position += 1
      if byte(0) == UInt8(ascii: "+") || byte(0) == UInt8(ascii: "-") { position += 1 }
      guard digits() else { return invalid("the exponent has no digits", from: start) }
    }
    guard !Lexer.isNameByte(byte(0)) else {
      _ = run(of: Lexer.isNameByte)
      return invalid("this is neither a number nor a name", from: start)
    }
    let text = String(decoding: bytes[start..<position], as: UTF8.self)
    if isReal {
      if let value = Double(text), value.isFinite { return .float(value) }
      return invalid("this number is too large", from: start)
    }
    if let value = Int(text) { return .int(value) }
    return invalid("this number does not fit into 64 bits", from: start)
  }

  private mutating func string() -> Token.Kind {
    let start = position
    position += 1
    var text: [UInt8] = []
    while let next = byte(0), next != UInt8(ascii: "\n") {
      position += 1
      switch next {
      case UInt8(ascii: "\""):
        return .string(String(decoding: text, as: UTF8.self))
      case UInt8(ascii: "\\"):
        guard let scalar = escape() else {
          let end = position
          skipToQuote()
          return invalid(
            #"unknown escape; there are \\, \", \n and \u{…}"#, from: start, to: end)
        }
        text += UTF8.encode(scalar).map(Array.init) ?? []
      default:
        text.append(next)
      }
    }
    return invalid("the quote is not closed on this line", from: start)
  }

  /// The character that an escape stands for; the backslash is behind us.
  private mutating func escape() -> Unicode.Scalar? {
    guard let kind = byte(0) else { return nil }
    position += 1
    switch kind {
    case UInt8(ascii: "\\"), UInt8(ascii: "\""): return Unicode.Scalar(kind)
    case UInt8(ascii: "n"): return "\n"
    case UInt8(ascii: "u"):
      guard byte(0) == UInt8(ascii: "{") else { return nil }
      position += 1
      let digits = run { Lexer.isNameByte($0) }
      guard digits.utf8.count <= 6, byte(0) == UInt8(ascii: "}"),
        let value = UInt32(digits, radix: 16)
      else { return nil }
      position += 1
      return Unicode.Scalar(value)
    default: return nil
    }
  }

  /// Goes behind the closing quote of a string that is wrong anyway, or to the end of the line.
  private mutating func skipToQuote() {
    while let next = byte(0), next != UInt8(ascii: "\n") {
      position += 1
      if next == UInt8(ascii: "\"") { return }
      if next == UInt8(ascii: "\\"), byte(0) != UInt8(ascii: "\n") {
        position = min(position + 1, bytes.count)
      }
    }
  }

  private mutating func unknownCharacter() -> Token.Kind {
    let start = position
    position += 1
    // The rest of a character that takes several bytes.
    while let next = byte(0), next & 0xC0 == 0x80 { position += 1 }
    let text = String(decoding: bytes[start..<position], as: UTF8.self)
    return invalid("\(quoted(text)) has no meaning here", from: start)
  }

  // MARK: - Bytes

  private func byte(_ ahead: Int) -> UInt8? {
    position + ahead < bytes.count ? bytes[position + ahead] : nil
  }

  /// Skips digits; false if there are none.
  private mutating func digits() -> Bool {
    let start = position
    while Lexer.isDigit(byte(0)) { position += 1 }
    return position > start
  }

  private mutating func run(of belongs: (UInt8?) -> Bool) -> String {
    let start = position
    while belongs(byte(0)) { position += 1 }
    return String(decoding: bytes[start..<position], as: UTF8.self)
  }

  private mutating func invalid(_ message: String, from start: Int, to end: Int? = nil)
    -> Token.Kind
  {
    if problems.count < Lexer.problemLimit {
      problems.append(Problem(message: message, range: start..<(end ?? position)))
    }
    return .invalid
  }

  private static func isDigit(_ byte: UInt8?) -> Bool {
    byte.map { UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 } ?? false
  }

  private static func isLetter(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "_"):
      true
    default: false
    }
  }

  /// Words and names of values go on with letters, digits, `.`, `_`, `-` and `$`.
  private static func isNameByte(_ byte: UInt8?) -> Bool {
    guard let byte else { return false }
    return isLetter(byte) || isDigit(byte) || ".-$".utf8.contains(byte)
  }
}
