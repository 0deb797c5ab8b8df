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
  /// Power of the change of the weights times the mean of the input's second moment.
  case weightedMSE = "weighted-mse"
}

/// What a change of one layer does to the logits.
struct LogitSensitivity: Sensitivity {
  let logits: LogitMeasurements
  let folder: ConstantFolder
  let measures: @Sendable (LogitDivergence) -> Double

  func losses(of layer: RoundedLinear, as specs: [QuantizationSpec]) throws -> [Double] {
    var folded: Tensor?
    return try specs.map { spec in
      measures(
        try logits.divergence(of: layer, as: spec) {
          let weights = try folded ?? folder.fold(layer.source)
          folded = weights
          return weights
        })
    }
  }
}

/// What a change of one layer does to its own output, in relation to the output: tr(ΔW Σ ΔWᵀ) / tr(W Σ Wᵀ) with the second moment
/// Σ of its input.
struct OutputSensitivity: Sensitivity {
  let folder: ConstantFolder
  /// Second moment of each input, f64 [in, in].
  let moments: [ValueID: Tensor]

  func losses(of layer: RoundedLinear, as specs: [QuantizationSpec]) throws -> [Double] {
    let energy = OutputEnergy(moment: try layer.found(among: moments))
    let weights = try folder.fold(layer.source)
    let power = try energy.of(weights)
    return try specs.map { spec in
      let error = try energy.of(spec.nearestValues(of: weights).subtracting(weights))
      return power > 0 ? error / power : error
    }
  }
}

/// The size of the change times how much a change of its size matters on average: ‖ΔW‖² · tr(Σ)/n.
///
/// HAWQ-V2 (arXiv 1911.03852, equation 8) with the second moment Σ of the layer's input in place of the Hessian of the loss, which needs
/// gradients.
struct TraceSensitivity: Sensitivity {
  let folder: ConstantFolder
  /// Mean squares of each input's channels.
  let statistics: [ValueID: ChannelStatistics]

  func losses(of layer: RoundedLinear, as specs: [QuantizationSpec]) throws -> [Double] {
    let squares = try layer.found(among: statistics).meanSquare
    let mean = squares.reduce(0, +) / Double(max(1, squares.count))
    let weights = try folder.fold(layer.source)
    return try specs.map { spec in
      try mean * spec.nearestValues(of: weights).subtracting(weights).squaredNorm
    }
  }
}

extension RoundedLinear {
  /// What was measured of the layer's input.
  fileprivate func found<Measured>(among measured: [ValueID: Measured]) throws -> Measured {
    guard let found = measured[realInput] else {
      throw PassError("calibration measured nothing for the input of '\(name)'")
    }
    return found
  }
}
