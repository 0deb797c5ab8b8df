public import IRCPassKit

extension LowRankAbsorb {
  /// Second moments of all inputs, if errors are measured by them, and as many decompositions as there may be rounds.
  public func work(
    on graph: Graph, calibrationTokens tokens: Int, in context: PassContext
  ) throws -> PassWork {
    var work = PassWork()
    let layers = try selectLayers(in: graph, context)
    if objective == .whitened {
      work.measure(layers.map(\.inputs), tokens: tokens, moments: true)
    }
    let rounds = Double(iterations + (budget == nil ? 0 : 1))
    for layer in layers {
      let weights = Double(layer.outputs) * Double(layer.inputs)
      work.decompose(layer.outputs, layer.inputs, times: 8 * rounds)
      if objective == .whitened {
        work.multiplyAdds += 2 * rounds * weights * Double(layer.inputs)
        work.decompose(layer.inputs, layer.inputs, times: 1)
      }
      work.roundings += rounds * weights
      // The weights, what is left of them, and their factors in double precision.
      work.hold(24 * layer.outputs * layer.inputs + 24 * layer.inputs * layer.inputs)
    }
    return work
  }
}
