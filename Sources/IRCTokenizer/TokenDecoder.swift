/// How ids become text again: the text of every piece, and how the pieces are joined.
struct TokenDecoder: Sendable {
  /// The ways of joining.
  enum Style: Sendable {
    /// Pieces are bytes of UTF-8; what is not valid becomes U+FFFD.
    case byteLevel
    /// Pieces are text, but a run of byte pieces is the bytes of some text.
    case pieces(trim: Trim)
    /// Pieces are text with a space between any two.
    case spaced
  }

  /// Characters to cut off both ends of the whole text, as long as they are `character`.
  struct Trim: Sendable {
    var character: [UInt8] = [0x20]
    var start = 0
    var stop = 0
  }

  var style: Style
  /// Text of each piece by id, as it is joined; nil where the vocabulary has a gap.
  var pieces: [[UInt8]?]
  /// Byte that each byte piece stands for, by id; empty without byte fallback.
  var byteValues: [UInt8?]
  /// Ids that are left out when special tokens are skipped.
  var skipped: Set<Int32>

  /// The text of a piece; nil for ids that there are none of.
  func piece(_ id: Int32) -> [UInt8]? {
    id >= 0 && Int(id) < pieces.count ? pieces[Int(id)] : nil
  }

  /// The byte of a byte piece.
  func byteValue(_ id: Int32) -> UInt8? {
    id >= 0 && Int(id) < byteValues.count ? byteValues[Int(id)] : nil
  }
}

/// Turns ids into text as they come in, and holds back what is not yet complete.
///
/// What `append` and then `finish` return, joined, is what decoding all ids at once gives. Held back are the bytes of
/// a character that is not complete, and, with byte fallback, a run of byte pieces until another piece follows.
public struct TokenStreamDecoder: Sendable {
  private let decoder: TokenDecoder
  private let skipsSpecialTokens: Bool
  /// Bytes that wait for more.
  private var waiting: [UInt8] = []
  /// Text that has passed and may yet be cut off the end.
  private var tail: [UInt8] = []
  private var leadingToCut = 0
  private var isFirst = true

  init(_ decoder: TokenDecoder, skipsSpecialTokens: Bool) {
    self.decoder = decoder
    self.skipsSpecialTokens = skipsSpecialTokens
    if case .pieces(let trim) = decoder.style { leadingToCut = trim.start }
  }

  /// The text that is complete with one more id; empty when there is none yet.
  ///
  /// Ids outside the vocabulary add nothing.
  public mutating func append(_ id: Int32) -> String {
    var bytes: [UInt8] = []
    append(id, to: &bytes)
    return String(decoding: bytes, as: UTF8.self)
  }

  /// The rest of the text.
  public mutating func finish() -> String {
    var bytes: [UInt8] = []
    finish(to: &bytes)
    return String(decoding: bytes, as: UTF8.self)
  }

  mutating func append(_ id: Int32, to bytes: inout [UInt8]) {
    if skipsSpecialTokens, decoder.skipped.contains(id) { return }
    guard let piece = decoder.piece(id) else { return }
    switch decoder.style {
    case .spaced:
      if !isFirst { bytes.append(0x20) }
      isFirst = false
      bytes.append(contentsOf: piece)
    case .byteLevel:
      waiting.append(contentsOf: piece)
      let complete = waiting.count - TokenStreamDecoder.incompleteCount(waiting)
      bytes.append(contentsOf: waiting[..<complete])
      waiting.removeFirst(complete)
    case .pieces(let trim):
      if let byte = decoder.byteValue(id) {
        waiting.append(byte)
      } else {
        flushBytes(trim, to: &bytes)
        pass(piece, trim, to: &bytes)
      }
    }
  }

  mutating func finish(to bytes: inout [UInt8]) {
    if case .pieces(let trim) = decoder.style {
      flushBytes(trim, to: &bytes)
      var cuts = trim.stop
      while cuts > 0, tail.ends(with: trim.character) {
        tail.removeLast(trim.character.count)
        cuts -= 1
      }
      bytes.append(contentsOf: tail)
    } else {
      bytes.append(contentsOf: waiting)
    }
    waiting = []
    tail = []
  }

  /// Ends a run of byte pieces: text if the run is valid as a whole, else one U+FFFD a byte.
  private mutating func flushBytes(_ trim: TokenDecoder.Trim, to bytes: inout [UInt8]) {
    if waiting.isEmpty { return }
    if String(validating: waiting, as: UTF8.self) != nil {
      pass(waiting, trim, to: &bytes)
    } else {
      let replacement = Array("\u{FFFD}".utf8)
      for _ in waiting { pass(replacement, trim, to: &bytes) }
    }
    waiting = []
  }

  /// Sends text on, without what is cut off the start, and keeps what may be cut off the end.
  private mutating func pass(
    _ text: [UInt8], _ trim: TokenDecoder.Trim, to bytes: inout [UInt8]
  ) {
    var text = text[...]
    while leadingToCut > 0, !text.isEmpty {
      if text.starts(with: trim.character) {
        text = text.dropFirst(trim.character.count)
        leadingToCut -= 1
      } else {
        leadingToCut = 0
      }
    }
    if trim.stop == 0 {
      bytes.append(contentsOf: text)
      return
    }
    tail.append(contentsOf: text)
    var kept = 0
    while kept < trim.stop, tail.dropLast(kept * trim.character.count).ends(with: trim.character) {
      kept += 1
    }
    let free = tail.count - kept * trim.character.count
    bytes.append(contentsOf: tail[..<free])
    tail.removeFirst(free)
  }

  /// Number of bytes at the end that begin a character and may yet be completed.
  private static func incompleteCount(_ bytes: [UInt8]) -> Int {
    for back in 1...3 where back <= bytes.count {
      let lead = bytes[bytes.count - back]
      if lead & 0xC0 == 0x80 { continue }
      let length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC2 ? 2 : 1
      guard back < length, lead <= 0xF4 else { return 0 }
      if back == 1 { return 1 }
      // Not every second byte can follow these leads.
      let second = bytes[bytes.count - back + 1]
      let allowed: ClosedRange<UInt8> =
        switch lead {
        case 0xE0: 0xA0...0xBF
        case 0xED: 0x80...0x9F
        case 0xF0: 0x90...0xBF
        case 0xF4: 0x80...0x8F
        default: 0x80...0xBF
        }
      return allowed.contains(second) ? back : 0
    }
    return 0
  }
}

extension BidirectionalCollection where Element == UInt8 {
  fileprivate func ends(with suffix: [UInt8]) -> Bool {
    count >= suffix.count && self.suffix(suffix.count).elementsEqual(suffix)
  }
}
