extension Graph {
  /// Adds an operation at the end, or just before `anchor`, and returns its results.
  ///
  /// - Throws: `OperatorError` when the operator refuses the operands' types.
  @discardableResult
  public mutating func add(
    _ op: any Operator, _ operands: [ValueID] = [], before anchor: OperationID? = nil,
    at location: Location = .unknown
  ) throws -> [ValueID] {
    let resultTypes = try op.resultTypes(operands.map(type(of:)))
    let id = OperationID(index: table.count)
    let results = resultTypes.enumerated().map { index, type in
      types.append(type)
      producers.append((id, index))
      readerCounts.append(0)
      return ValueID(index: types.count - 1)
    }
    for operand in operands { readerCounts[operand.index] += 1 }
    table.append(
      Operation(id: id, op: op, operands: operands, results: results, location: location))
    if let anchor, let position = order.firstIndex(of: anchor) {
      order.insert(id, at: position)
    } else {
      order.append(id)
    }
    return results
  }

  /// Names `value` as the graph's next output.
  public mutating func addOutput(_ name: String, _ value: ValueID) {
    outputs.append((name, value))
  }

  /// Lets the output of that name show another value.
  public mutating func setOutput(_ name: String, _ value: ValueID) {
    for index in outputs.indices where outputs[index].name == name { outputs[index].value = value }
  }

  /// Says which value the state `name` has after a run.
  public mutating func setNextState(_ name: String, _ value: ValueID) {
    if let index = nextStates.firstIndex(where: { $0.name == name }) {
      nextStates[index].value = value
    } else {
      nextStates.append((name, value))
    }
  }

  /// Removes an operation, be it an input or a state, which `removeDeadOperations` leaves. That nothing reads its results, no other
  /// operation, output or next state, is for the caller to see to: it is a precondition.
  public mutating func remove(_ id: OperationID) {
    let operation = self[id]
    let read = Set(outputs.map(\.value) + nextStates.map(\.value))
    precondition(
      operation.results.allSatisfy { readerCount(of: $0) == 0 && !read.contains($0) },
      "'\(operation.op.operatorName)' is still read")
    table[id.index] = nil
    order.removeAll { $0 == id }
    countReaders(of: operation.operands, replacedBy: [])
  }

  /// Makes an operation read `value` at one of its operand places.
  public mutating func setOperand(_ index: Int, of id: OperationID, to value: ValueID) {
    guard let old = table[id.index]?.operands[index] else { return }
    table[id.index]?.operands[index] = value
    countReaders(of: [old], replacedBy: [value])
  }

  private mutating func countReaders(of old: [ValueID], replacedBy new: [ValueID]) {
    for value in old { readerCounts[value.index] -= 1 }
    for value in new { readerCounts[value.index] += 1 }
  }

  /// Puts another operator, with other operands, in the place of one that makes results of the same types.
  ///
  /// - Throws: `OperatorError` when the operator refuses the operands or makes other results.
  public mutating func replace(
    _ id: OperationID, with op: any Operator, _ operands: [ValueID]
  ) throws {
    let made = try op.resultTypes(operands.map(type(of:)))
    let old = self[id].results.map(type(of:))
    guard made == old else {
      throw OperatorError(
        "replacing '\(self[id].op.operatorName)' would change types \(old) to \(made)")
    }
    countReaders(of: self[id].operands, replacedBy: operands)
    table[id.index]?.op = op
    table[id.index]?.operands = operands
  }

  /// Lets everything that reads `old`, outputs and next states included, read `new` instead.
  ///
  /// - Parameter keep: operations that go on reading `old`, such as the one that makes `new` from it.
  public mutating func replaceUses(
    of old: ValueID, with new: ValueID, except keep: Set<OperationID> = []
  ) {
    for id in order where !keep.contains(id) {
      guard let operands = table[id.index]?.operands else { continue }
      for (index, operand) in operands.enumerated() where operand == old {
        table[id.index]?.operands[index] = new
        countReaders(of: [old], replacedBy: [new])
      }
    }
    for index in outputs.indices where outputs[index].value == old { outputs[index].value = new }
    for index in nextStates.indices where nextStates[index].value == old {
      nextStates[index].value = new
    }
  }

  /// Removes every operation whose results nothing reads, except the inputs and states; returns how many.
  @discardableResult
  public mutating func removeDeadOperations() -> Int {
    var live = Set(outputs.map(\.value) + nextStates.map(\.value))
    var kept: [OperationID] = []
    for id in order.reversed() {
      guard let operation = table[id.index] else { continue }
      if operation.op is any RuntimeLeaf || operation.results.contains(where: live.contains) {
        live.formUnion(operation.operands)
        kept.append(id)
      } else {
        table[id.index] = nil
        countReaders(of: operation.operands, replacedBy: [])
      }
    }
    let removed = order.count - kept.count
    order = kept.reversed()
    return removed
  }

  /// Names values and operations anew, in the order in which they print, as the parser would.
  ///
  /// So what a pass is given does not tell how earlier passes came to it: a graph is what its text says.
  public mutating func renumber() {
    var numbered = Graph(name: name)
    (numbered.stage, numbered.facts, numbered.parameters) = (stage, facts, parameters)
    let operations = operations
    var values: [ValueID: ValueID] = [:]
    for (position, old) in operations.enumerated() {
      for (index, result) in old.results.enumerated() {
        values[result] = ValueID(index: numbered.types.count)
        numbered.types.append(type(of: result))
        numbered.producers.append((OperationID(index: position), index))
        numbered.readerCounts.append(readerCount(of: result))
      }
    }
    let read = operations.flatMap(\.operands) + nextStates.map(\.value) + outputs.map(\.value)
    // The verifier is to see a graph that reads what nothing makes as it is.
    guard read.allSatisfy({ values[$0] != nil }) else { return }
    func new(_ value: ValueID) -> ValueID { values[value, default: value] }
    for (position, old) in operations.enumerated() {
      let id = OperationID(index: position)
      numbered.table.append(
        Operation(
          id: id, op: old.op, operands: old.operands.map(new), results: old.results.map(new),
          location: old.location))
      numbered.order.append(id)
    }
    numbered.nextStates = nextStates.map { ($0.name, new($0.value)) }
    numbered.outputs = outputs.map { ($0.name, new($0.value)) }
    self = numbered
  }

  /// Merges operations that compute the same from the same operands; returns how many were merged.
  @discardableResult
  public mutating func mergeEqualOperations() -> Int {
    var first: [OperationKey: [ValueID]] = [:]
    // Operations come before those that read them, so one sweep renames what was merged.
    var kept: [ValueID: ValueID] = [:]
    var merged = 0
    for id in order {
      guard let operation = table[id.index] else { continue }
      let operands = operation.operands.map { kept[$0] ?? $0 }
      if operands != operation.operands {
        table[id.index]?.operands = operands
        countReaders(of: operation.operands, replacedBy: operands)
      }
      let key = OperationKey(op: AnyHashable(operation.op), operands: operands)
      if let earlier = first[key] {
        for (old, new) in zip(operation.results, earlier) { kept[old] = new }
        merged += 1
      } else {
        first[key] = operation.results
      }
    }
    for index in outputs.indices {
      if let value = kept[outputs[index].value] { outputs[index].value = value }
    }
    for index in nextStates.indices {
      if let value = kept[nextStates[index].value] { nextStates[index].value = value }
    }
    removeDeadOperations()
    return merged
  }
}

/// What makes two operations the same computation.
private struct OperationKey: Hashable {
  let op: AnyHashable
  let operands: [ValueID]
}
