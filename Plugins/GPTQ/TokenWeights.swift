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

  /// What the walk is to hand over for the layers that read `input`.
  func stop(for input: ValueID) -> CalibrationStop {
    switch importance {
    case .none: CalibrationStop([input])
    case .norm: CalibrationStop([input, graph.unnormalised(input)])
    case .attention:
      if let block = blocks[input], block.isFed {
        CalibrationStop(
          [input, graph.unnormalised(input)],
          ahead: Array(graph[block.attention].operands.prefix(2)))
      } else {
        CalibrationStop([input, graph.unnormalised(input)])
      }
    }
  }

  /// The weight of each token of each window; nil if they count alike.
  mutating func weights(for input: ValueID, _ values: CalibrationValues) throws -> [[Float]]? {
    if importance == .none { return nil }
    if importance == .attention, let id = blocks[input]?.attention {
      if let known = known[id] { return known }
      if let op = graph[id].op as? Attention, values.ahead.count == 2 {
        let (queries, keys) = (values.ahead[0], values.ahead[1])
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
    return try Parallel.map(vectors.count) { vectors[$0].rowNorms() }.map(normalised)
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

extension Graph {
  /// The attention of a layer's block.
  struct AttentionBlock {
    var attention: OperationID
    /// True if the layer computes what the attention reads.
    var isFed: Bool
  }

  /// For each input of linear layers, the attention of its block if there is one.
  func attentionBlocks() -> [ValueID: AttentionBlock] {
    let uses = uses()
    // By place in the graph's order, of which the latest is meant.
    var last: [ValueID: (place: Int, operation: OperationID)] = [:]
    for (place, operation) in operations.enumerated() {
      let found =
        operation.op is Attention
        ? (place, operation.id)
        : operation.operands.compactMap { last[$0] }.max { $0.place < $1.place }
      for result in operation.results { last[result] = found }
    }
    var blocks: [ValueID: AttentionBlock] = [:]
    for (operation, _) in self.operations(of: Linear.self) {
      let input = operation.operands[0]
      guard blocks[input] == nil else { continue }
      if let next = attention(after: input, uses) {
        blocks[input] = AttentionBlock(attention: next, isFed: true)
      } else if let before = last[input] {
        blocks[input] = AttentionBlock(attention: before.operation, isFed: false)
      }
    }
    return blocks
  }

  /// The attention that reads what layers make of `input`, with neither a layer nor a sum between.
  private func attention(
    after input: ValueID, _ uses: [ValueID: [(operation: OperationID, operand: Int)]]
  ) -> OperationID? {
    var open = (uses[input] ?? []).filter { self[$0.operation].op is Linear }
      .map { self[$0.operation].result }
    var seen: Set<ValueID> = []
    while let value = open.popLast() {
      guard seen.insert(value).inserted else { continue }
      for use in uses[value] ?? [] {
        let reader = self[use.operation]
        if reader.op is Attention { return reader.id }
        if !(reader.op is Linear || reader.op is Add) { open += reader.results }
      }
    }
    return nil
  }

  /// What a value was before roundings, rotations and a normalisation, which makes all vectors equally long.
  func unnormalised(_ value: ValueID) -> ValueID {
    var current = value
    while true {
      let producer = producer(of: current)
      switch producer.op {
      case is Dequantize, is Quantize, is HadamardTransform, is ChannelScale:
        current = producer.operands[0]
      case is RMSNorm, is LayerNorm: return producer.operands[0]
      default: return value
      }
    }
  }
}

extension Tensor {
  /// The length of each row of an f32 matrix.
  fileprivate func rowNorms() -> [Float] {
    unsafe withElements(as: Float.self) { elements in
      (0..<rows).map { row in
        var sum: Float = 0
        for column in 0..<columns {
          let value = unsafe elements[row * columns + column]
          sum += value * value
        }
        return sum.squareRoot()
      }
    }
  }
}
