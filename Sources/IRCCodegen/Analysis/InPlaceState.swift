import IRCGraph
import IRCOps

extension StepBuilder {
  /// A state that the operation updates where it lies: operand `operand` is its value before, result `result` the one after.
  ///
  /// That is right only if nothing reads the old value later and if the result is what the state becomes.
  mutating func updatedState(_ operand: Int, becomes result: Int) throws -> RowValue {
    let old = operation.operands[operand]
    let new = operation.results[result]
    guard let state = graph.producer(of: old).op as? State, let value = values[old] else {
      throw OperatorError("operand \(operand) must be a state")
    }
    guard graph.nextStates.contains(where: { $0.name == state.name && $0.value == new }) else {
      throw OperatorError(
        "state '\(state.name)' does not become the result that is made from it, so it cannot be updated in place"
      )
    }
    let position = graph.operations.firstIndex { $0.id == operation.id } ?? 0
    let readsLater = graph.operations[(position + 1)...].contains { $0.operands.contains(old) }
    let readsTwice = operation.operands.filter { $0 == old }.count > 1
    if readsLater || readsTwice || graph.outputs.contains(where: { $0.value == old }) {
      throw OperatorError("the old value of state '\(state.name)' is still read after its update")
    }
    if graph.nextStates.filter({ $0.value == new }).count > 1 {
      throw OperatorError("state '\(state.name)' shares its next value with another one")
    }
    values[new] = value
    if !used.contains(value) { used.append(value) }
    // What grows gets new rows and keeps the others.
    if case .state = value.home { reads.append(value) }
    writes.append(value)
    return value
  }
}
