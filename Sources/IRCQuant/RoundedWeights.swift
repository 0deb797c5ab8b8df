public import IRCTensor

/// A matrix of weights as codes, with the values that they stand for.
public struct RoundedWeights: Sendable {
  /// What the codes are.
  public let spec: QuantizationSpec
  /// Codes, i8 [out, in].
  public let codes: Tensor
  /// Scales, f32 [out, groups], [1, 1] for one scale; of fitted formats the numbers of each group instead of one.
  public let scales: Tensor
  /// Zero points, i8 of the shape of `scales`; nil if symmetric.
  public let zeros: Tensor?
  /// What `dequantize` makes of them, f32 [out, in].
  public let values: Tensor
  /// The sum over all weights of the squared errors that were passed on, which is tr((W−Q)(H + λ·1)(W−Q)ᵀ): the output error
  /// for each token, summed over the outputs.
  public let error: Double

  /// Scales and zero points together.
  public var scaleSet: ScaleSet { ScaleSet(scales: scales, zeros: zeros) }
}

/// How calibrated rounding finds its scales; fitted formats have no range, and are fitted by either rule.
public enum ScaleRule: Hashable, Sendable {
  /// From the range of the weights.
  case range
  /// From the narrowed range with the least sum of |error|^norm.
  case search(norm: Double)

  /// The search with the norm of GPTQ's reference code.
  public static let leastError = ScaleRule.search(norm: 2.4)
}

/// Scales and zero points of a matrix, or the values or factors of a fitted format.
public struct ScaleSet: Sendable {
  /// f32 [out, groups · n], [1, n] for one group, with n numbers for a group: 1 unless the format is fitted.
  public var scales: Tensor
  /// i8 of the same shape; nil if symmetric.
  public var zeros: Tensor?

  /// Takes scales as they are.
  public init(scales: Tensor, zeros: Tensor?) {
    self.scales = scales
    self.zeros = zeros
  }

  /// The scales in the type in which a format stores them, f16 or f32; nothing is lost if they were chosen for it.
  public func stored(as format: ScaleFormat) -> Tensor {
    format == .f16 ? scales.roundedToHalf : scales
  }
}
