public import IRCGraph
public import IRCTensor

/// A tensor of the checkpoint, or one that a pass computed, read when it is needed.
///
/// Values stored as f32 are used where they are mapped; f16 and bf16 are widened, exactly. Whole numbers (i32, and i8 for codes)
/// stay such.
public struct Parameter: RowSource, NamedConstant {
  public static let name = "param"

  /// Name in the checkpoint or among the derived tensors.
  public let name: String
  /// Extents.
  public let shape: [Int]
  /// Type of the stored elements.
  public let stored: ElementType
  /// True if whoever made the tensor chose its precision, so that passes that give formats to weights leave it alone.
  public let isKeptReal: Bool

  /// Refers to a tensor.
  public init(name: String, shape: [Int], stored: ElementType, isKeptReal: Bool = false) {
    self.name = name
    self.shape = shape
    self.stored = stored
    self.isKeptReal = isKeptReal
  }

  public init(reading attributes: inout AttributeReader) {
    name = attributes.string("name")
    shape = attributes.ints("shape")
    stored = attributes.custom("stored", "f16, bf16, f32, f64, i32 or i8", standIn: .f32) {
      if case .symbol(let word) = $0 { ElementType(rawValue: word) } else { nil }
    }
    isKeptReal = attributes.bool("kept_real", default: false)
  }

  public var attributes: [(name: String, value: Attribute)] {
    [
      ("name", .string(name)), ("shape", .list(shape.map(Attribute.int))),
      ("stored", .symbol(stored.rawValue)),
    ] + (isKeptReal ? [("kept_real", .bool(true))] : [])
  }

  public func resultTypes(_ operands: [TensorType]) throws(OperatorError) -> [TensorType] {
    _ = try OperandCheck(operands, [])
    guard stored.isFloat || stored == .i32 || stored == .i8 else {
      throw OperatorError(
        "'\(name)' is stored as \(stored.rawValue), expected f16, bf16, f32, f64, i32 or i8")
    }
    return [
      try TensorType(stored.isFloat ? .f32 : stored, shape.map(Dimension.fixed)).checked()
    ]
  }

  /// Every axis of a constant may be rewritten, but a leaf ties none of them to another.
  public func invariance(_ operands: [TensorType]) -> InvarianceRule { .opaque }

  public func evaluate(_ operands: [Tensor], in context: EvaluationContext) throws -> [Tensor] {
    [try inGraph(storedTensor(in: context), context)]
  }

  public func evaluate(rows: Range<Int>, in context: EvaluationContext) throws -> Tensor {
    try inGraph(storedTensor(in: context).slice(rows: rows), context)
  }

  private func inGraph(_ tensor: Tensor, _ context: EvaluationContext) -> Tensor {
    stored.isFloat ? tensor.converted(to: context.precision) : tensor
  }

  private func storedTensor(in context: EvaluationContext) throws -> Tensor {
    let tensor = try context.parameters.tensor(named: name)
    guard tensor.shape == shape, tensor.elementType == stored else {
      throw OperatorError(
        "'\(name)' in the checkpoint is \(tensor.elementType.rawValue)\(tensor.shape), "
          + "expected \(stored.rawValue)\(shape)")
    }
    return tensor
  }
}
