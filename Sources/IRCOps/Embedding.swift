public import IRCGraph
public import IRCTensor

/// The rows of a table [V, D] that the ids [T] name: [T, D].
public struct Embedding: PlainOperator, RealOperator {
  public static let name = "embedding"

  public init() {}

  public func resultTypes(_ operands: [TensorType]) throws(OperatorError) -> [TensorType] {
    let check = try OperandCheck(operands, ["ids", "table"])
    try check.expect(0, check[0].element == .i32 && check[0].rank == 1, "i32 values of rank 1")
    try check.real(1, rank: 2...2)
    return [try real([check[0].shape[0], check[1].shape[1]])]
  }

  /// (table·T)[ids] = table[ids]·T for any T.
  public func invariance(_ operands: [TensorType]) -> InvarianceRule {
    InvarianceRule(ties: [AxisTie([.operand(1, 1), .result(0, 1)], .general)])
  }

  /// Reads the named rows only.
  public func cost(_ operands: [TensorType], _ results: [TensorType]) -> Cost {
    Cost(macs: 0, reading: [operands[0], results[0]], writing: results)
  }

  public func evaluate<Scalar: Real>(
    _ operands: [Tensor], as scalar: Scalar.Type
  ) throws -> [Tensor] {
    let table = operands[1]
    let ids = try checkedIdentifiers(operands[0], below: table.shape[0])
    return [try gatherRows(ids, columns: table.columns, as: Scalar.self) { table.slice(rows: $0) }]
  }
}

/// The rows that ids name, of a table that is asked for by rows, so that it need not exist as a whole.
package func gatherRows<Scalar: Real>(
  _ ids: [Int32], columns: Int, as scalar: Scalar.Type, tableRows: (Range<Int>) throws -> Tensor
) throws -> Tensor {
  try unsafe makeTensor([ids.count, columns], of: Scalar.self) { target in
    for (token, id) in ids.enumerated() {
      let row = try tableRows(Int(id)..<Int(id) + 1)
      unsafe withPointers([row], as: Scalar.self) { source in
        unsafe (target + token * columns).update(from: source[0], count: columns)
      }
    }
  }
}

/// The ids as an array.
///
/// - Throws: `OperatorError` when one of them is not below `count`.
package func checkedIdentifiers(_ tensor: Tensor, below count: Int) throws -> [Int32] {
  let ids = integers(tensor)
  if let position = ids.firstIndex(where: { $0 < 0 || Int($0) >= count }) {
    throw OperatorError(
      "token id \(ids[position]) at position \(position) is outside the vocabulary of \(count)")
  }
  return ids
}
