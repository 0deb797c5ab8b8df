public import IRCGraph
public import IRCTensor

/// A constant that needs no file: for tests, benchmarks and transforms.
public struct Generated: RowSource {
  public static let name = "generated"

  /// Where the elements come from.
  public enum Values: Hashable, Sendable {
    /// All the same.
    case splat(Double)
    /// Nearly normal numbers of mean 0 and deviation `scale`.
    case random(seed: UInt64, scale: Double)
    /// 0, 1, 2, …
    case iota
    /// Written out; at most 16.
    case inline([Double])
  }

  /// Extents.
  public let shape: [Int]
  /// Where the elements come from.
  public let values: Values

  /// Most elements that may be written out.
  public static let inlineLimit = 16

  /// Describes a constant.
  public init(shape: [Int], values: Values) {
    self.shape = shape
    self.values = values
  }

  public init(reading attributes: inout AttributeReader) {
    shape = attributes.ints("shape")
    values = attributes.custom(
      "values", "splat(x), random(seed, scale), iota or inline(…)", standIn: .iota, Values.init)
  }

  public var attributes: [(name: String, value: Attribute)] {
    [("shape", .list(shape.map(Attribute.int))), ("values", values.attribute)]
  }

  public func resultTypes(_ operands: [TensorType]) throws(OperatorError) -> [TensorType] {
    _ = try OperandCheck(operands, [])
    let type = try real(shape.map(Dimension.fixed))
    if case .inline(let elements) = values {
      let count = shape.reduce(1, *)
      guard elements.count == count, count <= Generated.inlineLimit else {
        throw OperatorError(
          "has \(elements.count) inline values, expected \(count) for shape \(shape) "
            + "and at most \(Generated.inlineLimit)")
      }
    }
    return [type]
  }

  /// Every axis of a constant may be rewritten, but a leaf ties none of them to another.
  public func invariance(_ operands: [TensorType]) -> InvarianceRule { .opaque }

  public func evaluate(_ operands: [Tensor], in context: EvaluationContext) throws -> [Tensor] {
    [make(shape, from: 0, context.precision)]
  }

  public func evaluate(rows: Range<Int>, in context: EvaluationContext) throws -> Tensor {
    let inner = Array(shape.dropFirst())
    return make([rows.count] + inner, from: rows.lowerBound * inner.reduce(1, *), context.precision)
  }

  private func make(_ shape: [Int], from first: Int, _ precision: Precision) -> Tensor {
    switch precision {
    case .single: make(shape, from: first, as: Float.self)
    case .double: make(shape, from: first, as: Double.self)
    }
  }

  private func make<Scalar: Real>(
    _ shape: [Int], from first: Int, as scalar: Scalar.Type
  ) -> Tensor {
    let count = shape.reduce(1, *)
    return unsafe makeTensor(shape, of: Scalar.self) { target in
      switch values {
      case .splat(let value):
        for index in 0..<count { unsafe target[index] = Scalar(value) }
      case .random(let seed, let scale):
        let numbers = RandomNumbers(seed: seed)
        for index in 0..<count {
          unsafe target[index] = Scalar(numbers.normal(first + index) * scale)
        }
      case .iota:
        for index in 0..<count { unsafe target[index] = Scalar(first + index) }
      case .inline(let elements):
        for index in 0..<count { unsafe target[index] = Scalar(elements[first + index]) }
      }
    }
  }
}

extension Generated.Values {
  init?(_ attribute: Attribute) {
    switch attribute {
    case .symbol("iota"):
      self = .iota
    case .call("splat", let items):
      guard items.count == 1, let value = items[0].finite else { return nil }
      self = .splat(value)
    case .call("random", let items):
      guard items.count == 2, case .int(let seed) = items[0], let scale = items[1].finite else {
        return nil
      }
      self = .random(seed: UInt64(bitPattern: Int64(seed)), scale: scale)
    case .call("inline", let items):
      let values = items.compactMap(\.finite)
      guard values.count == items.count else { return nil }
      self = .inline(values)
    default:
      return nil
    }
  }

  var attribute: Attribute {
    switch self {
    case .splat(let value): .call("splat", [.float(value)])
    case .random(let seed, let scale):
      .call("random", [.int(Int(Int64(bitPattern: seed))), .float(scale)])
    case .iota: .symbol("iota")
    case .inline(let values): .call("inline", values.map(Attribute.float))
    }
  }
}

extension Attribute {
  /// The finite number that the attribute holds.
  fileprivate var finite: Double? {
    switch self {
    case .int(let value): Double(value)
    case .float(let value) where value.isFinite: value
    default: nil
    }
  }
}
