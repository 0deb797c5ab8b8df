import IRCPassKit

/// Chooses the factors of a site.
struct SmoothingFactors {
  private let sides: [SmoothingSide]
  private let scheme: QuantizationScheme
  private let limit: Double

  init(_ sides: [SmoothingSide], _ scheme: QuantizationScheme, limit: Double) {
    self.sides = sides
    self.scheme = scheme
    self.limit = limit
  }

  /// The factors for an alpha, or for the one of a grid with the least estimated error if there is none.
  func best(_ alpha: Double?) -> (alpha: Double, factors: [Double]) {
    if let alpha { return (alpha, factors(alpha)) }
    // Between two activations there is no error to estimate: both get the same range.
    if sides.allSatisfy({ $0.weights == nil }) { return (0.5, factors(0.5)) }
    var best = (alpha: 0.0, factors: factors(0), error: Double.infinity)
    // No smoothing at all is among the candidates.
    let width = sides.first?.activations.count ?? 0
    let none = [Double](repeating: 1, count: width)
    best = (0, none, error(of: none))
    for step in 1...19 {
      let alpha = Double(step) / 20
      let candidate = factors(alpha)
      let error = error(of: candidate)
      if error < best.error { best = (alpha, candidate, error) }
    }
    return (best.alpha, best.factors)
  }

  /// max|x|^α / max|W|^(1−α), each side relative to its own typical channel, with 1 as the typical factor.
  ///
  /// A channel that is always zero, or that nothing weighs, has factor 1.
  private func factors(_ alpha: Double) -> [Double] {
    let width = sides.first?.activations.count ?? 0
    var logarithms = [Double?](repeating: nil, count: width)
    for side in sides {
      let (x, w) = (centred(side.activations), centred(side.opposite))
      for channel in 0..<width {
        guard let a = x[channel], let b = w[channel] else { continue }
        let value = alpha * a - (1 - alpha) * b
        logarithms[channel] = max(logarithms[channel] ?? value, value)
      }
    }
    let known = logarithms.compactMap(\.self)
    let mean = known.isEmpty ? 0 : known.reduce(0, +) / Double(known.count)
    return logarithms.map { value in
      guard let value else { return 1 }
      return min(max(Double.exponential(value - mean), 1 / limit), limit)
    }
  }

  /// Logarithms relative to their mean; nil for zeros.
  private func centred(_ numbers: [Double]) -> [Double?] {
    let logarithms = numbers.map { $0 > 0 ? Double.logarithm($0) : nil }
    let known = logarithms.compactMap(\.self)
    let mean = known.isEmpty ? 0 : known.reduce(0, +) / Double(known.count)
    return logarithms.map { $0.map { $0 - mean } }
  }

  /// Estimated mean square error of all readers' outputs when x is divided by these factors.
  ///
  /// Rounding to steps of Δ has an error of variance Δ²/12. That of x passes through the weights, that of a row of weights
  /// through the power of x.
  private func error(of factors: [Double]) -> Double {
    sides.reduce(0) { sum, side in
      guard let weights = side.weights else { return sum }
      return sum + error(of: factors, side, weights)
    }
  }

  private func error(of factors: [Double], _ side: SmoothingSide, _ weights: Tensor) -> Double {
    let width = factors.count
    var step = 0.0
    if let activations = scheme.activations {
      let peak = zip(side.activations, factors).map { $0 / $1 }.max() ?? 0
      step = peak / activations.spec.format.largestMagnitude
    }
    let powers = zip(side.power, factors).map { $0 / ($1 * $1) }
    let range = scheme.weights.format.largestMagnitude
    // A group is as wide as a row where it does not divide it.
    let group = scheme.weights.granularity.groupWidth(of: width)
    var (energy, reference) = (0.0, 0.0)
    for column in 0..<width {
      energy += side.squares[column] * factors[column] * factors[column]
      // What the factors do to the weights they undo in the activations.
      reference += side.squares[column] * side.power[column]
    }
    var rounding = 0.0
    for (index, peaks) in weights.scaledPeakSquares(factors: factors, group: group).enumerated() {
      let part = powers[index * group..<min(width, (index + 1) * group)].reduce(0, +)
      rounding += peaks / (range * range) / 12 * part
    }
    let error = step * step / 12 * energy + rounding
    // Relative, so that readers of different size have one say each.
    return reference > 0 ? error / reference : 0
  }
}
