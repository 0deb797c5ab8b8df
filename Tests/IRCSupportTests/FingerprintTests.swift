import IRCSupport
import Testing

@Suite struct FingerprintTests {
  private func fingerprint(_ text: String) -> String {
    Array(text.utf8).withUnsafeBytes { Fingerprinter.of($0).description }
  }

  /// The examples that NIST publishes for SHA-256.
  @Test func publishedExamples() {
    #expect(
      fingerprint("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    #expect(
      fingerprint("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    #expect(
      fingerprint("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")
        == "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1")
    #expect(
      fingerprint(String(repeating: "a", count: 1_000_000))
        == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")
  }

  /// Lengths around a block, cut at every place.
  @Test(arguments: [1, 55, 56, 63, 64, 65, 119, 128, 130])
  func piecesDoNotMatter(count: Int) {
    let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 37) }
    let whole = bytes.withUnsafeBytes { Fingerprinter.of($0) }
    for cut in 0...count {
      var hasher = Fingerprinter()
      hasher.add(Array(bytes[..<cut]))
      _ = hasher.finished()
      hasher.add(Array(bytes[cut...]))
      #expect(hasher.finished() == whole)
    }
    var longer = Fingerprinter()
    longer.add(bytes + [0])
    #expect(longer.finished() != whole)
  }

  @Test func textsKeepTheirBounds() {
    var (a, b) = (Fingerprinter(), Fingerprinter())
    for text in ["ab", "c"] { a.add(text) }
    for text in ["a", "bc"] { b.add(text) }
    #expect(a.finished() != b.finished())
  }
}
