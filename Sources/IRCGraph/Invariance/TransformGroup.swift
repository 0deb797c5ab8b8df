/// A group of invertible transforms of a channel axis: what an operator lets through without changing its function.
///
/// Architecture page, section 1. Larger groups come later in each chain identity ⊂ permutation ⊂ signedPermutation ⊂
/// orthogonal ⊂ general and identity ⊂ positiveDiagonal ⊂ diagonal ⊂ monomial ⊂ general.
public indirect enum TransformGroup: Hashable, Sendable, CustomStringConvertible {
  /// Only the identity.
  case identity
  /// Channel reorder.
  case permutation
  /// Sign flips.
  case signs
  /// Channel reorder with sign flips.
  case signedPermutation
  /// A positive factor for each channel.
  case positiveDiagonal
  /// A non-zero factor for each channel.
  case diagonal
  /// A permutation times a positive diagonal.
  case positiveMonomial
  /// A permutation times a diagonal.
  case monomial
  /// Rotations and reflections.
  case orthogonal
  /// One complex number for each rotary pair (channel i with channel i + half).
  case complexPairs
  /// One complex number of modulus 1 for each rotary pair: the rotations among `complexPairs`.
  case pairRotations
  /// One positive factor for each rotary pair.
  case pairScales
  /// A separate element of a group for each of `count` equal blocks.
  case blocks(of: TransformGroup, count: Int)
  /// Any invertible matrix.
  case general

  public var description: String {
    switch self {
    case .blocks(let group, let count): "blocks(\(group), \(count))"
    case .identity: "identity"
    case .permutation: "permutation"
    case .signs: "signs"
    case .signedPermutation: "signed-permutation"
    case .positiveDiagonal: "positive-diagonal"
    case .diagonal: "diagonal"
    case .positiveMonomial: "positive-monomial"
    case .monomial: "monomial"
    case .orthogonal: "orthogonal"
    case .complexPairs: "complex-pairs"
    case .pairRotations: "pair-rotations"
    case .pairScales: "pair-scales"
    case .general: "general"
    }
  }
}
