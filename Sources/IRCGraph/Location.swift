public import IRCSupport

/// Where an operation comes from: a chain from the nearest cause to the farthest.
public indirect enum Location: Hashable, Sendable {
  /// Nothing is known.
  case unknown
  /// A tensor of the checkpoint, by name.
  case checkpoint(String)
  /// A place in a file that a user wrote.
  case text(SourceLocation)
  /// Made by a pass instance out of something that came from `from`.
  case pass(String, from: Location)

  /// The checkpoint tensor at the end of the chain, if there is one.
  public var checkpointName: String? {
    switch self {
    case .checkpoint(let name): name
    case .pass(_, let from): from.checkpointName
    case .unknown, .text: nil
    }
  }
}
