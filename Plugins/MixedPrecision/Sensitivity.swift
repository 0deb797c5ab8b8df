public import IRCPassKit

/// How much it costs to store a layer's weight in a format.
protocol Sensitivity {
  /// The loss of each format of `specs` for one layer, all others left alone; losses of different layers can be added up.
  ///
  /// - Throws: `PassError` when the calibration text does not tell.
  func losses(of layer: RoundedLinear, as specs: [QuantizationSpec]) throws -> [Double]
}

/// Which sensitivity decides.
public enum SensitivityMetric: String, PassOptionChoice {
  /// Kullback–Leibler divergence of what the network predicts.
  case kl
  /// Power of the change of the logits in relation to the logits.
  case sqnr
  /// Power of the change of the layer's output in relation to the output, from the second moment of its input.
  case outputMSE = "output-mse"
  /// Power of the change of the weights times the mean of the input's second moment, in relation to the same of the weights.
  case weightedMSE = "weighted-mse"
}

/// The values of a weight in several formats.
struct RoundedVariants {
  private let graph: Graph

  init(_ graph: Graph) { self.graph = graph }

  /// The weight [out, in] of a layer as it is.
  func plain(_ layer: RoundedLinear) throws -> Tensor {
    try ConstantFolder(graph).fold(layer.source)
  }

  /// The weight as a format holds it.
  func value(_ layer: RoundedLinear, as spec: QuantizationSpec) throws -> Tensor {
    var graph = graph
    let rounded = try graph.round(
      layer.source, to: spec, before: layer.operation, at: .unknown)
    return try ConstantFolder(graph).fold(rounded)
  }
}

/// What a change of one layer does to the logits.
struct LogitSensitivity: Sensitivity {
  let probe: LogitProbe
  let variants: RoundedVariants
  let measures: @Sendable (LogitDivergence) -> Double

  func losses(of layer: RoundedLinear, as specs: [QuantizationSpec]) throws -> [Double] {
    try specs.map { spec in
      let value = try variants.value(layer, as: spec)
      return measures(
        try probe.divergence(replacing: [OperandReplacement(layer.operation, operand: 1, value)]))
    }
  }
}

/// What a change of one layer does to its own output: tr(ΔW Σ ΔWᵀ) / tr(W Σ Wᵀ) with the second moment Σ of its input.
///
/// With `isDiagonal` Σ is the mean of its diagonal times the identity, so that only the size of the change counts (HAWQ-V2,
/// arXiv 1911.03852, equation 8, with the trace of the layer's own error in place of the whole network's).
struct OutputSensitivity: Sensitivity {
  let variants: RoundedVariants
  /// Second moment of each input, f64 [in, in].
  let moments: [ValueID: Tensor]
  let isDiagonal: Bool

  func losses(of layer: RoundedLinear, as specs: [QuantizationSpec]) throws -> [Double] {
    guard let moment = moments[layer.realInput] else {
      throw PassError("calibration measured nothing for the input of '\(layer.name)'")
    }
    let plain = try variants.plain(layer)
    let power = try quadraticForm(plain, minus: nil, moment, isDiagonal: isDiagonal)
    return try specs.map { spec in
      let rounded = try variants.value(layer, as: spec)
      let error = try quadraticForm(plain, minus: rounded, moment, isDiagonal: isDiagonal)
      return power > 0 ? error / power : error
    }
  }
}
