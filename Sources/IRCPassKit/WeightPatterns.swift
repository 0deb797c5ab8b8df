public import IRCSupport

/// Which weights a pass is to change: globs over tensor names, as its options `include` and `exclude` say.
public struct WeightPatterns: Sendable {
  private let include: [NamePattern]
  private let exclude: [NamePattern]

  /// Takes the two options.
  public init(include: [NamePattern], exclude: [NamePattern]) {
    self.include = include
    self.exclude = exclude
  }

  /// Why a weight is left alone; nil if it is chosen.
  public func refusal(of name: String) -> String? {
    guard include.contains(where: { $0.matches(name) }) else {
      return "no 'include' pattern matches"
    }
    return exclude.first { $0.matches(name) }.map { "'exclude' pattern '\($0)' matches" }
  }

  /// Says how many weights each pattern matches, a sentence a pattern.
  ///
  /// - Throws: `PassError` for a pattern that matches none, which is a mistake, with the nearest name.
  public func countMatches(among names: [String]) throws -> [String] {
    var sentences: [String] = []
    for (option, patterns) in [("include", include), ("exclude", exclude)] {
      for pattern in patterns {
        let count = try pattern.matches(among: names, of: option)
        sentences.append(
          "'\(option)' pattern '\(pattern)' matches \(count) of \(names.count) weights")
      }
    }
    return sentences
  }
}

extension NamePattern {
  /// How many names of weights the pattern matches.
  ///
  /// - Parameter option: the key that it was written under, for the message.
  /// - Throws: `PassError` where that is none, which is a mistake, with the nearest name.
  public func matches(among names: [String], of option: String) throws -> Int {
    let count = names.count(where: matches)
    if count == 0 {
      throw PassError(
        "'\(option)' pattern '\(self)' matches none of \(names.count) weights",
        hint: nearestMatch(to: glob, in: names).map { "did you mean '\($0)'?" }
          ?? names.first.map { "names look like '\($0)'" })
    }
    return count
  }
}
