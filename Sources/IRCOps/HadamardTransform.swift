public import IRCGraph
public import IRCTensor

/// Every run of `block` channels along an axis times R = diag(signs)·H / √block, or times Rᵀ: x' = x·R.
///
/// H is the Hadamard matrix of that order (`Hadamard`), the signs are random bits that `seed` names; both are the same for every
/// run. A fast transform: additions only, and no matrix in memory.
public struct HadamardTransform: Operator {
  public static let name = "hadamard"

  /// Which axis is transformed.
  public let axis: Int
  /// Channels that are mixed with each other.
  public let block: Int
  /// Names the random signs; nil for none.
  public let seed: Int?
  /// True for Rᵀ, which undoes R.
  public let isTransposed: Bool

  /// Describes the transform.
  public init(axis: Int, block: Int, seed: Int?, isTransposed: Bool = false) {
    self.axis = axis
    self.block = block
    self.seed = seed
    self.isTransposed = isTransposed
  }

  public init(reading attributes: inout AttributeReader) {
    axis = attributes.int("axis")
    block = attributes.int("block", in: 1...Int.max)
    seed = attributes.custom("seed", "a whole number or none", standIn: nil) {
      switch $0 {
      case .int(let value): .some(value)
      case .symbol("none"): .some(nil)
      default: nil
      }
    }
    isTransposed = attributes.bool("transposed")
  }

  public var attributes: [(name: String, value: Attribute)] {
    [
      ("axis", .int(axis)), ("block", .int(block)),
      ("seed", seed.map(Attribute.int) ?? .symbol("none")), ("transposed", .bool(isTransposed)),
    ]
  }

  /// The transform that undoes this one.
  public var inverse: HadamardTransform {
    HadamardTransform(axis: axis, block: block, seed: seed, isTransposed: !isTransposed)
  }

  public func resultTypes(_ operands: [TensorType]) throws(OperatorError) -> [TensorType] {
    let check = try OperandCheck(operands, ["x"])
    guard Hadamard(order: block) != nil else {
      throw OperatorError("there is no Hadamard matrix of order \(block)")
    }
    try check.channels(0, axis, "a multiple of block \(block)") { $0.isMultiple(of: block) }
    return [check[0]]
  }

  /// Linear in every other axis; along its own it lets nothing pass, since T and R change places only by chance.
  public func invariance(_ operands: [TensorType]) -> InvarianceRule {
    .elementwise(operands[0], .general, except: axis)
  }

  public func cost(_ operands: [TensorType], _ results: [TensorType]) -> Cost {
    let additions = Hadamard(order: block).map { hadamard in
      hadamard.bases.reduce(hadamard.power.trailingZeroBitCount, +)
    }
    return Cost(
      macs: saturatingProduct(operands[0].elementCount, additions ?? block), reading: operands,
      writing: results)
  }

  public var rowwiseOperands: [Int]? { axis == 0 ? nil : [0] }

  public func evaluate(_ operands: [Tensor], in context: EvaluationContext) throws -> [Tensor] {
    guard let rotation = HadamardRotation(order: block, seed: seed) else {
      throw OperatorError("there is no Hadamard matrix of order \(block)")
    }
    return [try rotation.apply(to: operands[0], axis: axis, isTransposed: isTransposed)]
  }
}
