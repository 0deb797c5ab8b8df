package import IRCSupport

/// Name of a result: the hash of everything that it depends on.
///
/// Equal keys stand for equal results, so a key holds every input's content and every option, and nothing that does not matter,
/// such as paths.
package struct ContentKey: Hashable, Sendable {
  /// What the result is and the version of its form, such as `comparison-row 1`.
  package let kind: String
  /// The hash.
  package let digest: SHA256.Digest

  /// Hashes named parts; lengths go in with them, so that no two lists of parts look the same.
  ///
  /// - Parameters:
  ///   - kind: what the result is and the version of its form, in ASCII and at most 44 characters.
  ///   - parts: what it depends on, in a fixed order; files by their digests.
  package init(_ kind: String, _ parts: KeyValuePairs<String, String>) {
    var hash = SHA256()
    func add(_ text: String) {
      let bytes = Array(text.utf8)
      hash.add(Array("\(bytes.count):".utf8))
      hash.add(bytes)
    }
    add(kind)
    for (name, value) in parts {
      add(name)
      add(value)
    }
    self.kind = kind
    digest = hash.digest()
  }
}
