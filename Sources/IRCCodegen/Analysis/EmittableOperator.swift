import IRCGraph

/// An operator that has a C template: an extension in `Templates/`.
protocol EmittableOperator: Operator {
  /// True if each row of the results depends on the same row of the run-time operands only, and on no state.
  var isTokenwise: Bool { get }
  /// True if the kernel can as well be called for one token after another: it reads no weights that would have to be read again
  /// for each.
  var isRowwise: Bool { get }

  /// Adds the statements of one operation.
  ///
  /// - Throws: `OperatorError` saying what of it is not supported.
  func emit(_ step: inout StepBuilder) throws

  /// How many of the multiplications of one token are of codes.
  func integerProducts(_ operands: [TensorType], _ results: [TensorType]) -> Int
}

extension EmittableOperator {
  var isTokenwise: Bool { true }
  var isRowwise: Bool { false }

  func integerProducts(_ operands: [TensorType], _ results: [TensorType]) -> Int { 0 }
}

extension Graph {
  /// The operations that run after all others and for only those tokens whose logits are asked for: what nothing but the first
  /// output depends on and needs nothing but its own token.
  func tail(constants: Set<ValueID>) -> Set<OperationID> {
    var needed = Set(nextStates.map(\.value))
    var tail: Set<OperationID> = []
    for operation in operations.reversed() where !(operation.op is any RuntimeLeaf) {
      if operation.results.allSatisfy(constants.contains) { continue }
      let isTokenwise = (operation.op as? any EmittableOperator)?.isTokenwise ?? false
      if isTokenwise && !operation.results.contains(where: needed.contains) {
        tail.insert(operation.id)
      } else {
        needed.formUnion(operation.operands)
      }
    }
    return tail
  }
}
