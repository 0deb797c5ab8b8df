/// How one number is stored in few bits.
///
/// Integers of 2 to 8 bits so far; floating, microscaling, logarithmic and codebook formats are further cases.
public enum NumericFormat: Hashable, Sendable, CustomStringConvertible {
  /// Two's complement integer code q of `bits` bits: x = (q − zero) · scale.
  case integer(bits: Int)

  /// Parses `int2` … `int8`; nil for any other name.
  public init?(name: String) {
    guard let format = NumericFormat.all.first(where: { $0.description == name }) else {
      return nil
    }
    self = format
  }

  /// Every format, in the order that help shows.
  public static let all: [NumericFormat] = [8, 4, 3, 2].map { .integer(bits: $0) }

  /// Name as written in YAML and IR.
  public var description: String {
    switch self {
    case .integer(let bits): "int\(bits)"
    }
  }

  /// Bits of one stored code.
  public var bits: Int {
    switch self {
    case .integer(let bits): bits
    }
  }

  /// The code that the largest magnitude of a symmetric range gets.
  public var largestMagnitude: Double {
    switch self {
    case .integer(let bits): Double((1 << (bits - 1)) - 1)
    }
  }
}

/// Which elements share a scale.
public enum Granularity: Hashable, Sendable, CustomStringConvertible {
  /// One scale for the whole tensor.
  case tensor
  /// One scale a row: an output channel of a weight, a token of an activation.
  case row
  /// One scale for every run of this many elements of a row; the last run may be shorter.
  case group(Int)

  public var description: String {
    switch self {
    case .tensor: "tensor"
    case .row: "row"
    case .group(let size): "group(\(size))"
    }
  }

  /// Elements of a row of `columns` that share a scale.
  public func groupWidth(of columns: Int) -> Int {
    if case .group(let size) = self { min(size, columns) } else { columns }
  }

  /// Number of scales of a row of `columns` elements (1 for `tensor`).
  public func scales(inRowOf columns: Int) -> Int {
    switch self {
    case .tensor, .row: 1
    case .group(let size): columns <= size ? 1 : 1 + (columns - 1) / size
    }
  }
}

/// Precision in which scales are stored; codes are computed with the stored value.
public enum ScaleFormat: String, Hashable, Sendable, CaseIterable {
  case f32, f16

  /// Bits of one stored scale.
  public var bits: Int { self == .f32 ? 32 : 16 }
}

/// Everything that says how a tensor becomes codes and scales.
public struct QuantizationSpec: Hashable, Sendable {
  /// Format of the codes.
  public var format: NumericFormat
  /// Which elements share a scale.
  public var granularity: Granularity
  /// True if zero is always code 0; else each scale has a zero point.
  public var isSymmetric: Bool
  /// How the scale itself is stored.
  public var scaleFormat: ScaleFormat

  /// Says how a tensor becomes codes and scales.
  public init(
    _ format: NumericFormat, _ granularity: Granularity, isSymmetric: Bool = true,
    scaleFormat: ScaleFormat = .f32
  ) {
    self.format = format
    self.granularity = granularity
    self.isSymmetric = isSymmetric
    self.scaleFormat = scaleFormat
  }

  /// Bits that a matrix takes: its codes and scales, and eight bits for each zero point.
  public func storedBits(rows: Int, columns: Int) -> Int {
    let scales = granularity == .tensor ? 1 : rows * granularity.scales(inRowOf: columns)
    return rows * columns * format.bits + scales * (scaleFormat.bits + (isSymmetric ? 0 : 8))
  }
}
