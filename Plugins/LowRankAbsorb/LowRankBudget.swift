/// Shares bits among layers.
struct LowRankBudget {
  /// Bits that all branches may take together.
  let bits: Double
  /// Bits that one more rank costs each layer.
  let costs: [Int]

  /// The rank of each layer, given what each of its ranks gains.
  ///
  /// Gains fall with the rank, so that taking the best gain for its bits first is the best choice but for the last few bits.
  func ranks(_ gains: [[Double]]) -> [Int] {
    var ranks = [Int](repeating: 0, count: gains.count)
    var room = bits
    while true {
      var best: (layer: Int, gain: Double)?
      for layer in gains.indices
      where ranks[layer] < gains[layer].count && Double(costs[layer]) <= room {
        let gain = gains[layer][ranks[layer]] / Double(costs[layer])
        if gain > 0, gain > best?.gain ?? 0 { best = (layer, gain) }
      }
      guard let best else { return ranks }
      ranks[best.layer] += 1
      room -= Double(costs[best.layer])
    }
  }
}
