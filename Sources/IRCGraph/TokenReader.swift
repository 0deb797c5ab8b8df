import IRCSupport
import IRCTensor

/// A statement cannot be read further; what is wrong was reported.
struct SyntaxFailure: Error {}

/// An attribute as written, with its place.
struct ParsedAttribute {
  let name: String
  let value: Attribute
  let range: Range<Int>
}

/// Goes through the tokens of a file, reads the small parts of the grammar and collects errors.
struct TokenReader {
  /// Errors of one file that are shown.
  static let problemLimit = 20
  /// Lists within lists beyond this are refused, so that hostile input cannot exhaust the stack.
  static let depthLimit = 32
  /// Longest chain of passes in a location.
  static let locationLimit = 256
  /// Most axes of a type, names of an extent and results of an operation.
  static let listLimit = 64
  /// Largest extent and largest element count, so that no sum or product of sizes overflows.
  static let sizeLimit = 1 << 48

  private let file: TextFile
  private let bytes: [UInt8]
  private let tokens: [Token]
  private var index = 0
  private var problems: [(offset: Int, diagnostic: Diagnostic)] = []

  init(_ file: TextFile) {
    self.file = file
    bytes = Array(file.text.utf8)
    var lexer = Lexer(bytes)
    tokens = lexer.tokens()
    for problem in lexer.problems { report("ir.syntax", problem.message, at: problem.range) }
  }

  // MARK: - Tokens

  var current: Token { tokens[index] }
  var atEnd: Bool { current.kind == .end }
  /// Where the token before this one ends.
  var previousEnd: Int { index > 0 ? tokens[index - 1].range.upperBound : 0 }

  mutating func advance() {
    if index + 1 < tokens.count { index += 1 }
  }

  func at(_ mark: Character) -> Bool { current.kind == .mark(mark) }

  /// Goes past a mark if it is there.
  mutating func take(_ mark: Character) -> Bool {
    guard at(mark) else { return false }
    advance()
    return true
  }

  mutating func expect(_ mark: Character) throws(SyntaxFailure) {
    if !take(mark) { throw unexpected("'\(mark)'") }
  }

  mutating func expect(word: String) throws(SyntaxFailure) {
    guard current.kind == .word(word) else { throw unexpected("'\(word)'") }
    advance()
  }

  mutating func word(_ what: String) throws(SyntaxFailure) -> String {
    guard case .word(let word) = current.kind else { throw unexpected(what) }
    advance()
    return word
  }

  mutating func string(_ what: String) throws(SyntaxFailure) -> String {
    guard case .string(let text) = current.kind else { throw unexpected(what) }
    advance()
    return text
  }

  mutating func valueName() throws(SyntaxFailure) -> String {
    guard case .value(let name) = current.kind else { throw unexpected("a value such as %0") }
    advance()
    return name
  }

  /// Skips to where the next statement seems to begin.
  mutating func recover() {
    repeat {
      switch current.kind {
      case .end: return
      case .value, .word("next"), .word("output"), .mark("}"):
        if current.startsLine { return }
      default: break
      }
      advance()
    } while true
  }

  // MARK: - Errors

  /// True when enough errors were collected.
  var isFull: Bool { problems.count >= TokenReader.problemLimit }

  /// Gives a statement up when no more errors are collected: what is left of it may be long.
  func checkRoom() throws(SyntaxFailure) {
    if isFull { throw SyntaxFailure() }
  }

  /// Notes an error at the current token or elsewhere, if there is room for it.
  mutating func report(
    _ id: String, _ message: String, at range: Range<Int>? = nil, hint: String? = nil
  ) {
    if isFull { return }
    let range = range ?? current.range
    problems.append((range.lowerBound, diagnostic(id, message, range, hint)))
  }

  /// Notes that something else should stand here; what the lexer has reported is not reported again.
  mutating func unexpected(_ what: String) -> SyntaxFailure {
    switch current.kind {
    case .invalid: break
    case .end: report("ir.syntax", "the text ends where \(what) should be")
    default: report("ir.syntax", "expected \(what), not \(shownToken)")
    }
    return SyntaxFailure()
  }

  /// The errors in source order.
  func diagnostics() -> [Diagnostic] {
    let inOrder = problems.enumerated().sorted {
      ($0.element.offset, $0.offset) < ($1.element.offset, $1.offset)
    }
    return inOrder.prefix(TokenReader.problemLimit).map(\.element.diagnostic)
  }

  private var shownToken: String {
    let text = String(decoding: bytes[current.range], as: UTF8.self)
    return text.utf8.count <= 40 ? "'\(text)'" : "this"
  }

  private func diagnostic(
    _ id: String, _ message: String, _ range: Range<Int>, _ hint: String?
  ) -> Diagnostic {
    let newline = UInt8(ascii: "\n")
    let before = bytes[..<range.lowerBound]
    let line = before.reduce(into: 1) { count, byte in if byte == newline { count += 1 } }
    let start = before.lastIndex(of: newline).map { $0 + 1 } ?? 0
    let stop = bytes[range.lowerBound...].firstIndex(of: newline) ?? bytes.count
    let column = String(decoding: bytes[start..<range.lowerBound], as: UTF8.self).count + 1
    let marked = bytes[range.lowerBound..<min(range.upperBound, stop)]
    return file.diagnostic(
      id, message, line: line, column: column,
      length: String(decoding: marked, as: UTF8.self).count, hint: hint)
  }
}

