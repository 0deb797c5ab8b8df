/// An axis of an operand or a result of one operator.
public struct OperatorAxis: Hashable, Sendable {
  /// Which value of the operator.
  public enum Port: Hashable, Sendable {
    case operand(Int)
    case result(Int)
  }

  /// Which value of the operator.
  public var port: Port
  /// Which axis of it, from the outermost.
  public var axis: Int

  /// Axis `axis` of operand `index`.
  public static func operand(_ index: Int, _ axis: Int) -> OperatorAxis {
    OperatorAxis(port: .operand(index), axis: axis)
  }
  /// Axis `axis` of result `index`.
  public static func result(_ index: Int, _ axis: Int) -> OperatorAxis {
    OperatorAxis(port: .result(index), axis: axis)
  }
}

/// How the transform at the first axis of a tie determines the one at the others.
///
/// With the first axis transformed by x' = x·T:
public indirect enum Transport: Hashable, Sendable {
  /// The same T.
  case identity
  /// T⁻ᵀ: the other side of a contraction.
  case inverseTranspose
  /// Each block of T stands for `times` consecutive blocks at the other axes (grouped-query heads).
  case blockRepeat(times: Int)
  /// The other axis holds the channels `lower ..< upper` of the first one.
  case slice(lower: Int, upper: Int)
  /// The last axis transforms by the product of the diagonals of all the others (elementwise multiply).
  case product
  /// The channels in reverse order.
  case reversal
  /// One after another, from the left: grouped-query keys determine queries by an inverse transpose, repeated.
  case sequence([Transport])
}

/// A set of axes that must be transformed together, and by what.
public struct AxisTie: Hashable, Sendable {
  /// The axes; the transport leads from the first to each of the others.
  public var axes: [OperatorAxis]
  /// The largest group whose elements pass.
  public var group: TransformGroup
  /// How one end determines the other.
  public var transport: Transport

  /// Ties axes together.
  public init(_ axes: [OperatorAxis], _ group: TransformGroup, _ transport: Transport = .identity) {
    self.axes = axes
    self.group = group
    self.transport = transport
  }
}

/// A larger group that an operator would admit if it were changed.
public struct Adaptation: Hashable, Sendable {
  /// The axes concerned, first the one that the transform arrives at.
  public var axes: [OperatorAxis]
  /// The group admitted after the change.
  public var group: TransformGroup
  /// Name of the operator variant that admits it, such as `scaled_silu`.
  public var becomes: String

  /// Describes what the operator would become.
  public init(_ axes: [OperatorAxis], _ group: TransformGroup, becomes: String) {
    self.axes = axes
    self.group = group
    self.becomes = becomes
  }
}

/// How an operator behaves when channel axes of its values are transformed.
///
/// An axis in no tie admits only the identity. Whether a tied constant can absorb the transform, or a tied value is
/// computed from others, is for the analysis to see; the operator states the algebra only.
public struct InvarianceRule: Hashable, Sendable {
  /// Axes that move together.
  public var ties: [AxisTie]
  /// What would be possible with a change of the operator.
  public var adaptations: [Adaptation]

  /// States the algebra of an operator.
  public init(ties: [AxisTie] = [], adaptations: [Adaptation] = []) {
    self.ties = ties
    self.adaptations = adaptations
  }

  /// Nothing passes.
  public static let opaque = InvarianceRule()
}
