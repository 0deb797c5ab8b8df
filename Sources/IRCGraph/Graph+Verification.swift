public import IRCSupport

extension Graph {
  /// Everything that is wrong with the graph: types, order, states and stage.
  ///
  /// Runs after every pass; a failure there is the pass's.
  public func verify() -> [Diagnostic] {
    var problems: [Diagnostic] = []
    func report(_ message: String, _ operation: Operation?) {
      let place = operation.map { "operation \($0.title): " }
      problems.append(Diagnostic("ir.invalid", (place ?? "") + message))
    }

    var defined: Set<ValueID> = []
    var leaves: Set<String> = []
    for operation in operations {
      for (index, operand) in operation.operands.enumerated() where !defined.contains(operand) {
        report("operand \(index) is used before it is made", operation)
      }
      do {
        let expected = try operation.op.resultTypes(operation.operands.map(type(of:)))
        let actual = operation.results.map(type(of:))
        if expected != actual {
          report("has results \(actual), should have \(expected)", operation)
        }
      } catch {
        report(error.message, operation)
      }
      if let leaf = operation.op as? any RuntimeLeaf,
        !leaves.insert("\(leaf.operatorName) \(leaf.name)").inserted
      {
        report("'\(leaf.name)' is declared twice", operation)
      }
      if let staged = operation.op as? any StagedOperator,
        stage.rank < staged.earliestStage.rank
      {
        report("is not allowed in stage '\(stage.rawValue)'", operation)
      }
      defined.formUnion(operation.results)
    }

    for (name, value) in outputs where !defined.contains(value) {
      report("output '\(name)' names a value that nothing makes", nil)
    }
    let states = operations.filter { $0.op is any StateLeaf }
    for (name, value) in nextStates {
      guard defined.contains(value) else {
        report("next state '\(name)' names a value that nothing makes", nil)
        continue
      }
      guard let state = states.first(where: { ($0.op as? any StateLeaf)?.name == name }) else {
        report("next state '\(name)' has no state operation", nil)
        continue
      }
      let (before, after) = (type(of: state.result), type(of: value))
      if !before.canBecome(after) {
        report("state '\(name)' of type \(before) cannot become \(after)", state)
      }
    }
    for state in states {
      if let leaf = state.op as? any StateLeaf,
        !nextStates.contains(where: { $0.name == leaf.name })
      {
        report("state '\(leaf.name)' has no next value", state)
      }
    }
    return problems
  }
}

/// An operator that reads a value which lives from one run to the next.
public protocol StateLeaf: RuntimeLeaf {}

/// An operator that appears only from some stage on.
public protocol StagedOperator: Operator {
  /// The first stage that allows it.
  var earliestStage: Stage { get }
}

extension Stage {
  var rank: Int { Stage.allCases.firstIndex(of: self) ?? 0 }
}

extension TensorType {
  /// True if a state of this type may have `next` as its next value: equal, but for dynamic extents that grow.
  func canBecome(_ next: TensorType) -> Bool {
    guard element == next.element, rank == next.rank else { return false }
    return zip(shape, next.shape).allSatisfy { before, after in
      before == after || (!before.names.isEmpty && before.names.allSatisfy(after.names.contains))
    }
  }
}
