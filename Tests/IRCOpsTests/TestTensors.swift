import IRCGraph
import IRCOps
import IRCTensor
import Testing

/// A tensor of real numbers in double precision.
func real(_ shape: [Int], _ values: [Double]) -> Tensor { Tensor(shape, values) }

/// Nearly normal numbers.
func random(_ shape: [Int], seed: UInt64, scale: Double = 1) -> Tensor {
  let numbers = RandomNumbers(seed: seed)
  return Tensor(shape, (0..<shape.reduce(1, *)).map { numbers.normal($0) * scale })
}

/// A tensor of whole numbers.
func ids(_ values: [Int32]) -> Tensor { Tensor([values.count], values) }

extension Tensor {
  /// All elements in double precision.
  var values: [Double] { converted(to: Double.self).array(of: Double.self) }

  /// The type that the graph gives such a tensor.
  var type: TensorType {
    TensorType(elementType == .f64 ? .f32 : elementType, shape.map(Dimension.fixed))
  }
}

/// Checks the shape rule, runs the operator, and checks that the results have the types that the rule says.
func run(
  _ op: any Operator, _ operands: [Tensor], _ precision: Precision = .double,
  parameters: any ParameterSource = NoParameters(),
  sourceLocation: SourceLocation = #_sourceLocation
) throws -> [Tensor] {
  let types = try op.resultTypes(operands.map(\.type))
  let operands = operands.map { $0.elementType.isFloat ? $0.converted(to: precision) : $0 }
  let results = try op.evaluate(
    operands, in: EvaluationContext(precision: precision, parameters: parameters))
  #expect(
    results.map { $0.converted(toGraph: precision).type } == types, sourceLocation: sourceLocation)
  return results
}

extension Tensor {
  /// Real tensors in double precision, so that `type` sees them as the graph does.
  fileprivate func converted(toGraph precision: Precision) -> Tensor {
    elementType == precision.elementType ? converted(to: .double) : self
  }
}

/// Checks that two tensors hold the same numbers up to `tolerance`, in relation to the largest.
func expectEqual(
  _ a: Tensor, _ b: Tensor, tolerance: Double = 1e-12, _ comment: String = "",
  sourceLocation: SourceLocation = #_sourceLocation
) {
  #expect(a.shape == b.shape, "\(comment)", sourceLocation: sourceLocation)
  guard a.shape == b.shape else { return }
  let difference = relativeDifference(a, b)
  #expect(
    difference <= tolerance, "\(comment) differs by \(difference)", sourceLocation: sourceLocation)
}

/// Largest difference in relation to the largest magnitude of `b`.
func relativeDifference(_ a: Tensor, _ b: Tensor) -> Double {
  let (left, right) = (a.values, b.values)
  let scale = right.reduce(0) { max($0, abs($1)) }
  var largest = 0.0
  for (x, y) in zip(left, right) where x != y {
    let difference = abs(x - y) / max(scale, 1e-300)
    largest = difference.isNaN ? .infinity : max(largest, difference)
  }
  return largest
}

/// The message with which the shape rule refuses these types; nil if it takes them.
func refusal(_ op: any Operator, _ types: [TensorType]) -> String? {
  do {
    _ = try op.resultTypes(types)
    return nil
  } catch {
    return error.message
  }
}

/// A real type with fixed extents.
func f32(_ shape: Int...) -> TensorType { TensorType(.f32, shape.map(Dimension.fixed)) }
