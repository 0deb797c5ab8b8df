public import IRCPassKit

/// Kullback–Leibler divergence of what the network predicts.
public struct LogitDivergenceMetric: SensitivityMetric {
  public static let info = ComponentInfo(
    name: "kl",
    summary:
      "Kullback–Leibler divergence of what the network predicts; a run for each layer and format."
  )

  public init() {}

  public func losses(
    of layers: [RoundedLinear], as specs: [QuantizationSpec], in network: MeasuredNetwork
  ) throws -> [[Double]] {
    try network.divergences(of: layers, as: specs).map { $0.map(\.kullbackLeibler) }
  }

  public func work(
    of layers: [RoundedLinear], as specs: [QuantizationSpec], in graph: Graph, tokens: Int,
    compared: Int
  ) -> PassWork { PassWork(networkTokens: compared * layers.count * specs.count) }
}

/// Power of the change of the logits in relation to the logits.
public struct LogitNoiseMetric: SensitivityMetric {
  public static let info = ComponentInfo(
    name: "sqnr",
    summary:
      "Power of the change of the logits in relation to the logits; a run for each layer and format."
  )

  public init() {}

  public func losses(
    of layers: [RoundedLinear], as specs: [QuantizationSpec], in network: MeasuredNetwork
  ) throws -> [[Double]] {
    try network.divergences(of: layers, as: specs).map { $0.map(\.noise) }
  }

  public func work(
    of layers: [RoundedLinear], as specs: [QuantizationSpec], in graph: Graph, tokens: Int,
    compared: Int
  ) -> PassWork { PassWork(networkTokens: compared * layers.count * specs.count) }
}

extension MeasuredNetwork {
  /// What each format of each layer alone does to the logits.
  fileprivate func divergences(
    of layers: [RoundedLinear], as specs: [QuantizationSpec]
  ) throws -> [[LogitDivergence]] {
    try layers.map { layer in
      var folded: Tensor?
      return try specs.map { spec in
        try logits.divergence(of: layer, as: spec) {
          let weight = try folded ?? self.weight(of: layer)
          folded = weight
          return weight
        }
      }
    }
  }
}
