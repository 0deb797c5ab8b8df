import CSHA256
import IRCSupport
import Testing

@Suite("SHA-256")
struct SHA256Tests {
  /// Messages of the examples that NIST publishes with FIPS 180-4.
  private static let published: [(message: String, digest: String)] = [
    ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    (
      "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
    ),
    (
      "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
      "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"
    ),
  ]

  @Test("Published messages give the published digests", arguments: published.indices)
  func examples(index: Int) {
    let (message, digest) = Self.published[index]
    #expect(SHA256.hash(message.utf8).description == digest)
  }

  @Test("A million letters a give the published digest")
  func million() {
    var hash = SHA256()
    for _ in 0..<1000 { hash.add([UInt8](repeating: 0x61, count: 1000)) }
    #expect(
      hash.digest().description
        == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")
  }

  @Test("The processor's instructions and portable C take blocks in alike")
  func instructions() {
    // Any constants show a difference between the two.
    let constants = (0..<64).map { UInt32(truncatingIfNeeded: $0 &* 0x9E37_79B9 &+ 0x7F4A_7C15) }
    let blocks = (0..<64 * 9).map { UInt8(truncatingIfNeeded: $0 &* 131 &+ $0 >> 3) }
    for count in [0, 1, 2, 9] {
      var state = (0..<8).map { UInt32(truncatingIfNeeded: $0 &* 0x85EB_CA6B &+ 1) }
      var portable = state
      irc_sha256_compress(&state, blocks, count, constants)
      irc_sha256_compress_portable(&portable, blocks, count, constants)
      #expect(state == portable, "\(count) blocks")
    }
  }

  @Test("Pieces give the digest of the whole, and a digest does not end the message")
  func pieces() {
    let bytes = (0..<300).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ 11) }
    for count in [0, 1, 54, 55, 56, 57, 63, 64, 65, 119, 120, 127, 128, 129, 300] {
      let whole = SHA256.hash(bytes.prefix(count))
      for piece in [1, 3, 63, 64, 65, 200] {
        var hash = SHA256()
        for start in stride(from: 0, to: count, by: piece) {
          hash.add(bytes[start..<min(count, start + piece)])
          _ = hash.digest()
        }
        #expect(hash.digest() == whole, "\(count) bytes in pieces of \(piece)")
      }
    }
  }
}
