/// A rule for Make that says which files some outputs were made from, as `cc -MD -MP` writes them: Make and Ninja read it.
package struct DependencyFile {
  /// Paths that were written.
  package let targets: [String]
  /// Paths that were read.
  package let prerequisites: [String]

  /// Names the outputs and what they were made from.
  package init(targets: [String], prerequisites: [String]) {
    self.targets = targets
    self.prerequisites = prerequisites
  }

  /// The rule, and an empty one for each prerequisite, so that one which goes away is no error.
  package var text: String {
    var seen: Set<String> = []
    let prerequisites = prerequisites.map(Self.escaped).filter { seen.insert($0).inserted }
    let rule = targets.map(Self.escaped).joined(separator: " ") + ":"
    return ([rule] + prerequisites).joined(separator: " \\\n  ") + "\n"
      + prerequisites.map { "\n\($0):\n" }.joined()
  }

  /// A path with the characters that Make takes for its own.
  private static func escaped(_ path: String) -> String {
    path.reduce(into: "") { text, character in
      switch character {
      case " ", "#", "\\", ":": text += "\\\(character)"
      case "$": text += "$$"
      default: text.append(character)
      }
    }
  }
}
