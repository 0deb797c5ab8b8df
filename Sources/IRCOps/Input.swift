public import IRCGraph

/// A value that the caller gives to each run, such as the token ids.
public struct Input: RuntimeLeaf {
  public static let name = "input"

  /// Name by which the value is bound.
  public let name: String
  /// Type that the caller promises.
  public let type: TensorType

  /// Declares an input.
  public init(name: String, type: TensorType) {
    self.name = name
    self.type = type
  }
}
