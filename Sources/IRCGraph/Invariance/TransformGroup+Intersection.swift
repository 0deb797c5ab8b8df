/// The lattice of groups: which elements two groups share.
extension TransformGroup {
  /// The largest group of this enumeration whose elements are in both.
  ///
  /// Exact wherever the intersection has a name here. Where it has none (complex pairs that are also sign flips, say), the
  /// result is smaller than the intersection, never larger, so that nothing illegal is admitted.
  public func intersection(_ other: TransformGroup) -> TransformGroup {
    let (one, two) = (division, other.division)
    let (coarser, finer) = one.count <= two.count ? (one, two) : (two, one)
    guard coarser.count > 0, finer.count.isMultiple(of: coarser.count) else { return .identity }
    if coarser.inner.isPaired, finer.count > coarser.count {
      // The finer blocks tear the pairs apart, so that only what works on single channels is left.
      let isFree = finer.inner.monomialPart?.factors.holdsPositive == true
      return coarser.inner == .pairScales && isFree
        ? coarser.inner.perBlock(coarser.count) : .identity
    }
    return coarser.inner.undividedIntersection(finer.inner).perBlock(finer.count)
  }

  /// True if every element of this group is in `other`.
  public func isSubgroup(of other: TransformGroup) -> Bool { intersection(other) == canonical }

  /// The same group in its simplest form: blocks of blocks are finer blocks, and a division that makes no difference is left out.
  public var canonical: TransformGroup { division.inner.perBlock(division.count) }

  /// The group of each block, which has no blocks itself, and the number of blocks; 1 if these make no difference.
  private var division: (inner: TransformGroup, count: Int) {
    guard case .blocks(let inner, let count) = self else { return (self, 1) }
    let finer = inner.division
    return (finer.inner, finer.inner.isDiagonal ? 1 : finer.count * count)
  }

  /// The same group in each of `count` blocks.
  private func perBlock(_ count: Int) -> TransformGroup {
    count == 1 || isDiagonal ? self : .blocks(of: self, count: count)
  }

  /// True for a group that changes every channel by itself.
  private var isDiagonal: Bool {
    switch self {
    case .identity, .signs, .positiveDiagonal, .diagonal: true
    default: false
    }
  }

  /// The intersection of two groups without blocks.
  private func undividedIntersection(_ other: TransformGroup) -> TransformGroup {
    if self == other { return self }
    if self == .general { return other }
    if other == .general { return self }
    if isPaired || other.isPaired { return pairedIntersection(other) }
    if let a = monomialPart, let b = other.monomialPart {
      return TransformGroup(a.intersection(b))
    }
    return .identity
  }

  // MARK: Pairs

  /// True for a group of pairs of channels, the same or another element in each block.
  var isPaired: Bool {
    switch self {
    case .complexPairs, .pairRotations, .pairScales: true
    case .blocks(let inner, _): inner.isPaired
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
