/// A format whose codes are places in a fixed table of values; rounding goes to the nearest value, a tie to the even code.
public enum TableFormat: String, Hashable, Sendable, CaseIterable {
  /// E4M3 without infinities (OCP 8-bit floating point 1.0): sign, four bits of exponent with bias 7, three of mantissa; ±448.
  case fp8E4M3 = "fp8-e4m3"
  /// E5M2 (OCP 8-bit floating point 1.0): sign, five bits of exponent with bias 15, two of mantissa; ±57344.
  case fp8E5M2 = "fp8-e5m2"
  /// E2M1 (OCP microscaling formats 1.0): 0, ½, 1, 1½, 2, 3, 4, 6 and their negatives.
  case fp4
  /// Quantiles of a normal distribution on −1…1 (QLoRA, arXiv 2305.14314, appendix E).
  case nf4
  /// The values of nf4 times 127, rounded to integers, which multiply as such.
  case nf4Int8 = "nf4-int8"
  /// Powers of two: 0 and ±2⁻ᵏ, k = 0…6.
  case log2
  /// Powers of the square root of two (the levels that adaptive step size quantization, ASQ, calls POST): 0 and ±2^(−k/2), k = 0…6.
  case post
  /// The same with five bits: k = 0…14.
  case post5

  /// Bits of one stored code.
  public var bits: Int {
    switch self {
    case .fp8E4M3, .fp8E5M2: 8
    case .post5: 5
    case .fp4, .nf4, .nf4Int8, .log2, .post: 4
    }
  }

  /// The value of every code 0 ..< 2^bits; infinities and NaNs are never what a number is rounded to.
  public var values: [Float] {
    switch self {
    case .fp8E4M3:
      signed { code in code == 0x7F ? .nan : Self.minifloat(code, mantissaBits: 3, bias: 7) }
    case .fp8E5M2:
      signed { code in
        switch code {
        case 0x7C: .infinity
        case 0x7D...: .nan
        default: Self.minifloat(code, mantissaBits: 2, bias: 15)
        }
      }
    case .fp4: signed { Self.minifloat($0, mantissaBits: 1, bias: 1) }
    case .nf4: Self.normalQuantiles
    case .nf4Int8: Self.normalQuantiles.map { ($0 * 127).rounded(.toNearestOrEven) }
    case .log2: signed { $0 == 0 ? 0 : Float(sign: .plus, exponent: $0 - 7, significand: 1) }
    case .post: signed { $0 == 0 ? 0 : Self.rootPower(7 - $0) }
    case .post5: signed { $0 == 0 ? 0 : Self.rootPower(15 - $0) }
    }
  }

  /// The magnitude of every code without its sign bit, then the negatives.
  private func signed(_ magnitude: (Int) -> Float) -> [Float] {
    let magnitudes = (0..<1 << (bits - 1)).map(magnitude)
    return magnitudes + magnitudes.map { -$0 }
  }

  /// The value of a float of few bits with subnormals; exact.
  private static func minifloat(_ code: Int, mantissaBits: Int, bias: Int) -> Float {
    let exponent = code >> mantissaBits
    let mantissa = code & ((1 << mantissaBits) - 1)
    let significand = exponent == 0 ? mantissa : mantissa + (1 << mantissaBits)
    return Float(
      sign: .plus, exponent: max(1, exponent) - bias - mantissaBits,
      significand: Float(significand))
  }

  /// 2^(−k/2), rounded once.
  private static func rootPower(_ k: Int) -> Float {
    let power = Float(sign: .plus, exponent: -(k / 2), significand: 1)
    return k.isMultiple(of: 2) ? power : power * Float(0.5).squareRoot()
  }

  /// The sixteen values that implementations of NF4 share; the quantiles of the normal distribution at probabilities evenly
  /// spaced from 1 − 0.9677083 to ½ and from ½ to 0.9677083, over the last one.
  private static let normalQuantiles: [Float] = [
    -1, -0.696192800998687744140625, -0.52507305145263671875, -0.394917488098144531250,
    -0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0,
    0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
    0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1,
  ]
}

extension TableFormat {
  /// The integers of 8 bits that the codes stand for, and the power of two that makes values of them; nil if there is none.
  ///
  /// A product of them with integer activations is exact, as one of integer codes is.
  public var levels: (values: [Int8], step: Float)? {
    let values = values
    guard let largest = values.map(\.magnitude).max(), largest.isFinite, largest > 0 else {
      return nil
    }
    // The finest step at which the largest value still fits.
    let step = Float(sign: .plus, exponent: largest.exponent - 6, significand: 1)
    let levels = values.map { $0 / step }
    guard levels.allSatisfy({ $0.magnitude <= 127 && $0 == $0.rounded() }) else { return nil }
    return (levels.map { Int8($0) }, step)
  }
}

extension TableFormat {
  /// Steps between zero and the largest value of the uniform grid whose mean square error over the range is the same.
  var equivalentSteps: Double {
    let levels = Set(values.filter(\.isFinite).map(Double.init)).sorted()
    guard let least = levels.first, let most = levels.last else { return 1 }
    let cubes = zip(levels.dropFirst(), levels).reduce(0) { sum, pair in
      let gap = pair.0 - pair.1
      return sum + gap * gap * gap
    }
    // Between two levels a gap g apart the error adds up to g³/12; on a grid of step s over the whole range to s²/12 of it.
    return max(-least, most) / (cubes / (most - least)).squareRoot()
  }
}
