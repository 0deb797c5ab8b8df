import IRCPassKit

/// How large an error of a weight is: as it is, or by what it does to the layer's output.
struct LowRankNorm {
  /// C with C·Cᵀ = E[x·xᵀ], damped; nil where errors count as they are.
  private let whitening: CholeskyFactor?
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

  /// W, or W·C: what has the sum of squares that counts.
  func whitened(_ matrix: Tensor) throws -> Tensor {
    try factor.map { try matrix.product($0) } ?? matrix
  }

  /// The factors that are nearest to what was whitened.
  func factors(of whitened: Tensor, rank: Int) throws -> LowRankFactors {
    try LowRankFactors(of: whitened, rank: rank, whitening: whitening)
  }

  /// Estimated mean square error of a layer whose rest is rounded to Q and whose input is rounded before Q.
  ///
  /// - Parameter whitened: what the branch has to make up for, W − Q.
  func error(of factors: LowRankFactors, _ whitened: Tensor, rounded: Tensor) throws -> Double {
    let down = try self.whitened(factors.down.widenedFromHalf)
    let left = try factors.up.widenedFromHalf.product(down, plus: whitened, times: -1)
    return left.squaredNorm + inputNoise * rounded.squaredNorm
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
