public import IRCPassKit

extension MixedPrecision {
  /// What the metric takes, and a run of the network for the choice as a whole and for each single format.
  public func work(
    on graph: Graph, calibrationTokens tokens: Int, in context: PassContext
  ) throws -> PassWork {
    let layers = selectLayers(in: graph, context)
    if layers.isEmpty { return PassWork() }
    let specs = try formats(within: budget(of: layers, in: graph), for: layers, in: graph).specs
    let compared = min(tokens, self.tokens)
    var work = PassWork(networkTokens: compared * (specs.count + 2))
    work.add(
      try context.component(metric).work(
        of: layers, as: specs, in: graph, tokens: tokens, compared: compared))
    let weights = layers.reduce(0) { $0 + $1.shape.reduce(1, *) }
    work.roundings += Double(specs.count) * Double(weights)
    // Logits as they were and as they are, and the real weights.
    work.hold(8 * compared * context.model.vocabularySize + 8 * weights)
    return work
  }
}
