public import IRCPassKit

extension MixedPrecision {
  /// With metrics that look at predictions a run of the network for each format of each layer, else one over the text; then one for
  /// the choice as a whole, and one for each single format.
  public func work(
    on graph: Graph, calibrationTokens tokens: Int, in context: PassContext
  ) throws -> PassWork {
    let layers = selectLayers(in: graph, context)
    if layers.isEmpty { return PassWork() }
    let specs = candidates(within: try budget(of: layers, in: graph), for: layers)
    let compared = min(tokens, self.tokens)
    var work = PassWork(networkTokens: compared * (specs.count + 2))
    switch metric.name {
    case "kl", "sqnr": work.networkTokens += compared * layers.count * specs.count
    default:
      let inputs = Set(layers.map(\.realInput)).sorted()
      work.measure(
        inputs.compactMap { graph.type(of: $0).shape.last?.fixed }, tokens: tokens, moments: true)
      work.isLeast = !["output-mse", "weighted-mse"].contains(metric.name)
    }
    let weights = layers.reduce(0) { $0 + $1.shape.reduce(1, *) }
    work.roundings = Double(specs.count) * Double(weights)
    // Logits as they were and as they are, and the real weights.
    work.hold(8 * compared * context.model.vocabularySize + 8 * weights)
    return work
  }
}
