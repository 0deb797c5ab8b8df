public import IRCPassKit

/// What a change of one layer does to its own output, in relation to the output: tr(ΔW Σ ΔWᵀ) / tr(W Σ Wᵀ) with the second moment
/// Σ of its input.
public struct OutputErrorMetric: SensitivityMetric {
  public static let info = ComponentInfo(
    name: "output-mse",
    summary:
      "Power of the change of the layer's output in relation to the output, from the second moment of its input."
  )

  public init() {}

  public func losses(
    of layers: [RoundedLinear], as specs: [QuantizationSpec], in network: MeasuredNetwork
  ) throws -> [[Double]] {
    // Second moments of many wide layers do not fit into memory at once.
    try layers.batches { 16 * $0.shape[1] * $0.shape[1] }.flatMap { batch in
      let statistics = try network.inputStatistics(of: batch, .secondMoment)
      return try zip(batch, statistics).map { layer, statistics in
        guard let moment = statistics.secondMoment else {
          throw PassError("calibration measured nothing for the input of '\(layer.name)'")
        }
        let energy = OutputEnergy(moment: moment)
        let weights = try network.weight(of: layer)
        let power = try energy.of(weights)
        return try specs.map { spec in
          let error = try energy.of(spec.nearestValues(of: weights).subtracting(weights))
          return power > 0 ? error / power : error
        }
      }
    }
  }
}

/// The size of the change times how much a change of its size matters on average: ‖ΔW‖² · tr(Σ)/n.
///
/// HAWQ-V2 (arXiv 1911.03852, equation 8) with the second moment Σ of the layer's input in place of the Hessian of the loss, which needs
/// gradients.
public struct WeightErrorMetric: SensitivityMetric {
  public static let info = ComponentInfo(
    name: "weighted-mse",
    summary: "Power of the change of the weights times the mean of the input's second moment.",
    paper: "HAWQ-V2 (arXiv 1911.03852), equation 8, with the input's second moment for the Hessian")

  public init() {}

  public func losses(
    of layers: [RoundedLinear], as specs: [QuantizationSpec], in network: MeasuredNetwork
  ) throws -> [[Double]] {
    let statistics = try network.inputStatistics(of: layers, .range)
    return try zip(layers, statistics).map { layer, statistics in
      let squares = statistics.meanSquare
      let mean = squares.reduce(0, +) / Double(max(1, squares.count))
      let weights = try network.weight(of: layer)
      return try specs.map { spec in
        try mean * spec.nearestValues(of: weights).subtracting(weights).squaredNorm
      }
    }
  }
}
