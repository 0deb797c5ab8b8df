/// How scales are stored, and so which numbers they are; codes are computed with the stored value.
public enum ScaleFormat: String, Hashable, Sendable, CaseIterable {
  /// Single or half precision.
  case f32, f16
  /// A power of two in a byte, rounded up where the group's largest magnitude would else lie nearer to the power of two above
  /// the format's largest value than to that value.
  case e8m0
  /// The same by the floor rule of the OCP microscaling formats 1.0, section 6.3: such magnitudes saturate.
  case e8m0Floor = "e8m0-floor"
  /// An eight-bit float E4M3 times one f32 number of the whole tensor.
  case e4m3

  /// Bits of one stored scale.
  public var bits: Int {
    switch self {
    case .f32: 32
    case .f16: 16
    case .e8m0, .e8m0Floor, .e4m3: 8
    }
  }

  /// True if a scale depends on more of the tensor than its group.
  public var needsWholeTensor: Bool { self == .e4m3 }

  /// True if any number can be stored, with the precision of its type, and so scales that go with zero points and fitted values.
  var isGeneral: Bool { self == .f32 || self == .f16 }
}

/// Everything that says how a tensor becomes codes and scales.
public struct QuantizationSpec: Hashable, Sendable {
  /// Format of the codes.
  public var format: NumericFormat
  /// Which elements share a scale.
  public var granularity: Granularity
  /// True if zero is always code 0; else each scale has a zero point. Of binary formats, false adds an offset to the factors.
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

  /// True if scales come with zero points.
  public var hasZeroPoints: Bool { !isSymmetric && format.isInteger }

  /// Numbers of a group in the tensor of scales: 1, or the values or factors of a fitted format.
  public var numbersPerGroup: Int {
    switch format {
    case .integer, .table: 1
    case .codebook(let bits): 1 << bits
    case .binary(let bits): isSymmetric ? bits : bits + 1
    }
  }

  /// What does not fit together, as a sentence without its end; nil if everything does.
  public var problem: String? {
    if format.isFitted && !scaleFormat.isGeneral {
      return "values of \(format) are stored in f16 or f32, not in \(scaleFormat.rawValue)"
    }
    if case .binary = format { return sizeProblem }
    if !isSymmetric && !format.isInteger {
      return "format \(format) has no zero points: 'symmetric' must be true"
    }
    if !isSymmetric && !scaleFormat.isGeneral {
      return "scales of \(scaleFormat.rawValue) have no zero points: 'symmetric' must be true"
    }
    return sizeProblem
  }

  private var sizeProblem: String? {
    if !(2...8).contains(format.bits) {
      return "format \(format) is not supported, expected 2 to 8 bits"
    }
    if case .group(let size) = granularity, size < 1 {
      return "group size \(size) must be at least 1"
    }
    return nil
  }
}
