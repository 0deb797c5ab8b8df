import IRCPassKit

extension MixedPrecision {
  /// Indices of layers that share a format, as `tie_inputs` and `ties` say; each layer is in one group, and groups are in the order of
  /// their first layers.
  ///
  /// - Throws: `PassError` for a pattern of `ties` that matches no layer.
  func tiedGroups(of layers: [RoundedLinear]) throws -> [[Int]] {
    let names = layers.map(\.name)
    for pattern in ties.joined() { _ = try pattern.matches(among: names, of: "ties") }
    var groups = layers.indices.map { [$0] }
    func join(_ tied: [Int]) {
      guard tied.count > 1 else { return }
      let members = groups.filter { !Set($0).isDisjoint(with: tied) }
      groups.removeAll { !Set($0).isDisjoint(with: tied) }
      groups.append(members.joined().sorted())
    }
    if tieInputs {
      for tied in Dictionary(grouping: layers.indices, by: { layers[$0].realInput }).values {
        join(tied)
      }
    }
    for patterns in ties {
      join(layers.indices.filter { index in patterns.contains { $0.matches(layers[index].name) } })
    }
    return groups.sorted { $0[0] < $1[0] }
  }
}
