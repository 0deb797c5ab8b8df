/// The lattice of groups: which elements two groups share.
extension TransformGroup {
  /// The largest group of this enumeration whose elements are in both.
  ///
  /// Exact wherever the intersection has a name here. Where it has none (complex pairs that are also sign flips, say), the
  /// result is smaller than the intersection, never larger, so that nothing illegal is admitted.
  public func intersection(_ other: TransformGroup) -> TransformGroup {
    if self == other { return self }
    switch (self, other) {
    case (.general, let group), (let group, .general): return group
    case (.blocks(let a, let m), .blocks(let b, let n)):
      // The coarser division, cut as finely as the other one.
      let (finer, coarser) = (max(m, n), min(m, n))
      guard finer.isMultiple(of: coarser) else { return .identity }
      return a.intersection(b).perBlock(finer)
    case (.blocks(let inner, let count), let group), (let group, .blocks(let inner, let count)):
      return group.isPaired ? .identity : inner.intersection(group).perBlock(count)
    default: break
    }
    if isPaired || other.isPaired { return pairedIntersection(other) }
    if let a = monomialPart, let b = other.monomialPart {
      return TransformGroup(a.intersection(b))
    }
    return .identity
  }

  /// True if every element of this group is in `other`.
  public func isSubgroup(of other: TransformGroup) -> Bool { intersection(other) == self }

  /// The same group in each of `count` blocks; one without a memory of blocks where they make no difference.
  private func perBlock(_ count: Int) -> TransformGroup {
    switch self {
    case .identity, .signs, .positiveDiagonal, .diagonal: self
    case .blocks(let inner, let finer): .blocks(of: inner, count: finer)
    default: count == 1 && !isPaired ? self : .blocks(of: self, count: count)
    }
  }

  // MARK: Pairs

  private var isPaired: Bool {
    switch self {
    case .complexPairs, .pairRotations, .pairScales: true
    default: false
    }
  }

  private func pairedIntersection(_ other: TransformGroup) -> TransformGroup {
    if other.isPaired && !isPaired { return other.pairedIntersection(self) }
    switch (self, other) {
    case (.complexPairs, .pairRotations), (.pairRotations, .complexPairs),
      (.complexPairs, .orthogonal), (.pairRotations, .orthogonal):
      return .pairRotations
    case (.complexPairs, .pairScales), (.pairScales, .complexPairs): return .pairScales
    case (.complexPairs, _), (.pairScales, _):
      // Factors of channels are factors of pairs if both channels of a pair have the same one.
      return other.monomialPart?.factors.holdsPositive == true && other != .orthogonal
        ? .pairScales : .identity
    default: return .identity
    }
  }

  // MARK: Groups of one entry in each row and column

  /// A group whose matrices have one entry in each row and column: whether it reorders, and which entries it takes.
  private struct Monomial {
    enum Factors {
      case one, sign, positive, nonzero

      var holdsPositive: Bool { self == .positive || self == .nonzero }

      func intersection(_ other: Factors) -> Factors {
        switch (self, other) {
        case (.nonzero, let factors), (let factors, .nonzero): factors
        case (.sign, .sign): .sign
        case (.positive, .positive): .positive
        default: .one
        }
      }
    }

    var reorders: Bool
    var factors: Factors

    func intersection(_ other: Monomial) -> Monomial {
      Monomial(
        reorders: reorders && other.reorders, factors: factors.intersection(other.factors))
    }
  }

  /// The elements with one entry in each row and column; nil for groups of pairs or blocks.
  private var monomialPart: Monomial? {
    switch self {
    case .identity: Monomial(reorders: false, factors: .one)
    case .permutation: Monomial(reorders: true, factors: .one)
    case .signs: Monomial(reorders: false, factors: .sign)
    case .signedPermutation, .orthogonal: Monomial(reorders: true, factors: .sign)
    case .positiveDiagonal: Monomial(reorders: false, factors: .positive)
    case .diagonal: Monomial(reorders: false, factors: .nonzero)
    case .positiveMonomial: Monomial(reorders: true, factors: .positive)
    case .monomial, .general: Monomial(reorders: true, factors: .nonzero)
    case .complexPairs, .pairRotations, .pairScales, .blocks: nil
    }
  }

  private init(_ monomial: Monomial) {
    switch (monomial.reorders, monomial.factors) {
    case (false, .one): self = .identity
    case (true, .one): self = .permutation
    case (false, .sign): self = .signs
    case (true, .sign): self = .signedPermutation
    case (false, .positive): self = .positiveDiagonal
    case (true, .positive): self = .positiveMonomial
    case (false, .nonzero): self = .diagonal
    case (true, .nonzero): self = .monomial
    }
  }
}
