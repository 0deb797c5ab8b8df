import IRCTestSupport
import IRCTokenizer
import Testing

@Suite("Round trips")
struct RoundTripTests {
  /// Random scalars of all planes, with plenty of ASCII and space.
  static func randomText(_ generator: inout SeededGenerator) -> String {
    var text = String.UnicodeScalarView()
    for _ in 0..<Int.random(in: 0...60, using: &generator) {
      let range: Range<UInt32> =
        switch Int.random(in: 0..<8, using: &generator) {
        case 0: 0..<0x20
        case 1: 0x20..<0x21
        case 2, 3: 0x21..<0x7F
        case 4: 0x80..<0x400
        case 5: 0x400..<0xD800
        case 6: 0xE000..<0x10000
        default: 0x10000..<0x110000
        }
      if let scalar = Unicode.Scalar(UInt32.random(in: range, using: &generator)) {
        text.append(scalar)
      }
    }
    return String(text)
  }

  /// Byte-level tokenizers lose nothing, unless they normalise first.
  @Test(arguments: Golden.tiny.filter { ["tiny-gpt2-split", "tiny-llama3"].contains($0.name) })
  func byteLevel(_ golden: Golden) throws {
    try check(golden.tokenizer())
  }

  @Test(
    .enabled(if: Golden.isSharedThere, "needs shared/models and shared/data"),
    arguments: Golden.shared.filter {
      ["tokenizer-gpt2", "novels-mamba-600k", "novels-mamba-4m"].contains($0.name)
    })
  func realByteLevel(_ golden: Golden) throws {
    try check(golden.tokenizer())
  }

  private func check(_ tokenizer: Tokenizer) throws {
    var generator = SeededGenerator(seed: 11)
    for _ in 0..<1500 {
      let text = Self.randomText(&generator)
      let ids = try tokenizer.encode(text, addSpecialTokens: false)
      let back = tokenizer.decode(ids, skipSpecialTokens: false)
      #expect(Array(back.utf8) == Array(text.utf8))
      var stream = tokenizer.streamDecoder(skipSpecialTokens: false)
      let streamed = ids.map { stream.append($0) }.joined() + stream.finish()
      #expect(Array(streamed.utf8) == Array(text.utf8))
    }
  }

  /// What a stream gives is never half a character, and never waits longer than it must.
  @Test func streamsWholeCharacters() throws {
    let golden = try #require(Golden.tiny.first { $0.name == "tiny-gpt2-split" })
    let tokenizer = try golden.tokenizer()
    let ids = try tokenizer.encode("日🙂a", addSpecialTokens: false)
    var stream = tokenizer.streamDecoder()
    let parts = ids.map { stream.append($0) }
    #expect(parts.filter { !$0.isEmpty } == ["日", "🙂", "a"])
    // A byte that begins nothing is passed on at once, one that begins something at the end.
    let bytes = try "日".utf8.map { try #require(tokenizer.id(of: Self.piece($0))) }
    var broken = tokenizer.streamDecoder()
    #expect(broken.append(bytes[1]) == "\u{FFFD}")
    #expect(broken.append(bytes[0]) == "")
    #expect(broken.append(bytes[1]) == "")
    #expect(broken.finish() == "\u{FFFD}")
    #expect(broken.finish() == "")
  }

  @Test func streamsByteRuns() throws {
    let golden = try #require(Golden.tiny.first { $0.name == "tiny-llama" })
    let tokenizer = try golden.tokenizer()
    let ids = try ["<0xE6>", "<0x97>", "<0xA5>", "a", "<0xFF>", "<0x41>"].map {
      try #require(tokenizer.id(of: $0))
    }
    var stream = tokenizer.streamDecoder()
    #expect(ids.map { stream.append($0) } == ["", "", "", "日a", "", ""])
    #expect(stream.finish() == "\u{FFFD}\u{FFFD}")
  }

  /// The one-byte piece of a byte of UTF-8 beyond ASCII.
  private static func piece(_ byte: UInt8) -> String {
    let shifted: Set<UInt8> = Set(0x7F...0xA0).union([0xAD])
    guard shifted.contains(byte) else { return String(Unicode.Scalar(byte)) }
    let place = (UInt32(0x21)..<UInt32(byte)).filter {
      $0 >= 0x7F && ($0 <= 0xA0 || $0 == 0xAD)
    }.count
    // 33 control characters and the space come first.
    return String(Unicode.Scalar(0x100 + 33 + UInt32(place)) ?? "?")
  }

  /// Concurrent calls share one tokenizer and its word cache.
  @Test func isThreadSafe() async throws {
    let golden = try #require(Golden.tiny.first)
    let tokenizer = try golden.tokenizer()
    let texts = try Golden.texts().random
    let expected = try texts.map { try tokenizer.encode($0) }
    try await withThrowingTaskGroup(of: Bool.self) { group in
      for _ in 0..<4 {
        group.addTask { try texts.map { try tokenizer.encode($0) } == expected }
      }
      for try await isEqual in group { #expect(isEqual) }
    }
  }

  /// Words longer than the scan limit give what a run of the scan would: merges do not depend on the method.
  @Test func longAndShortWordsAgree() throws {
    let golden = try #require(Golden.tiny.first { $0.name == "tiny-unknown" })
    let tokenizer = try golden.tokenizer()
    let word = "the weaver's daughter".replacing(" ", with: "")
    for count in 1...12 {
      // Pieces never join across an unknown character, so the ids of parts are the ids of the whole.
      let text = Array(repeating: word, count: count).joined(separator: "\u{1}")
      let one = try tokenizer.encode(word, addSpecialTokens: false)
      let unknown = try tokenizer.encode("\u{1}", addSpecialTokens: false)
      let expected = Array(Array(repeating: one, count: count).joined(separator: unknown))
      #expect(try tokenizer.encode(text, addSpecialTokens: false) == expected)
    }
  }
}
