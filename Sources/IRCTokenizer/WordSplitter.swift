/// Cuts text into the words that byte-level BPE works on, by hand where the reference library uses a pattern.
enum WordSplitter: Sendable, Equatable {
  /// No cuts.
  case whole
  /// `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
  case gpt2
  /// `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,digits}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|
  /// \s+(?!\S)|\s+`
  case tiktoken(digits: Int)

  /// End of the word that starts at `start`, a place before `limit`; `limit` is where the text ends.
  func wordEnd(_ bytes: [UInt8], from start: Int, limit: Int) -> Int {
    switch self {
    case .whole: limit
    case .gpt2: WordSplitter.gpt2End(bytes, start, limit)
    case .tiktoken(let digits): WordSplitter.tiktokenEnd(bytes, start, limit, digits)
    }
  }

  private static func gpt2End(_ bytes: [UInt8], _ start: Int, _ limit: Int) -> Int {
    if bytes[start] == UInt8(ascii: "'"),
      let end = contractionEnd(bytes, start, limit, anyCase: false)
    {
      return end
    }
    var position = start
    // One space goes with the run that follows it, if that is not more space.
    if bytes[start] == 0x20, start + 1 < limit { position += 1 }
    let (value, length) = UTF8Scan.scalar(bytes, position)
    let kind = ScalarClass(value)
    if kind == .space { return spaceEnd(bytes, start, limit) }
    return runEnd(bytes, position + length, limit, of: kind)
  }

  private static func tiktokenEnd(
    _ bytes: [UInt8], _ start: Int, _ limit: Int, _ digits: Int
  ) -> Int {
    if bytes[start] == UInt8(ascii: "'"),
      let end = contractionEnd(bytes, start, limit, anyCase: true)
    {
      return end
    }
    let (value, length) = UTF8Scan.scalar(bytes, start)
    let kind = ScalarClass(value)
    if kind == .letter { return runEnd(bytes, start + length, limit, of: .letter) }
    if kind == .number {
      var end = start + length
      for _ in 1..<max(1, digits) {
        guard end < limit else { break }
        let (value, length) = UTF8Scan.scalar(bytes, end)
        guard ScalarClass(value) == .number else { break }
        end += length
      }
      return end
    }
    let next = start + length
    let isLineEnd = value == 0x0A || value == 0x0D
    if !isLineEnd, next < limit {
      let (value, length) = UTF8Scan.scalar(bytes, next)
      if ScalarClass(value) == .letter { return runEnd(bytes, next + length, limit, of: .letter) }
    }
    // Other characters, after at most one space, and the line ends behind them.
    var first = start
    if value == 0x20, next < limit { first = next }
    if ScalarClass(UTF8Scan.scalar(bytes, first).value) == .other {
      var end = runEnd(bytes, first, limit, of: .other)
      while end < limit, bytes[end] == 0x0A || bytes[end] == 0x0D { end += 1 }
      return end
    }
    // Space up to its last line end, if it has one.
    let end = runEnd(bytes, start, limit, of: .space)
    if let lineEnd = bytes[start..<end].lastIndex(where: { $0 == 0x0A || $0 == 0x0D }) {
      return lineEnd + 1
    }
    return spaceEnd(bytes, start, limit)
  }

  /// End of a run of space: the last one is left for the word that follows, unless it is the only one.
  private static func spaceEnd(_ bytes: [UInt8], _ start: Int, _ limit: Int) -> Int {
    let end = runEnd(bytes, start, limit, of: .space)
    if end == limit { return end }
    let last = UTF8Scan.scalarStart(bytes, before: end, limit: start)
    return last > start ? last : end
  }

  private static func runEnd(
    _ bytes: [UInt8], _ start: Int, _ limit: Int, of kind: ScalarClass
  ) -> Int {
    var end = start
    while end < limit {
      let (value, length) = UTF8Scan.scalar(bytes, end)
      guard ScalarClass(value) == kind else { break }
      end += length
    }
    return end
  }

  /// End of `'s`, `'t`, `'re`, `'ve`, `'m`, `'ll` or `'d` at the apostrophe `start`.
  private static func contractionEnd(
    _ bytes: [UInt8], _ start: Int, _ limit: Int, anyCase: Bool
  ) -> Int? {
    guard start + 1 < limit else { return nil }
    if anyCase, start + 2 < limit, bytes[start + 1] == 0xC5, bytes[start + 2] == 0xBF {
      // U+017F, the long s, is an s when case does not matter.
      return start + 3
    }
    let fold: UInt8 = anyCase ? 0x20 : 0
    let first = bytes[start + 1] | fold
    switch first {
    case UInt8(ascii: "s"), UInt8(ascii: "t"), UInt8(ascii: "m"), UInt8(ascii: "d"):
      return start + 2
    case UInt8(ascii: "r"), UInt8(ascii: "v"), UInt8(ascii: "l"):
      let wanted = first == UInt8(ascii: "l") ? first : UInt8(ascii: "e")
      return start + 2 < limit && bytes[start + 2] | fold == wanted ? start + 3 : nil
    default:
      return nil
    }
  }
}
