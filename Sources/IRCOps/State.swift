public import IRCGraph

/// A value that lives from one run to the next; it starts as zeros, with dynamic extents of 0.
public struct State: StateLeaf {
  public static let name = "state"

  /// Name by which the value is bound.
  public let name: String
  /// Type between runs.
  public let type: TensorType

  /// Declares a state.
  public init(name: String, type: TensorType) {
    self.name = name
    self.type = type
  }
}
