import IRCGraph
import IRCTensor

/// The part of a branch that joins a product: hidden [T, rank] and up [out, rank], the last two operands, add hidden·upᵀ.
enum LowRankBranch {
  /// How many operands it has.
  static let operandCount = 2

  /// The type of a product with a branch, given that of the product.
  static func resultType(
    _ product: TensorType, _ operands: [TensorType]
  ) throws(OperatorError) -> TensorType {
    let check = try OperandCheck(Array(operands.suffix(operandCount)), ["hidden", "up"])
    try check.real(0, rank: product.rank...product.rank)
    try check.expect(
      0, check[0].shape.dropLast() == product.shape.dropLast(),
      "real values for each of the rows of \(product)")
    let (rank, outputs) = (check[0].shape[product.rank - 1], product.shape[product.rank - 1])
    try check.exactly(1, .f32, [outputs, rank])
    return product
  }

  /// Work of hidden·upᵀ.
  static func multiplications(_ operands: [TensorType]) -> Int {
    let parts = Array(operands.suffix(operandCount))
    return linearMultiplications(parts[0], parts[1])
  }

  /// product + hidden·upᵀ.
  static func add(
    to product: [Tensor], _ operands: [Tensor], in context: EvaluationContext
  ) throws -> [Tensor] {
    let branch = try Linear().evaluate(Array(operands.suffix(operandCount)), in: context)
    return try Add().evaluate(product + branch, in: context)
  }
}
