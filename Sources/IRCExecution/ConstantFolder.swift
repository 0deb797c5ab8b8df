public import IRCGraph
import IRCSupport
public import IRCTensor

/// Evaluates constants of a graph, whole or a block of rows at a time.
///
/// Emission writes large tensors block by block, so that peak memory is a few blocks and not the model.
public struct ConstantFolder: Sendable {
  private let evaluator: ConstantEvaluator
  private let constants: Set<ValueID>

  /// Folds constants of `graph` in the given precision.
  public init(_ graph: Graph, precision: Precision = .single) {
    evaluator = ConstantEvaluator(graph, precision)
    constants = graph.constants()
  }

  /// The whole value of a constant.
  ///
  /// - Throws: `Diagnostic` when the value is no constant, or naming the operation that failed.
  public func fold(_ value: ValueID) throws -> Tensor {
    try fold([value])[0]
  }

  /// The whole values of several constants; what they share is computed once.
  public func fold(_ values: [ValueID]) throws -> [Tensor] {
    try check(values)
    return try evaluator.evaluate(values)
  }

  /// Prepares to evaluate constants some rows at a time; what they share is computed once for each block.
  public func rows(of values: [ValueID]) throws -> RowBlocks {
    try check(values)
    return RowBlocks(evaluator, values)
  }

  /// Some rows of a constant.
  public func fold(_ value: ValueID, rows range: Range<Int>) throws -> Tensor {
    try rows(of: [value]).evaluate(rows: range)[0]
  }

  /// Evaluates constants a block of rows at a time, in order, and gives each block to `body` with its range of rows.
  public func forEachRowBlock(
    of values: [ValueID], rowsPerBlock: Int, _ body: (Range<Int>, [Tensor]) throws -> Void
  ) throws {
    let blocks = try rows(of: values)
    for start in stride(from: 0, to: blocks.rows, by: max(1, rowsPerBlock)) {
      let range = start..<min(blocks.rows, start + max(1, rowsPerBlock))
      try body(range, blocks.evaluate(rows: range))
    }
  }

  private func check(_ values: [ValueID]) throws {
    for value in values where !constants.contains(value) {
      let producer = evaluator.graph.producer(of: value)
      throw Diagnostic(
        "run.not-constant",
        "the result of operation \(producer.title) depends on "
          + "inputs or states and cannot be folded",
        hint: "only values made from parameters and generated constants can be folded")
    }
  }
}
