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
    var losses = layers.map { _ in [Double]() }
    // Second moments of many wide inputs do not fit into memory at once.
    for inputs in layers.inputs.batches(size: { Self.bytesForPair * $0.width * $0.width }) {
      let members = layers.indices.filter { index in
        inputs.contains { $0.value == layers[index].realInput }
      }
      let statistics = try network.inputStatistics(of: members.map { layers[$0] }, .secondMoment)
      for (index, statistics) in zip(members, statistics) {
        guard let moment = statistics.secondMoment else {
          throw PassError(
            "calibration measured nothing for the input of '\(layers[index].name)'")
        }
        let energy = OutputEnergy(moment: moment)
        let weights = try network.weight(of: layers[index])
        let power = try energy.of(weights)
        losses[index] = try specs.map { spec in
          let error = try energy.of(spec.nearestValues(of: weights).subtracting(weights))
          return power > 0 ? error / power : error
        }
      }
    }
    return losses
  }

  /// A second moment in double precision, and in single as the energy takes it, with room to spare.
  private static let bytesForPair = 16

  public func work(
    of layers: [RoundedLinear], as specs: [QuantizationSpec], in graph: Graph, tokens: Int,
    compared: Int
  ) -> PassWork {
    var work = PassWork()
    work.measure(
      layers.inputs.map(\.width), tokens: tokens, moments: true, bytesForPair: Self.bytesForPair)
    for layer in layers {
      let width = Double(layer.shape[1])
      work.multiplyAdds += Double(specs.count + 1) * Double(layer.shape[0]) * width * width
    }
    return work
  }
}

extension [RoundedLinear] {
  /// The distinct values that the layers read, in their order, with their channels.
  fileprivate var inputs: [(value: ValueID, width: Int)] {
    var seen: Set<ValueID> = []
    return filter { seen.insert($0.realInput).inserted }.map { ($0.realInput, $0.shape[1]) }
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

  public func work(
    of layers: [RoundedLinear], as specs: [QuantizationSpec], in graph: Graph, tokens: Int,
    compared: Int
  ) -> PassWork {
    var work = PassWork()
    work.measure(layers.inputs.map(\.width), tokens: tokens)
    return work
  }
}
