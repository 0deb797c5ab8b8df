public import IRCPassKit

/// Multiplies channels of weights that see large activations by factors, so that rounding changes them less, and divides the
/// activations by the same.
///
///     before: %y = linear %x, %w
///     after:  %y = linear %x / s, %w ⊙ s         // and whatever writes %x has been divided by s
///
/// Exact in real arithmetic; what differs is where the rounding errors of the weights go afterwards.
public struct AWQ: Pass {
  public static let info = PassInfo(
    name: "awq",
    summary: "Scale channels of weights so that rounding the weights changes the outputs least.",
    details: """
      The factor of channel j is (root mean square of xⱼ)^α, divided by the geometric mean of the greatest and the least. Each site \
      gets the α in 0, 0.05 … 0.95 for which the outputs of its linear layers, with weights rounded in the formats of `scheme`, are \
      nearest to what they were on the calibration text; 0 leaves the site alone. Comes before `quantize`.

      Roles are done one after another in the order given, each measured on what the earlier ones left.
      """,
    paper: "AWQ (arXiv 2306.00978), section 3.2",
    conflicts: FactConflict.changesOfWeights,
    preservesFunction: true, tolerance: 1e-8, usesCalibration: true,
    statistics: [SiteScaling.smoothed],
    remarks: [SiteScaling.factors, .absentRole, .untied])

  @PassOption("Sites to scale, by role or name; * and ? as in globs.")
  public var sites = [
    NamePattern("norm"), NamePattern("value"), NamePattern("product"), NamePattern("activation"),
  ]
  @PassOption("Formats that weights will be rounded to.")
  public var scheme = QuantizationScheme(
    weights: QuantizationSpec(.integer(bits: 4), .group(128), scaleFormat: .f16))
  @PassOption("Reckon with the range of each scale that has the least rounding error.")
  public var clip = false

  public init() {}

  /// Gains of normalisations are in use afterwards.
  public var effects: PassEffects { SiteScaling.effects(Self.info.effects, dividing: sites) }

  public func run(on graph: inout Graph, in context: PassContext) throws {
    let scaling = SiteScaling(context)
    try scaling.visit(sites, in: &graph) { chosen, graph in
      let parts = chosen.map { (site: $0, readers: SiteReader.all(of: $0, in: graph)) }
      // The graph changes while batches are gone through, but widths do not.
      let before = graph
      let batches = parts.filter { !$0.readers.isEmpty }.batches { part in
        Set(part.readers.map(\.input)).reduce(0) { sum, value in
          let width = before.type(of: value).shape.last?.fixed ?? 0
          return sum + 8 * width * width
        }
      }
      for batch in batches {
        let inputs = Set(batch.flatMap(\.readers).map(\.input)).sorted()
        let measured = try context.channelStatistics(
          of: Dictionary(uniqueKeysWithValues: inputs.map { ($0, .secondMoment) }), in: graph)
        for (site, readers) in batch {
          let search = try FactorSearch(
            readers, measured, width: site.width, scheme.weights,
            clip ? .leastError : .range, in: graph)
          if let best = try search.best() {
            try scaling.divide(by: best.factors, alpha: best.alpha, at: site, in: &graph)
          }
        }
      }
    }
  }
}

/// A linear layer whose weights take up the factors of a site.
struct SiteReader {
  let operation: OperationID
  let input: ValueID
  let weights: ValueID
  /// The channel of the site behind each channel of the input; nil for those that are not of it.
  let channels: [Int?]

  /// The linear layers that read a site and do not also write it.
  static func all(of site: Site, in graph: Graph) -> [SiteReader] {
    site.readers.compactMap { reader in
      let operation = graph[reader.operation]
      guard operation.op is Linear, reader.operand == 1, reader.axis == 1,
        let width = graph.type(of: operation.operands[1]).shape[1].fixed
      else { return nil }
      var channels = [Int?](repeating: nil, count: width)
      for (offset, channel) in reader.channels.enumerated() {
        channels[channel] = reader.element.channel(at: offset)
      }
      return SiteReader(
        operation: operation.id, input: operation.operands[0], weights: operation.operands[1],
        channels: channels)
    }
  }
}

/// Looks for the factors of a site.
struct FactorSearch {
  private let layers: [Layer]
  private let salience: [Double]
  private let spec: QuantizationSpec
  private let rule: ScaleRule

  /// What the search needs of a layer.
  private struct Layer {
    let channels: [Int?]
    let weights: Tensor
    let energy: OutputEnergy
    /// Energy of the outputs, so that layers of different size have one say each.
    let reference: Double
  }

  init(
    _ readers: [SiteReader], _ measured: [ValueID: ChannelStatistics], width: Int,
    _ spec: QuantizationSpec, _ rule: ScaleRule, in graph: Graph
  ) throws {
    (self.spec, self.rule) = (spec, rule)
    let folder = ConstantFolder(graph)
    var squares = [Double](repeating: 0, count: width)
    var energies: [ValueID: OutputEnergy] = [:]
    for (value, statistics) in measured {
      energies[value] = statistics.secondMoment.map { OutputEnergy(moment: $0) }
    }
    for reader in readers {
      for (channel, place) in reader.channels.enumerated() {
        if let place, let statistics = measured[reader.input] {
          squares[place] = max(squares[place], statistics.meanSquare[channel])
        }
      }
    }
    layers = try readers.compactMap { reader in
      guard let energy = energies[reader.input] else { return nil }
      let weights = try folder.fold(reader.weights)
      return Layer(
        channels: reader.channels, weights: weights, energy: energy,
        reference: try energy.of(weights))
    }
    salience = squares.map { $0.squareRoot() }
  }

  /// The best factors; nil if none are better than all 1.
  func best() throws -> (alpha: Double, factors: [Double])? {
    var best: (alpha: Double, factors: [Double])?
    var least = try error(of: salience.map { _ in 1 })
    for step in 1..<20 {
      let alpha = Double(step) / 20
      let candidate = factors(alpha)
      let error = try error(of: candidate)
      if error < least { (least, best) = (error, (alpha, candidate)) }
    }
    return best
  }

  /// Powers of the salience, at least 1e-4, in relation to the geometric mean of the greatest and the least.
  private func factors(_ alpha: Double) -> [Double] {
    let powers = salience.map {
      max(Double.exponential(alpha * Double.logarithm(max($0, 1e-30))), 1e-4)
    }
    let middle = ((powers.max() ?? 1) * (powers.min() ?? 1)).squareRoot()
    return powers.map { $0 / middle }
  }

  /// The error of the outputs of all layers, each relative to their energy.
  private func error(of factors: [Double]) throws -> Double {
    try layers.reduce(0) { sum, layer in
      let gains = layer.channels.map { Float($0.map { factors[$0] } ?? 1) }
      let rounded = try spec.nearestValues(of: layer.weights.scalingColumns(by: gains), rule)
        .scalingColumns(by: gains.map { 1 / $0 })
      let error = try layer.energy.of(rounded.subtracting(layer.weights))
      return sum + (layer.reference > 0 ? error / layer.reference : 0)
    }
  }
}
