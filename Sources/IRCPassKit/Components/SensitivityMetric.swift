public import IRCExecution
public import IRCGraph
public import IRCQuant

/// Says what a network loses when the weight of one layer is stored in a format.
public protocol SensitivityMetric: Component {
  /// For each layer the loss of each format, all other layers left as they are.
  ///
  /// Losses of different layers are added up, so they have one unit. Ask the network for all layers at once where that saves runs
  /// over the calibration text.
  ///
  /// - Returns: `[layer][format]`, finite numbers where the network's outputs are.
  /// - Throws: `PassError` when the calibration text does not tell.
  func losses(
    of layers: [RoundedLinear], as specs: [QuantizationSpec], in network: MeasuredNetwork
  ) throws -> [[Double]]

  /// What that takes, for estimates before anything runs; by default something that nobody knows.
  ///
  /// - Parameters:
  ///   - tokens: those of the calibration text.
  ///   - compared: those that logits are compared on.
  func work(
    of layers: [RoundedLinear], as specs: [QuantizationSpec], in graph: Graph, tokens: Int,
    compared: Int
  ) -> PassWork
}

extension SensitivityMetric {
  public static var kind: any ComponentKind.Type { SensitivityMetrics.self }

  public func work(
    of layers: [RoundedLinear], as specs: [QuantizationSpec], in graph: Graph, tokens: Int,
    compared: Int
  ) -> PassWork { PassWork(isLeast: true) }
}

/// The kind of `SensitivityMetric`.
public enum SensitivityMetrics: ComponentKind {
  public typealias Element = any SensitivityMetric
  public static let name = "sensitivity metric"
}

/// A network whose linear layers are not rounded, with what can be measured of it.
public final class MeasuredNetwork {
  /// The network.
  public let graph: Graph
  /// What other weights do to its logits.
  public let logits: LogitMeasurements
  private let context: PassContext
  private let folder: ConstantFolder

  /// Prepares to measure; nothing runs yet.
  ///
  /// - Parameter tokens: how many calibration tokens logits are compared on, about.
  /// - Throws: `PassError` when the model has no calibration text.
  public init(_ graph: Graph, tokens: Int, _ context: PassContext) throws {
    self.graph = graph
    self.context = context
    folder = ConstantFolder(graph)
    logits = try LogitMeasurements(of: graph, tokens: tokens, context)
  }

  /// The weight of a layer before rounding, [out, in].
  public func weight(of layer: RoundedLinear) throws -> Tensor { try folder.fold(layer.source) }

  /// Statistics of the real inputs of layers, in the order of the layers, from one pass over the calibration text.
  ///
  /// - Throws: `PassError` when the model has no calibration text.
  public func inputStatistics(
    of layers: [RoundedLinear], _ request: StatisticRequest
  ) throws -> [ChannelStatistics] {
    let found = try context.channelStatistics(
      of: Dictionary(layers.map { ($0.realInput, request) }) { first, _ in first }, in: graph)
    return try layers.map { layer in
      guard let statistics = found[layer.realInput] else {
        throw PassError("calibration measured nothing for the input of '\(layer.name)'")
      }
      return statistics
    }
  }
}
