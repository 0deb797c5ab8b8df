import IRCPassKit

/// How large an error of a weight is: as it is, or by what it does to the layer's output.
struct LowRankNorm {
  /// C with C·Cᵀ = E[x·xᵀ], damped; nil where errors count as they are.
  let whitening: CholeskyFactor?
  private let factor: Tensor?
  /// Estimated mean square error of a rounded element of the layer's input.
  private let inputNoise: Double

  /// - Parameter statistics: of the layer's input, with its second moment; nil for the plain norm.
  init(
    _ statistics: ChannelStatistics?, _ scheme: QuantizationScheme, damping: Double
  ) throws {
    guard let statistics, let moment = statistics.secondMoment else {
      (whitening, factor, inputNoise) = (nil, nil, 0)
      return
    }
    // Inputs that are always zero have no power to be measured by.
    guard statistics.meanSquare.contains(where: { $0 > 0 }) else {
      (whitening, factor, inputNoise) = (nil, nil, 0)
      return
    }
    let whitening = try CholeskyFactor(of: moment, damping: damping)
    self.whitening = whitening
    factor = unsafe whitening.lower.withElements(as: Double.self) { source in
      unsafe Tensor(whitening.lower.shape, of: Float.self) { target in
        for index in source.indices { unsafe target[index] = Float(source[index]) }
      }
    }
    inputNoise = scheme.activations.map { Self.noise(of: $0, statistics) } ?? 0
  }

  /// |W|², or the mean of |W·x|².
  func energy(of weights: Tensor) throws -> Double {
    try factor.map { try weights.product($0).squaredNorm } ?? weights.squaredNorm
  }

  /// Estimated mean square error of a layer whose weight is rounded and whose input is.
  func error(of rest: Tensor, rounded: Tensor) throws -> Double {
    try energy(of: rest.adding(rounded, times: -1)) + inputNoise * rounded.squaredNorm
  }

  /// Rounding to steps of Δ has an error of variance Δ²/12.
  ///
  /// A static scale spans what was measured. That of a token spans the largest of its n channels; for normal ones that is about
  /// √(2·ln n) times their deviation, here that of the largest channel.
  private static func noise(
    of activations: QuantizationScheme.Activations, _ statistics: ChannelStatistics
  ) -> Double {
    let peak: Double
    if activations.isStatic {
      peak = Double(statistics.absoluteMaximum.max() ?? 0)
    } else {
      let deviation = (statistics.meanSquare.max() ?? 0).squareRoot()
      peak = deviation * (2 * Double.logarithm(Double(max(2, statistics.width)))).squareRoot()
    }
    let step = peak / activations.spec.format.largestMagnitude
    return step * step / 12
  }
}
