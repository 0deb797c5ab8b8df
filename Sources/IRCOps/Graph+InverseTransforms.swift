public import IRCGraph

extension Graph {
  /// Removes transforms that the one right before undoes; returns how many pairs there were.
  ///
  /// `channel_scale` and its inverse by the same factors, `hadamard` and its transpose, `channel_matmul` by matrices that are said to
  /// be orthogonal and by their transposes. What is left is the value before the pair, without its two roundings.
  @discardableResult
  public mutating func foldInverseTransforms() -> Int {
    var pairs = 0
    // In order, so that a pair that falls out lets the ones around it meet.
    for id in operations.map(\.id) {
      let second = self[id]
      guard let middle = second.operands.first else { continue }
      let first = producer(of: middle)
      guard undoes(second, first) else { continue }
      replaceUses(of: second.result, with: first.operands[0])
      pairs += 1
    }
    if pairs > 0 { removeDeadOperations() }
    return pairs
  }

  /// True if `second`, which reads the result of `first`, gives what `first` reads.
  private func undoes(_ second: Operation, _ first: Operation) -> Bool {
    switch (first.op, second.op) {
    case (let a as HadamardTransform, let b as HadamardTransform):
      return a.inverse == b
    case (let a as ChannelScale, let b as ChannelScale):
      return a.axis == b.axis && a.isInverse != b.isInverse
        && isSame(first.operands[1], second.operands[1])
    case (let a as ChannelMatmul, let b as ChannelMatmul):
      return a.isOrthogonal && b.isOrthogonal && a.axis == b.axis && a.repeats == b.repeats
        && a.isTransposed != b.isTransposed && isSame(first.operands[1], second.operands[1])
    default:
      return false
    }
  }

  /// True if two values are one, or leaves that say the same.
  private func isSame(_ a: ValueID, _ b: ValueID) -> Bool {
    if a == b { return true }
    let (first, second) = (producer(of: a), producer(of: b))
    return first.operands.isEmpty && second.operands.isEmpty
      && AnyHashable(first.op) == AnyHashable(second.op)
  }
}
