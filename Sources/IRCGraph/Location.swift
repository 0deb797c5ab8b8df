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

  /// The place as messages name it: `checkpoint tensor 'a.weight', by fold-norm-gains, gptq`, with passes in the order in which they
  /// ran; nil if nothing is known.
  public var words: String? {
    var passes: [String] = []
    var place = self
    while case .pass(let instance, let from) = place {
      if passes.last != instance { passes.append(instance) }
      place = from
    }
    let makers = passes.isEmpty ? nil : "by \(passes.reversed().joined(separator: ", "))"
    let origin: String? =
      switch place {
      case .checkpoint(let name): "checkpoint tensor '\(name)'"
      case .text(let place): place.description
      case .unknown, .pass: nil
      }
    let parts = [origin, makers].compactMap { $0 }
    return parts.isEmpty ? nil : parts.joined(separator: ", ")
  }
}
