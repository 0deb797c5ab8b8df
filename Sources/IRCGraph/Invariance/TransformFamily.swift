/// A family of transforms. Sites are looked for one family at a time, since what stops one lets another pass.
public enum TransformFamily: String, Hashable, Sendable, CaseIterable {
  /// Every channel becomes a combination of others: rotations, Hadamard and general matrices.
  case mixing
  /// The two channels of each rotary pair are combined.
  case pairing
  /// Every channel gets a factor.
  case scaling
  /// Channels change places.
  case permuting

  /// The elements of `group` that are of this family; nil if that is the identity alone.
  public func part(of group: TransformGroup) -> TransformGroup? {
    let part: TransformGroup
    switch (self, group) {
    case (.mixing, .general), (.mixing, .orthogonal), (.pairing, .general), (.pairing, .orthogonal),
      (.pairing, .complexPairs), (.pairing, .pairRotations), (.pairing, .pairScales):
      part = group
    case (_, .blocks(let inner, let count)):
      guard let inner = self.part(of: inner) else { return nil }
      part = TransformGroup.blocks(of: inner, count: count).intersection(.general)
        .intersection(self == .scaling ? .diagonal : .general)
    case (.mixing, _), (.pairing, _): return nil
    case (.scaling, .complexPairs), (.scaling, .pairScales): return nil
    case (.scaling, _):
      part = group.intersection(.diagonal)
      if part == .signs { return nil }
    case (.permuting, _): part = group.intersection(.permutation)
    }
    return part == .identity ? nil : part
  }
}
