public import IRCGraph

/// What an instance of a pass needs of the facts that hold before it, and what holds after it.
public struct PassEffects: Sendable {
  /// Facts that must hold before it runs.
  public var requires: [Fact]
  /// Facts that must not hold before it runs, since it would undo what they stand for.
  public var conflicts: [FactConflict]
  /// Facts that hold after it ran.
  public var establishes: [Fact]
  /// Earlier facts that still hold after it ran; all others are dropped.
  public var preserves: FactSelection

  /// States the effects.
  public init(
    requires: [Fact] = [], conflicts: [FactConflict] = [], establishes: [Fact] = [],
    preserves: FactSelection = .all
  ) {
    self.requires = requires
    self.conflicts = conflicts
    self.establishes = establishes
    self.preserves = preserves
  }
}

/// Something that was made true of a graph and that a pass would make untrue.
public struct FactConflict: Sendable {
  /// The fact.
  public var fact: Fact
  /// What the pass would do to it, as the end of a sentence that begins with the pass's name.
  public var reason: String
  /// What to do about it, where another order would not help; nil: run it before the fact is established.
  public var hint: String?

  /// States the conflict.
  public init(_ fact: Fact, _ reason: String, hint: String? = nil) {
    self.fact = fact
    self.reason = reason
    self.hint = hint
  }
}

/// Facts, named one by one or all of them.
public enum FactSelection: Sendable {
  case all
  case only([Fact])
  case except([Fact])

  /// Those of `facts` that are selected.
  public func selected(of facts: Set<Fact>) -> Set<Fact> {
    switch self {
    case .all: facts
    case .only(let list): facts.intersection(list)
    case .except(let list): facts.subtracting(list)
    }
  }
}
