import IRCSupport

/// What a label must hold: words that stand in it, as `int4 n=512`, or with `*` and `?`, a glob for all of it.
package struct CasePattern: Sendable {
  private let glob: NamePattern?
  private let words: [Substring]

  /// Takes the pattern as written.
  package init(_ text: String) {
    glob = text.contains("*") || text.contains("?") ? NamePattern(text) : nil
    words = text.split(separator: " ")
  }

  /// True if the label fits. A word fits a word of the label that it begins up to a `/`, so `int4` stands for groups of any size.
  package func matches(_ label: String) -> Bool {
    if let glob { return glob.matches(label) }
    let parts = label.split(separator: " ")
    return words.allSatisfy { word in
      parts.contains { $0 == word || $0.hasPrefix(word + "/") || $0.hasPrefix(word + "+") }
    }
  }
}
