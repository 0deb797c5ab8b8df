public import IRCTensor

/// One kind of computation with its attributes; the graph adds operands and results.
///
/// An operator is one file in `IRCOps`: everything the compiler knows about it is here. Operators are pure: results
/// depend on operands and attributes only.
public protocol Operator: Sendable, Hashable {
  /// Name in the textual IR, such as `rms_norm`.
  static var name: String { get }

  /// Reads the attributes that `attributes` writes.
  init(reading attributes: inout AttributeReader)

  /// The attributes in the order in which they print.
  var attributes: [(name: String, value: Attribute)] { get }

  /// Types of the results.
  ///
  /// - Throws: `OperatorError` that says which operand does not fit.
  func resultTypes(_ operands: [TensorType]) throws(OperatorError) -> [TensorType]

  /// What happens when channel axes are transformed (architecture page, section 1).
  func invariance(_ operands: [TensorType]) -> InvarianceRule

  /// A change of the operator that lets channel factors pass; nil if there is none or none is needed.
  func adaptation(_ operands: [TensorType]) -> Adaptation?

  /// Work for fixed extents.
  func cost(_ operands: [TensorType], _ results: [TensorType]) -> Cost

  /// Reference semantics: computes the results, in the precision of `context`.
  func evaluate(_ operands: [Tensor], in context: EvaluationContext) throws -> [Tensor]

  /// Result axis 0 is computed row by row from the rows of these operands; the other operands are needed whole. Nil: not so.
  ///
  /// Lets emission fold a constant a block of rows at a time.
  var rowwiseOperands: [Int]? { get }
}

extension Operator {
  /// Name in the textual IR, of an operator whose kind is not known statically.
  public var operatorName: String { Self.name }

  public var attributes: [(name: String, value: Attribute)] { [] }
  public var rowwiseOperands: [Int]? { nil }
  public func adaptation(_ operands: [TensorType]) -> Adaptation? { nil }

  /// Reads and writes every value once and multiplies nothing.
  public func cost(_ operands: [TensorType], _ results: [TensorType]) -> Cost {
    Cost(macs: 0, reading: operands, writing: results)
  }
}

/// An operator whose attributes are none.
public protocol PlainOperator: Operator {
  /// Makes the operator.
  init()
}

extension PlainOperator {
  public init(reading attributes: inout AttributeReader) {
    self.init()
  }
}

/// Precision in which a graph runs.
public enum Precision: Sendable {
  case single, double

  /// Element type of real values.
  public var elementType: ElementType { self == .single ? .f32 : .f64 }
}

/// In which order sums of real products are taken in single precision, where rounding lets that show.
public enum SumOrder: Sendable {
  /// In any: whatever is fastest.
  case any
  /// In that of the kernels that a compiled model runs, so that every bit is the same.
  case kernels
}

/// What an operator may see besides its operands.
public struct EvaluationContext: Sendable {
  /// Precision of real operands and results.
  public var precision: Precision
  /// Order of the sums of matrix products.
  public var sums: SumOrder
  /// Where parameters find their values.
  public var parameters: any ParameterSource

  /// Makes a context.
  public init(
    precision: Precision, parameters: any ParameterSource, sums: SumOrder = .any
  ) {
    self.precision = precision
    self.parameters = parameters
    self.sums = sums
  }
}

/// Gives the values of checkpoint tensors, lazily.
public protocol ParameterSource: Sendable {
  /// The tensor as stored, mapped and not converted.
  ///
  /// - Throws: `Diagnostic` when there is no such tensor.
  func tensor(named name: String) throws -> Tensor

  /// Path of the file that holds the tensor, for messages; nil when there is none.
  func file(of name: String) -> String?
}

extension ParameterSource {
  public func file(of name: String) -> String? { nil }
}

/// A source without any tensor, for graphs whose constants are all generated.
public struct NoParameters: ParameterSource {
  /// Makes the empty source.
  public init() {}

  public func tensor(named name: String) throws -> Tensor {
    throw OperatorError("no weights are attached to this graph, so '\(name)' has no value")
  }
}

/// An operator that runs in either precision from one generic body.
public protocol RealOperator: Operator {
  /// Reference semantics in the precision `Scalar`; real operands and results have that element type.
  func evaluate<Scalar: Real>(_ operands: [Tensor], as scalar: Scalar.Type) throws -> [Tensor]
}

extension RealOperator {
  @inlinable
  public func evaluate(_ operands: [Tensor], in context: EvaluationContext) throws -> [Tensor] {
    switch context.precision {
    case .single: try evaluate(operands, as: Float.self)
    case .double: try evaluate(operands, as: Double.self)
    }
  }
}

/// Why an operator refuses its operands.
public struct OperatorError: Error, Hashable, Sendable, CustomStringConvertible {
  /// One sentence without a full stop.
  public let message: String

  /// Makes the error.
  public init(_ message: String) {
    self.message = message
  }

  public var description: String { message }
}

/// Work of one operation.
public struct Cost: Hashable, Sendable {
  /// Multiply-accumulates.
  public var macs: Int
  /// Bytes read and written, each value once.
  public var bytes: Int

  /// Makes a cost from numbers.
  public init(macs: Int, bytes: Int) {
    self.macs = macs
    self.bytes = bytes
  }

  /// Work that touches each of these values once; dynamic extents count as 1.
  public init(macs: Int, reading operands: [TensorType], writing results: [TensorType]) {
    self.macs = macs
    bytes = (operands + results).reduce(0) { $0 + $1.elementCount * $1.element.byteCount }
  }
}

extension TensorType {
  /// Number of elements, with dynamic extents counted as 1.
  public var elementCount: Int {
    shape.reduce(1) { $0 * ($1.fixed ?? max(1, $1.constant)) }
  }
}
