import Foundation
import IRCSupport
import IRCTestSupport
import IRCTokenizer
import Testing

/// Ids and texts equal those of the reference library, byte for byte.
@Suite("Golden ids")
struct GoldenTests {
  @Test(arguments: Golden.tiny)
  func small(_ golden: Golden) throws {
    try check(golden)
  }

  @Test(
    .enabled(if: Golden.isSharedThere, "needs shared/models and shared/data"),
    arguments: Golden.shared)
  func real(_ golden: Golden) throws {
    try check(golden)
  }

  private func check(_ golden: Golden) throws {
    let tokenizer = try golden.tokenizer()
    let expected = try golden.expected()
    let texts = try Golden.texts()
    #expect(try tokenizer.vocabularySize == expected["vocabulary"].int())
    let cases = try expected["cases"].array()
    try #require(cases.count == texts.tricky.count)
    for (text, entry) in zip(texts.tricky, cases) {
      let plain = try entry["ids"].ids()
      let full = try entry.optional("special")?.ids() ?? plain
      #expect(
        try tokenizer.encode(text, addSpecialTokens: false) == plain, "\(text.debugDescription)")
      #expect(try tokenizer.encode(text) == full, "\(text.debugDescription)")
      try check(tokenizer, full, entry, unlessGiven: text)
    }
    let random = try expected["random"].array()
    try #require(random.count == texts.random.count)
    for (text, hash) in zip(texts.random, random) {
      let ids = try tokenizer.encode(text, addSpecialTokens: false)
      #expect(try fnv(ids).hasPrefix(hash.string()), "\(text.debugDescription)")
    }
    for entry in try expected["decodings"].array() {
      try check(tokenizer, try entry["ids"].ids(), entry, unlessGiven: nil)
    }
  }

  /// The text of `ids`, decoded at once and as a stream, with and without special tokens.
  private func check(
    _ tokenizer: Tokenizer, _ ids: [Int32], _ entry: JSONValue, unlessGiven text: String?
  ) throws {
    for (key, skips) in [("decoded", false), ("skipped", true)] {
      let decoded = tokenizer.decode(ids, skipSpecialTokens: skips)
      var stream = tokenizer.streamDecoder(skipSpecialTokens: skips)
      var streamed = ids.map { stream.append($0) }.joined()
      streamed += stream.finish()
      #expect(Array(streamed.utf8) == Array(decoded.utf8), "\(ids)")
      let wanted = try entry.object()[key]
      // The reference gives up on some texts, which the file says with null.
      if wanted?.isNull == true { continue }
      let expected = try wanted?.string() ?? text ?? ""
      #expect(Array(decoded.utf8) == Array(expected.utf8), "\(ids), \(key)")
    }
  }

  @Test(
    .enabled(if: Golden.isSharedThere, "needs shared/models and shared/data"),
    arguments: Golden.shared)
  func longTexts(_ golden: Golden) throws {
    let tokenizer = try golden.tokenizer()
    let expected = try golden.expected()
    let emma = try String(
      contentsOfFile: Shared.data("novels/emma-part1.txt") ?? "", encoding: .utf8)
    var ids: [Int32] = []
    let time = try ContinuousClock().measure {
      ids = try tokenizer.encode(emma, addSpecialTokens: false)
    }
    print("\(golden.name): \(emma.utf8.count) bytes to \(ids.count) ids in \(time)")
    try check(ids, expected["emma"])
    try check(
      tokenizer.encode(String(emma.prefix(20_000)), addSpecialTokens: false), expected["emma_start"]
    )
    let stories = try stories().map { try tokenizer.encode($0, addSpecialTokens: false) }
    for (ids, entry) in zip(stories, try expected["stories"].array()) { try check(ids, entry) }
    try check(Array(stories.joined()), expected["all_stories"])
    let predicted = stories.reduce(0) { $0 + min(256, $1.count) }
    #expect(try predicted == expected["predicted"].int())
    // A third of a second alone; quadratic time would be minutes.
    #expect(time < .seconds(30), "took \(time)")
  }

  private func check(_ ids: [Int32], _ entry: JSONValue) throws {
    #expect(try ids.count == entry["count"].int())
    #expect(try Array(ids.prefix(8)) == entry["first"].ids())
    #expect(try Array(ids.suffix(8)) == entry["last"].ids())
    #expect(try fnv(ids) == entry["hash"].string())
  }

  /// The token counts that the PROVENANCE files give with their perplexities.
  @Test(
    .enabled(if: Golden.isSharedThere, "needs shared/models and shared/data"),
    arguments: [("stories260k", 83_610), ("tinystories-656k", 54_304)])
  func protocolCounts(_ name: String, _ predicted: Int) throws {
    let tokenizer = try Tokenizer(folder: Shared.model(name) ?? "")
    #expect(tokenizer.startID == 1)
    #expect(tokenizer.endID == 2)
    let counts = try stories().map {
      min(256, try tokenizer.encode($0, addSpecialTokens: false).count)
    }
    #expect(counts.reduce(0, +) == predicted)
  }
}
