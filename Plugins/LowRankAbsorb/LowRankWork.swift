import IRCPassKit

/// Measures and decomposes the layers of a graph, one after another.
struct LowRankWork {
  private let graph: Graph
  private let folder: ConstantFolder
  private let context: PassContext
  private let objective: LowRankObjective
  private let iterations: Int
  private let scheme: QuantizationScheme

  /// Share of the mean power that is added to each channel's, so that directions without any have an inverse.
  private static let damping = 0.01

  init(
    _ graph: Graph, _ context: PassContext, _ objective: LowRankObjective, _ iterations: Int,
    _ scheme: QuantizationScheme
  ) {
    self.graph = graph
    self.context = context
    self.objective = objective
    self.iterations = iterations
    self.scheme = scheme
    folder = ConstantFolder(graph)
  }

  /// What the calibration text says of each layer's input; nothing where weights alone decide.
  func moments(of layers: [LowRankLayer]) throws -> [ChannelStatistics?] {
    guard objective == .whitened else { return layers.map { _ in nil } }
    let statistics = try context.channelStatistics(
      pooling: layers.map { StatisticGroup([$0.input], .secondMoment) }, in: graph)
    for (layer, measured) in zip(layers, statistics) {
      try measured.requireRows(
        layer.inputs, for: "whitening the \(layer.inputs) inputs of '\(layer.members[0].name)'")
    }
    return statistics
  }

  /// The factors of a layer, and the share of the energy that they take.
  func factors(
    of layer: LowRankLayer, rank: Int, _ statistics: ChannelStatistics?
  ) throws -> (factors: LowRankFactors, share: Double) {
    try named(layer) {
      let weights = try layer.weights(folder)
      let norm = try LowRankNorm(statistics, scheme, damping: Self.damping)
      let whitened = try norm.whitened(weights)
      let first = try norm.factors(of: whitened, rank: rank)
      let energy = whitened.squaredNorm
      let share = energy > 0 ? first.values.reduce(0) { $0 + $1 * $1 } / energy : 0
      if iterations == 1 { return (first, share) }
      return (try alternate(from: first, weights, rank: rank, norm), share)
    }
  }

  /// Q = round(W − L) and L = SVD(W − Q) in turn; the L of least estimated error.
  private func alternate(
    from first: LowRankFactors, _ weights: Tensor, rank: Int, _ norm: LowRankNorm
  ) throws -> LowRankFactors {
    var (factors, best, least) = (first, first, Double.infinity)
    for iteration in 1...iterations {
      let rounded = try scheme.weights.nearestValues(of: factors.remainder(of: weights))
      let whitened = try norm.whitened(weights.adding(rounded, times: -1))
      let error = try norm.error(of: factors, whitened, rounded: rounded)
      guard error < least else { break }
      (best, least) = (factors, error)
      if iteration < iterations { factors = try norm.factors(of: whitened, rank: rank) }
    }
    return best
  }

  /// Ranks within `budget` bits per weight: the next one always goes where it takes the largest share of energy for its bits.
  func allocate(_ budget: Double, _ layers: [LowRankLayer], _ limits: [Int]) throws -> [Int] {
    var shares: [[Double]] = []
    for batch in zip(layers, limits).batches(size: \.0.momentBytes) {
      let moments = try moments(of: batch.map(\.0))
      for ((layer, limit), moment) in zip(batch, moments) {
        shares.append(try energyShares(of: layer, limit, moment))
      }
    }
    let weights = layers.reduce(0) { $0 + $1.outputs * $1.inputs }
    return LowRankBudget(bits: budget * Double(weights), costs: layers.map(\.bitsPerRank))
      .ranks(shares)
  }

  /// The share of a layer's energy that each rank takes.
  private func energyShares(
    of layer: LowRankLayer, _ limit: Int, _ statistics: ChannelStatistics?
  ) throws -> [Double] {
    if limit == 0 { return [] }
    return try named(layer) {
      let norm = try LowRankNorm(statistics, scheme, damping: Self.damping)
      let whitened = try norm.whitened(layer.weights(folder))
      let energy = whitened.squaredNorm
      return try norm.factors(of: whitened, rank: limit).values.map {
        energy > 0 ? $0 * $0 / energy : 0
      }
    }
  }

  /// Lets errors say which layer they come from.
  private func named<Result>(_ layer: LowRankLayer, _ body: () throws -> Result) throws -> Result {
    do { return try body() } catch var problem as Diagnostic {
      problem.notes.append("in the decomposition of \(layer.title)")
      throw problem
    }
  }
}
