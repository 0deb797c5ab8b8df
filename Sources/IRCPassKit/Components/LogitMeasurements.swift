public import IRCExecution
public import IRCGraph
public import IRCQuant
public import IRCTensor

/// What other weights do to the logits of a network. Each measurement runs the network over the text, so what an earlier run of the
/// compiler measured is not measured again.
public final class LogitMeasurements {
  private let context: PassContext
  private let real: Graph
  private let tokens: Int
  /// Stand for the network and the text.
  private let inputs: [Fingerprint]
  /// Place of each operation among those that logits depend on.
  private let places: [OperationID: Int]
  private var probe: LogitProbe?

  /// Changes when the same network and text give other figures than before.
  private static let version = 2

  /// Measures `real`, a network without rounding, over about so many tokens; nothing runs yet.
  init(of real: Graph, tokens: Int, _ context: PassContext) throws {
    self.context = context
    self.real = real
    self.tokens = tokens
    let outputs = real.outputs.map(\.value)
    inputs = [
      try context.fingerprint(of: outputs, in: real), try context.fingerprintOfCalibration(),
    ]
    let operations = real.part(computing: outputs).operations
    places = Dictionary(uniqueKeysWithValues: operations.enumerated().map { ($1.id, $0) })
  }

  /// The divergence with the weights of one layer rounded to a format.
  ///
  /// - Parameter weights: the layer's weights before rounding, [out, in]; not asked for where the divergence is known.
  /// - Throws: `PassError` when the model has no calibration text, `Diagnostic` when the graph cannot run.
  public func divergence(
    of layer: RoundedLinear, as spec: QuantizationSpec, _ weights: () throws -> Tensor
  ) throws -> LogitDivergence {
    try measure("one layer", [], [name(of: layer, spec)]) { probe in
      let value = try spec.nearestValues(of: weights())
      return try probe.divergence(
        replacing: [OperandReplacement(layer.operation, operand: 1, value)])
    }
  }

  /// The divergence of a graph that computes what the network does, with other weights and with values rounded.
  ///
  /// - Throws: as for one layer.
  public func divergence(of graph: Graph) throws -> LogitDivergence {
    let changed = try context.fingerprint(of: graph.outputs.map(\.value), in: graph)
    return try measure("all layers", [changed], []) { try $0.divergence(of: graph) }
  }

  private func name(of layer: RoundedLinear, _ spec: QuantizationSpec) -> String {
    "\(places[layer.operation] ?? -1): \(spec)"
  }

  private func measure(
    _ action: String, _ changed: [Fingerprint], _ options: [String],
    _ body: (LogitProbe) throws -> LogitDivergence
  ) throws -> LogitDivergence {
    let found = try context.cached(
      action, version: Self.version, inputs: inputs + changed,
      options: ["\(tokens) tokens"] + options
    ) {
      let divergence = try body(preparedProbe())
      return [
        Tensor(
          [3], [divergence.kullbackLeibler, divergence.noise, Double(divergence.tokens)])
      ]
    }
    let values = found.first?.array(of: Double.self) ?? []
    precondition(values.count == 3, "a divergence is three numbers")
    return LogitDivergence(
      kullbackLeibler: values[0], noise: values[1], tokens: Int(values[2]))
  }

  private func preparedProbe() throws -> LogitProbe {
    if let probe { return probe }
    let made = try context.logitProbe(of: real, tokens: tokens)
    probe = made
    return made
  }
}
