public import IRCGraph
public import IRCTensor

/// A product of packed weights with a branch of low rank: what the product computes, plus hidden·upᵀ.
///
/// The branch is added last and summed as `linear_f32` sums, so that the kernel, which writes each number once, equals
/// the product, `linear` and `add` bit for bit.
public struct Branched<Product: StagedOperator>: StagedOperator {
  public static var name: String { "branched_" + Product.name }

  /// The product without the branch; its operands come first.
  public let product: Product

  /// Makes the operator.
  public init(_ product: Product) {
    self.product = product
  }

  public init(reading attributes: inout AttributeReader) {
    product = Product(reading: &attributes)
  }

  public var attributes: [(name: String, value: Attribute)] { product.attributes }
  public var earliestStage: Stage { .kernels }

  public func resultTypes(_ operands: [TensorType]) throws(OperatorError) -> [TensorType] {
    let type = try product.resultTypes(operands.dropLast(LowRankBranch.operandCount))[0]
    return [try LowRankBranch.resultType(type, operands)]
  }

  /// Weights are final once they are packed for kernels.
  public func invariance(_ operands: [TensorType]) -> InvarianceRule { .opaque }

  public func cost(_ operands: [TensorType], _ results: [TensorType]) -> Cost {
    let macs = product.cost(operands.dropLast(LowRankBranch.operandCount), results).macs
    return Cost(
      macs: macs + LowRankBranch.multiplications(operands), reading: operands, writing: results)
  }

  public func evaluate(_ operands: [Tensor], in context: EvaluationContext) throws -> [Tensor] {
    let main = try product.evaluate(operands.dropLast(LowRankBranch.operandCount), in: context)
    return try LowRankBranch.add(to: main, operands, in: context)
  }
}

/// `integer_linear` with a branch.
public typealias BranchedIntegerLinear = Branched<IntegerLinear>
/// `dequantizing_linear` with a branch.
public typealias BranchedDequantizingLinear = Branched<DequantizingLinear>
