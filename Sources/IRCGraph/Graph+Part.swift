extension Graph {
  /// The part of the graph that `values` are computed from, to run it or to know it by its text.
  ///
  /// Values keep their identifiers, and the outputs "0", "1" … are `values` in their order. Inputs stay, since they bind
  /// dynamic extents; states that the values read stay, and keep what they hold. The name, facts and locations, which have no
  /// bearing on any value, are left out: two parts with equal text compute the same from equal parameters.
  public func part(computing values: [ValueID]) -> Graph {
    var part = Graph(name: "part")
    part.stage = stage
    part.parameters = parameters
    part.types = types
    part.producers = producers
    part.readerCounts = Array(repeating: 0, count: types.count)
    part.table = Array(repeating: nil, count: table.count)
    var needed = Set(values)
    for id in order.reversed() {
      guard var operation = table[id.index] else { continue }
      let isInput = operation.op is any RuntimeLeaf && !(operation.op is any StateLeaf)
      guard isInput || operation.results.contains(where: needed.contains) else { continue }
      needed.formUnion(operation.operands)
      operation.location = .unknown
      part.table[id.index] = operation
      for operand in operation.operands { part.readerCounts[operand.index] += 1 }
      part.order.append(id)
      if let state = operation.op as? any StateLeaf {
        part.nextStates.append((state.name, operation.result))
      }
    }
    part.order.reverse()
    part.nextStates.reverse()
    for (index, value) in values.enumerated() { part.addOutput("\(index)", value) }
    return part
  }
}
