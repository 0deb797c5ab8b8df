import IRCPassKit

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
