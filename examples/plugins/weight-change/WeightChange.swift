import IRCPassKit

let plugins: [any Plugin.Type] = [WeightChange.self]

/// The square of what rounding changes: needs no calibration.
struct WeightChange: SensitivityMetric {
  static let info = ComponentInfo(
    name: "weight-change", summary: "Power of the change of the weights alone.")

  func losses(
    of layers: [RoundedLinear], as specs: [QuantizationSpec], in network: MeasuredNetwork
  ) throws -> [[Double]] {
    try layers.map { layer in
      let weights = try network.weight(of: layer)
      return try specs.map { try $0.nearestValues(of: weights).subtracting(weights).squaredNorm }
    }
  }
}
