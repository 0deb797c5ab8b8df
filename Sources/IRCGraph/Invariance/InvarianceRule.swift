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
  /// What a transform that passes here is about, where the operator has a name for it.
  public var role: SiteRole?

  /// Ties axes together.
  public init(
    _ axes: [OperatorAxis], _ group: TransformGroup, _ transport: Transport = .identity,
    role: SiteRole? = nil
  ) {
    self.axes = axes
    self.group = group
    self.transport = transport
    self.role = role
  }
}

/// A change of an operator that lets more pass: the same function with a parameter made explicit that was 1 before.
///
/// SiLU becomes x·σ(s ⊙ x) with s = 1, a norm without a gain one with a gain of ones. What passes then is what the new
/// operator's own rule says, with the parameter as one more operand, a constant.
public struct Adaptation: Sendable {
  /// The operator to put in its place.
  public var becomes: any Operator
  /// Type of the further operand, all of whose elements are 1.
  public var unit: TensorType

  /// Describes the change.
  public init(becomes: any Operator, unit: TensorType) {
    self.becomes = becomes
    self.unit = unit
  }
}

/// How an operator behaves when channel axes of its values are transformed.
///
/// An axis in no tie admits only the identity. Whether a tied constant can absorb the transform, or a tied value is
/// computed from others, is for the analysis to see; the operator states the algebra only.
public struct InvarianceRule: Hashable, Sendable {
  /// Axes that move together.
  public var ties: [AxisTie]

  /// States the algebra of an operator.
  public init(ties: [AxisTie] = []) {
    self.ties = ties
  }

  /// Nothing passes.
  public static let opaque = InvarianceRule()
}
