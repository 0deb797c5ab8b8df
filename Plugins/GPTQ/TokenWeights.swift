public import IRCPassKit

/// Which tokens count more in a second moment.
public enum TokenImportance: String, PassOptionChoice {
  /// All alike.
  case none
  /// Those that get attention in the layer's block.
  case attention
  /// Those whose vector is long.
  case norm
}

/// Weights of tokens in the second moments of their inputs (RSQ, arXiv 2503.01820, section 3).
///
/// The block of a layer is told from the graph: it belongs to the attention that reads what it computes, with no other linear
/// layer between, else to the last attention that its input depends on.
struct TokenWeights {
  private let importance: TokenImportance
  private let least: Float
  private let graph: Graph
  private let context: PassContext
  private var blocks: [ValueID: Graph.AttentionBlock] = [:]
  /// What was found at an attention's first stop; of each window.
  private var known: [OperationID: [[Float]]] = [:]

  init(
    _ importance: TokenImportance, least: Double, in graph: Graph, _ context: PassContext
  ) {
    self.importance = importance
    self.least = Float(least)
    self.graph = graph
    self.context = context
    if importance == .attention { blocks = graph.attentionBlocks() }
  }

  /// What the walk is to hand over for the layers that read each of `inputs`, which are in the order of the graph.
  mutating func stops(for inputs: [ValueID]) -> [CalibrationStop] {
    // Queries and keys are looked at where they are about to be computed with weights that are still real; in a block whose
    // layers for them are not rounded, at the first layer behind them.
    var seen = Set(inputs.compactMap { blocks[$0] }.filter(\.isFed).map(\.attention))
    return inputs.map { input in
      switch importance {
      case .none: return CalibrationStop([input])
      case .norm: return CalibrationStop([input, graph.unnormalised(input)])
      case .attention:
        let vectors = [input, graph.unnormalised(input)]
        guard let block = blocks[input] else { return CalibrationStop(vectors) }
        let pair = Array(graph[block.attention].operands.prefix(2))
        if block.isFed { return CalibrationStop(vectors, ahead: pair) }
        return CalibrationStop(seen.insert(block.attention).inserted ? vectors + pair : vectors)
      }
    }
  }

  /// The weight of each token of each window; nil if they count alike.
  mutating func weights(for input: ValueID, _ values: CalibrationValues) throws -> [[Float]]? {
    if importance == .none { return nil }
    if importance == .attention, let id = blocks[input]?.attention {
      if let known = known[id] { return known }
      let pair = values.ahead.isEmpty ? Array(values.values.dropFirst(2)) : values.ahead
      if let op = graph[id].op as? Attention, pair.count == 2 {
        let (queries, keys) = (pair[0], pair[1])
        let found = try Parallel.map(queries.count) {
          try op.concentration(queries[$0], keys[$0])
        }.map(normalised)
        known[id] = found
        return found
      }
    }
    if importance == .attention {
      context.remark(
        GPTQ.plainNorms, at: graph.producer(of: input).location,
        "no attention goes with what is computed here; tokens are weighed by norms")
    }
    let vectors = values.values.count > 1 ? values.values[1] : values.values[0]
    return try Parallel.map(vectors.count) { vectors[$0].rowNorms }.map(normalised)
  }

  /// Scores brought to the range from the least weight to 1, and then to a mean of 1.
  private func normalised(_ scores: [Float]) -> [Float] {
    let finite = scores.filter(\.isFinite)
    guard let low = finite.min(), let high = finite.max(), high - low > 1e-3 * high else {
      return scores.map { _ in 1 }
    }
    let weights = scores.map {
      $0.isFinite ? least + (1 - least) * (($0 - low) / (high - low)) : least
    }
    let mean = weights.reduce(0, +) / Float(weights.count)
    return mean > 0 ? weights.map { $0 / mean } : scores.map { _ in 1 }
  }
}
