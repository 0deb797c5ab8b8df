/// A glob over names: `*` stands for any run of characters (dots included), `?` for one character.
public struct NamePattern: Hashable, Sendable, CustomStringConvertible {
  /// The glob as written.
  public let glob: String

  /// Takes the glob as written.
  public init(_ glob: String) {
    self.glob = glob
  }

  public var description: String { glob }

  /// True if the whole of `name` fits the glob; compares bytes, in time linear in both for each star.
  public func matches(_ name: String) -> Bool {
    let (pattern, text) = (Array(glob.utf8), Array(name.utf8))
    var (p, t) = (0, 0)
    var star: (pattern: Int, text: Int)?
    while t < text.count {
      if p < pattern.count, pattern[p] == UInt8(ascii: "*") {
        star = (p, t)
        p += 1
      } else if p < pattern.count, pattern[p] == UInt8(ascii: "?") || pattern[p] == text[t] {
        p += 1
        t += 1
      } else if let resume = star {
        star = (resume.pattern, resume.text + 1)
        p = resume.pattern + 1
        t = resume.text + 1
      } else {
        return false
      }
    }
    while p < pattern.count, pattern[p] == UInt8(ascii: "*") { p += 1 }
    return p == pattern.count
  }
}
