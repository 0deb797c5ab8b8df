/// What became of one tensor of a checkpoint.
public struct TensorAccount: Hashable, Sendable {
  /// What a tensor is for.
  public enum Role: Hashable, Sendable {
    /// The graph reads it.
    case used
    /// Holds the same as another tensor, which the graph reads.
    case tied(to: String)
    /// The graph does without it, for this reason.
    case ignored(reason: String)
  }

  /// The tensor.
  public let tensor: StoredTensor
  /// What it is for.
  public let role: Role
}

/// What became of each tensor of a checkpoint, sorted by name: none is left out.
public struct TensorAccounting: Hashable, Sendable {
  /// One entry for each tensor.
  public let accounts: [TensorAccount]

  /// The tensors that the graph reads.
  public var used: [StoredTensor] { accounts.filter { $0.role == .used }.map(\.tensor) }
}
