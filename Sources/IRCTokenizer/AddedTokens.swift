/// A token that is found in text before the model sees it.
struct AddedToken: Sendable {
  var id: Int32
  var content: String
  /// Matches only where no word continues on either side.
  var isSingleWord: Bool
  /// Takes the space on its left with it.
  var stripsLeft: Bool
  /// Takes the space on its right with it.
  var stripsRight: Bool
  /// Is looked for in normalised text, in its own normalised form.
  var isNormalized: Bool
  /// Is left out of decoded text on request.
  var isSpecial: Bool
}

/// Finds added tokens in text: the leftmost first, and the longest that starts there.
struct AddedTokenMatcher: Sendable {
  /// A stretch of text, as a token or to be encoded.
  struct Piece {
    var token: Int32?
    var range: Range<Int>
  }

  private var tokens: [AddedToken] = []
  // A trie over bytes: node and byte to node, and the token that ends at each node.
  private var edges: [UInt64: Int32] = [:]
  private var ends: [Int32] = [-1]
  private var starts = [Bool](repeating: false, count: 256)

  /// Adds a token under the bytes it is found by; false when another token has the same bytes.
  mutating func add(_ token: AddedToken, pattern: [UInt8]) -> Bool {
    guard let first = pattern.first else { return false }
    starts[Int(first)] = true
    var node: Int32 = 0
    for byte in pattern {
      let key = AddedTokenMatcher.key(node, byte)
      if let next = edges[key] {
        node = next
      } else {
        node = Int32(ends.count)
        edges[key] = node
        ends.append(-1)
      }
    }
    guard ends[Int(node)] < 0 else { return false }
    ends[Int(node)] = Int32(tokens.count)
    tokens.append(token)
    return true
  }

  /// Cuts text at the tokens in it.
  func split(_ bytes: [UInt8]) -> [Piece] {
    if bytes.isEmpty { return [] }
    if tokens.isEmpty { return [Piece(token: nil, range: 0..<bytes.count)] }
    var pieces: [Piece] = []
    var done = 0
    var position = 0
    while position < bytes.count {
      guard starts[Int(bytes[position])], let (place, end) = longest(bytes, at: position) else {
        position += 1
        continue
      }
      let token = tokens[place]
      var (start, stop) = (position, end)
      position = end
      if token.isSingleWord, !isSingleWord(bytes, start..<stop) { continue }
      // Space that a token before took with it may reach past this one.
      if token.stripsLeft {
        start = min(stop, max(done, spaceStart(bytes, before: start, limit: done)))
      }
      if token.stripsRight { stop = stop < done ? done : spaceEnd(bytes, from: stop) }
      if done < start { pieces.append(Piece(token: nil, range: done..<start)) }
      pieces.append(Piece(token: token.id, range: start..<stop))
      done = stop
    }
    if done < bytes.count { pieces.append(Piece(token: nil, range: done..<bytes.count)) }
    return pieces
  }

  private static func key(_ node: Int32, _ byte: UInt8) -> UInt64 {
    UInt64(UInt32(bitPattern: node)) << 8 | UInt64(byte)
  }

  private func longest(_ bytes: [UInt8], at start: Int) -> (token: Int, end: Int)? {
    var found: (Int, Int)?
    var node: Int32 = 0
    var position = start
    while position < bytes.count, let next = edges[AddedTokenMatcher.key(node, bytes[position])] {
      node = next
      position += 1
      if ends[Int(node)] >= 0 { found = (Int(ends[Int(node)]), position) }
    }
    return found
  }

  private func isSingleWord(_ bytes: [UInt8], _ range: Range<Int>) -> Bool {
    if range.lowerBound > 0 {
      let before = UTF8Scan.scalarStart(bytes, before: range.lowerBound, limit: 0)
      if isWordScalar(UTF8Scan.scalar(bytes, before).value) { return false }
    }
    if range.upperBound < bytes.count {
      if isWordScalar(UTF8Scan.scalar(bytes, range.upperBound).value) { return false }
    }
    return true
  }

  /// `\w` of Unicode Technical Standard #18.
  private func isWordScalar(_ value: UInt32) -> Bool {
    guard let properties = Unicode.Scalar(value)?.properties else { return false }
    if properties.isAlphabetic || properties.isJoinControl { return true }
    switch properties.generalCategory {
    case .nonspacingMark, .spacingMark, .enclosingMark, .decimalNumber, .connectorPunctuation:
      return true
    default: return false
    }
  }

  private func spaceStart(_ bytes: [UInt8], before end: Int, limit: Int) -> Int {
    var start = end
    while start > limit {
      let before = UTF8Scan.scalarStart(bytes, before: start, limit: limit)
      guard ScalarClass(UTF8Scan.scalar(bytes, before).value) == .space else { break }
      start = before
    }
    return start
  }

  private func spaceEnd(_ bytes: [UInt8], from start: Int) -> Int {
    var end = start
    while end < bytes.count {
      let (value, length) = UTF8Scan.scalar(bytes, end)
      guard ScalarClass(value) == .space else { break }
      end += length
    }
    return end
  }
}
