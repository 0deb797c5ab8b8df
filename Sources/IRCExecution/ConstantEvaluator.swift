import IRCGraph
import IRCOps
import IRCSupport
import IRCTensor

/// Evaluates constants of a graph, each operation once, freeing intermediate values after their last use.
struct ConstantEvaluator: Sendable {
  let graph: Graph
  let context: EvaluationContext
  private let positions: [OperationID: Int]

  init(_ graph: Graph, _ precision: Precision) {
    self.graph = graph
    context = EvaluationContext(precision: precision, parameters: graph.parameters)
    positions = Dictionary(uniqueKeysWithValues: graph.operations.enumerated().map { ($1.id, $0) })
  }

  /// The values of `values`; whatever `known` has is not computed again.
  ///
  /// Works through a list and not by recursion, so that no chain of operations is too long.
  func evaluate(
    _ values: [ValueID], known: (ValueID) -> Tensor? = { _ in nil }
  ) throws -> [Tensor] {
    var tensors: [ValueID: Tensor] = [:]
    var uses: [ValueID: Int] = [:]
    var needed: [OperationID: Operation] = [:]
    var open = values
    for value in values { uses[value, default: 0] += 1 }
    while let value = open.popLast() {
      if tensors[value] != nil { continue }
      if let tensor = known(value) {
        tensors[value] = tensor
        continue
      }
      let operation = graph.producer(of: value)
      guard needed.updateValue(operation, forKey: operation.id) == nil else { continue }
      for operand in operation.operands { uses[operand, default: 0] += 1 }
      open += operation.operands
    }
    for operation in inOrder(needed.values.map { ($0, $0) }) {
      try checkSizes(of: operation)
      let operands = operation.operands.compactMap { tensors[$0] }
      let results = try operation.run(operands, in: context)
      for (value, tensor) in zip(operation.results, results) where uses[value] != nil {
        tensors[value] = tensor
      }
      for operand in operation.operands {
        uses[operand, default: 0] -= 1
        if uses[operand] == 0 { tensors[operand] = nil }
      }
    }
    return values.compactMap { tensors[$0] }
  }

  /// Refuses a constant that no memory could hold.
  private func checkSizes(of operation: Operation) throws {
    for type in operation.results.map(graph.type(of:)) {
      let element = type.element == .f32 ? context.precision.elementType : type.element
      guard let shape = type.fixedShape, !(operation.op is Parameter) else { continue }
      do {
        try Tensor.checkSize(shape, element)
      } catch {
        throw operation.located(error)
      }
    }
  }

  /// Things that belong to operations, in the graph's order.
  func inOrder<Item>(_ items: [(Operation, Item)]) -> [Item] {
    items.map { (positions[$0.id, default: 0], $1) }.sorted { $0.0 < $1.0 }.map(\.1)
  }
}

extension Operation {
  /// Evaluates the operator; an error says which operation it was.
  func run(_ operands: [Tensor], in context: EvaluationContext) throws -> [Tensor] {
    do {
      guard operands.count == self.operands.count else {
        throw OperatorError("an operand has no value")
      }
      return try op.evaluate(operands, in: context)
    } catch {
      throw located(error)
    }
  }

  /// The error as a diagnostic that names this operation.
  func located(_ error: any Error) -> Diagnostic {
    let place = "operation \(title)"
    switch error {
    case var diagnostic as Diagnostic:
      diagnostic.notes.append("in \(place)")
      return diagnostic
    case let list as DiagnosticList where !list.diagnostics.isEmpty:
      var first = list.diagnostics[0]
      first.notes += list.diagnostics.dropFirst().map(\.message) + ["in \(place)"]
      return first
    default:
      return Diagnostic(
        "run.operation-failed", "\(place) cannot run: \(error)",
        hint: "'irc inspect' prints the graph; check the operands of this operation")
    }
  }
}