// MARK: - Types

extension TokenReader {
  /// `f32[past+tokens, 64]`
  mutating func type() throws(SyntaxFailure) -> TensorType {
    let start = current.range.lowerBound
    guard case .word(let name) = current.kind, let element = ElementType(rawValue: name) else {
      throw unexpected("a type such as f32[tokens, 64]")
    }
    advance()
    try expect("[")
    var shape: [Dimension] = []
    if !take("]") {
      repeat {
        shape.append(try dimension())
        if shape.count > TokenReader.listLimit { throw unexpected("fewer axes") }
      } while take(",")
      try expect("]")
    }
    let type = TensorType(element, shape)
    if !type.isOfBearableSize {
      report("ir.syntax", "this type is too large", at: start..<previousEnd)
      throw SyntaxFailure()
    }
    return type
  }

  /// `64`, `tokens` or `past+tokens`
  private mutating func dimension() throws(SyntaxFailure) -> Dimension {
    var sum = try term()
    var terms = 1
    while take("+") {
      sum = sum + (try term())
      terms += 1
      if terms > TokenReader.listLimit { throw unexpected("fewer terms") }
    }
    return sum
  }

  private mutating func term() throws(SyntaxFailure) -> Dimension {
    switch current.kind {
    case .int(let extent) where (0...TokenReader.sizeLimit).contains(extent):
      advance()
      return .fixed(extent)
    case .word(let name):
      advance()
      return .named(name)
    default:
      throw unexpected("an extent: a number up to 2⁴⁸ or a name")
    }
  }
}

extension TensorType {
  /// True if the number of elements, zero and dynamic extents counted as 1, is within the parser's limit.
  fileprivate var isOfBearableSize: Bool {
    var count = 1
    for dimension in shape {
      let (product, overflow) = count.multipliedReportingOverflow(by: max(1, dimension.constant))
      if overflow || product > TokenReader.sizeLimit { return false }
      count = product
    }
    return true
  }
}

// MARK: - Attributes and locations

extension TokenReader {
  /// `{name = value, …}`, if there is one here; `given` came before the braces.
  mutating func attributes(
    after given: [ParsedAttribute] = []
  ) throws(SyntaxFailure) -> [ParsedAttribute] {
    var list = given
    guard take("{") else { return list }
    if take("}") { return list }
    var names = Set(given.map(\.name))
    repeat {
      let start = current.range.lowerBound
      let name = try word("the name of an attribute")
      if !names.insert(name).inserted {
        report("ir.duplicate", "attribute '\(name)' is given twice", at: start..<previousEnd)
        try checkRoom()
      }
      try expect("=")
      let value = try attribute(depth: 0)
      list.append(ParsedAttribute(name: name, value: value, range: start..<previousEnd))
    } while take(",")
    try expect("}")
    return list
  }

  private mutating func attribute(depth: Int) throws(SyntaxFailure) -> Attribute {
    guard depth < TokenReader.depthLimit else { throw unexpected("less nesting") }
    let kind = current.kind
    switch kind {
    case .int(let value):
      advance()
      return .int(value)
    case .float(let value):
      advance()
      return .float(value)
    case .string(let text):
      advance()
      return .string(text)
    case .word(let word):
      advance()
      if take("(") { return .call(word, try attributeList(until: ")", depth: depth + 1)) }
      return word == "true" ? .bool(true) : word == "false" ? .bool(false) : .symbol(word)
    case .mark("["):
      advance()
      return .list(try attributeList(until: "]", depth: depth + 1))
    default:
      throw unexpected("a value")
    }
  }

  private mutating func attributeList(
    until end: Character, depth: Int
  ) throws(SyntaxFailure) -> [Attribute] {
    if take(end) { return [] }
    var items: [Attribute] = []
    repeat { items.append(try attribute(depth: depth)) } while take(",")
    try expect(end)
    return items
  }

  /// `checkpoint("tensor")`, `"file":3:14`, `unknown` or `pass("instance", …)` around one of them.
  mutating func location() throws(SyntaxFailure) -> Location {
    var passes: [String] = []
    while case .word("pass") = current.kind {
      guard passes.count < TokenReader.locationLimit else { throw unexpected("a shorter chain") }
      advance()
      try expect("(")
      passes.append(try string("the name of a pass in quotes"))
      try expect(",")
    }
    var location = try origin()
    for pass in passes.reversed() {
      try expect(")")
      location = .pass(pass, from: location)
    }
    return location
  }

  private mutating func origin() throws(SyntaxFailure) -> Location {
    switch current.kind {
    case .word("unknown"):
      advance()
      return .unknown
    case .word("checkpoint"):
      advance()
      try expect("(")
      let name = try string("the name of a tensor in quotes")
      try expect(")")
      return .checkpoint(name)
    case .string(let file):
      advance()
      try expect(":")
      let line = try position()
      try expect(":")
      return .text(SourceLocation(file: file, line: line, column: try position()))
    default:
      throw unexpected("'checkpoint', 'pass', 'unknown' or a file in quotes")
    }
  }

  private mutating func position() throws(SyntaxFailure) -> Int {
    guard case .int(let number) = current.kind, number >= 0 else { throw unexpected("a number") }
    advance()
    return number
  }
}
