public import IRCGraph
public import IRCTensor

/// A constant leaf that can make some of its rows without making the others.
public protocol RowSource: Operator {
  /// The rows `rows` of the result, in the precision of `context`.
  ///
  /// - Precondition: the result has rank 1 or more and the range lies within its first extent.
  func evaluate(rows: Range<Int>, in context: EvaluationContext) throws -> Tensor
}

extension RowSource {
  public var rowwiseOperands: [Int]? { [] }
}
