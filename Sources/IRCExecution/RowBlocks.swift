public import IRCGraph
import IRCOps
public import IRCTensor
import Synchronization

/// Constants that are evaluated some rows (of the outermost axis) at a time.
///
/// An operation whose operator makes rows from rows (`Operator.rowwiseOperands`) runs on the rows alone; what it needs whole,
/// and whatever is not made row by row, is evaluated once and kept while this object lives. A value whose outermost extent
/// differs from that of the first value is given whole. Blocks may be asked for from several threads.
public final class RowBlocks: Sendable {
  /// Outermost extent of the first value.
  public let rows: Int
  /// True if no value is evaluated whole but those that others need whole.
  public let isRowwise: Bool
  private let evaluator: ConstantEvaluator
  private let values: [ValueID]
  private let steps: [Step]
  private let whole: [ValueID: Whole]

  /// An operation on the way, in order, with which of its operands are cut.
  private struct Step: Sendable {
    let operation: Operation
    let isCut: [Bool]
  }

  /// A value that is evaluated once.
  private final class Whole: Sendable {
    let tensor = Mutex<Tensor?>(nil)
  }

  init(_ evaluator: ConstantEvaluator, _ values: [ValueID]) {
    self.evaluator = evaluator
    self.values = values
    let graph = evaluator.graph
    let rows = values.first.flatMap { graph.type(of: $0).shape.first?.fixed } ?? 1
    self.rows = rows

    /// The operands that are cut when rows of the results are asked for; nil if the operation cannot run on rows.
    func cuts(_ operation: Operation) -> [Bool]? {
      if operation.op is any RowSource { return [] }
      guard let rowwise = operation.op.rowwiseOperands else { return nil }
      let type = graph.type(of: operation.result)
      var cuts = Array(repeating: false, count: operation.operands.count)
      for operand in rowwise where operand < cuts.count {
        let other = graph.type(of: operation.operands[operand])
        // A value of lower rank, or with a single row, is the same for every row.
        if other.rank < type.rank || other.shape.first == 1 && rows != 1 { continue }
        guard other.shape.first == type.shape.first else { return nil }
        cuts[operand] = true
      }
      return cuts
    }

    var steps: [OperationID: Step] = [:]
    var whole: [ValueID: Whole] = [:]
    var isRowwise = true
    var open: [ValueID] = []
    for value in values {
      if graph.type(of: value).shape.first == .fixed(rows) {
        open.append(value)
      } else {
        whole[value] = Whole()
      }
    }
    while let value = open.popLast() {
      let operation = graph.producer(of: value)
      if steps[operation.id] != nil || whole[value] != nil { continue }
      guard let isCut = cuts(operation) else {
        whole[value] = Whole()
        isRowwise = false
        continue
      }
      steps[operation.id] = Step(operation: operation, isCut: isCut)
      for (operand, cut) in zip(operation.operands, isCut) {
        if cut { open.append(operand) } else { whole[operand] = Whole() }
      }
    }
    self.isRowwise = isRowwise
    self.whole = whole
    self.steps = evaluator.inOrder(steps.values.map { ($0.operation, $0) })
  }

  /// The rows `range` of every value that has them, the whole value of the others.
  ///
  /// - Throws: `Diagnostic` naming the operation that failed.
  public func evaluate(rows range: Range<Int>) throws -> [Tensor] {
    precondition(range.lowerBound >= 0 && range.upperBound <= rows, "rows out of range")
    var blocks: [ValueID: Tensor] = [:]
    func block(_ value: ValueID, cut: Bool) throws -> Tensor {
      if cut, let block = blocks[value] { return block }
      let tensor = try wholeTensor(value)
      return cut ? tensor.slice(rows: range) : tensor
    }
    for step in steps {
      let results: [Tensor]
      if let source = step.operation.op as? any RowSource {
        do {
          results = [try source.evaluate(rows: range, in: evaluator.context)]
        } catch {
          throw step.operation.located(error)
        }
      } else {
        let operands = try zip(step.operation.operands, step.isCut).map(block)
        results = try step.operation.run(operands, in: evaluator.context)
      }
      for (value, tensor) in zip(step.operation.results, results) { blocks[value] = tensor }
    }
    return try values.map { value in
      try block(value, cut: evaluator.graph.type(of: value).shape.first == .fixed(rows))
    }
  }

  /// A value that is evaluated whole anyway, because others need it so or it is not made row by row; nil for others.
  ///
  /// - Throws: `Diagnostic` naming the operation that failed.
  public func wholeValue(_ value: ValueID) throws -> Tensor? {
    whole[value] == nil ? nil : try wholeTensor(value)
  }

  private func wholeTensor(_ value: ValueID) throws -> Tensor {
    guard let slot = whole[value] else { throw OperatorError("a constant has no value") }
    return try slot.tensor.withLock { tensor in
      if let tensor { return tensor }
      let made = try evaluator.evaluate([value])[0]
      tensor = made
      return made
    }
  }
}
