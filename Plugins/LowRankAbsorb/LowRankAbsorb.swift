public import IRCPassKit

/// Splits weights into a branch of low rank in 16 bits, which takes what is large, and a rest that is easy to quantize.
///
///     before: %y = linear %x, %w
///     after:  %h = linear %x, %down                        // [rank, in], shared by all layers that read %x
///             %y = (linear %x, %w − %up·%down) + (linear %h, %up)
///
/// Exact in real arithmetic: the rest takes what the branch lacks, its rounding to half precision too. The rest stays symbolic and
/// is folded some rows at a time when it is written. `quantize`, which comes after, leaves the branch as it is.
public struct LowRankAbsorb: Pass {
  public static let info = PassInfo(
    name: "low-rank-absorb",
    summary: "Let a 16-bit branch of low rank take what is hard to quantize in linear layers.",
    details: """
      The branch of a weight W is its truncated singular value decomposition. With `objective: plain` the rest W − L is least; that \
      bounds the errors of both, weights and activations. With `objective: whitened` the output of the rest, (W − L)·x over the \
      calibration text, is least. Layers that read the same value are decomposed together and share the down-projection.

      With `iterations` above 1, decomposition and rounding alternate: L is found again from W − Q, where Q is the rounded \
      rest, until the estimated error rises, and the best L is kept.

      Statistics are measured for as many inputs at a time as fit into memory with one another; only one group of layers is \
      decomposed at a time.
      """,
    paper:
      "SVDQuant (arXiv 2411.05007), section 4.2; LQ-LoRA (arXiv 2311.12023), section 3.1",
    conflicts: FactConflict.changesOfWeights, establishes: [.branchesAbsorbed],
    preservesFunction: true, tolerance: 1e-8, usesCalibration: true,
    statistics: [absorbed, skipped], remarks: [branch, reduced, leftOut, matched])

  static let absorbed = Statistic("absorbed", "Linear layers that got a branch.")
  static let skipped = Statistic("skipped", "Linear layers left as they were.")
  static let branch = RemarkKind("branch", .passed, "What the branch of a layer takes.")
  static let reduced = RemarkKind("reduced", .analysis, "A layer gets a lower rank.")
  static let leftOut = RemarkKind("left-out", .missed, "A linear layer was left as it was.")
  static let matched = RemarkKind("matched", .analysis, "How many weights a pattern matches.")

  @PassOption(
    "Rank of the branches; less where more would cost more bits than the layer saves.",
    in: 1...65536)
  public var rank = 32
  @PassOption("What the branch makes least: the rest itself, or the rest's output.")
  public var objective = LowRankObjective.plain
  @PassOption("How often decomposition and rounding alternate at most.", in: 1...100)
  public var iterations = 1
  @PassOption("Bits per weight that branches take on average; ranks go where they help most.")
  public var budget: Double? = nil
  @PassOption("Formats that costs and alternation reckon with: those of `quantize`.")
  public var scheme = QuantizationScheme.roundToNearestInt8
  @PassOption("Weights to split, as globs over tensor names.")
  public var include = [NamePattern("*")]
  @PassOption("Weights to leave alone, as globs over tensor names; wins over include.")
  public var exclude: [NamePattern] = []

  public init() {}

  public func check() -> [String] {
    if let budget, budget <= 0 { return ["'budget' must be above 0, or null for none"] }
    return []
  }

  public var needsCalibration: Bool { objective == .whitened }

  public func run(on graph: inout Graph, in context: PassContext) throws {
    let layers = try selectLayers(in: graph, context)
    // Values mean the same before and after, so everything is measured where the pass began.
    let work = LowRankWork(graph, context, objective, iterations, scheme)
    let ranks = try chooseRanks(of: layers, work, context)
    for batch in zip(layers, ranks).batches(size: \.0.momentBytes) {
      let moments = try work.moments(of: batch.map(\.0))
      for ((layer, rank), moment) in zip(batch, moments) where rank > 0 {
        let found = try work.factors(of: layer, rank: rank, moment)
        try layer.absorb(found.factors, in: &graph, context)
        context.count(Self.absorbed, by: layer.members.count)
        context.remark(
          Self.branch, at: graph[layer.members[0].operation].location,
          "\(layer.title): rank \(rank) takes \(percent(found.share)) of the energy")
      }
    }
    graph.mergeEqualOperations()
  }

  /// Linear layers by the value that they read, in the graph's order.
  func selectLayers(in graph: Graph, _ context: PassContext) throws -> [LowRankLayer] {
    let constants = graph.constants()
    let patterns = WeightPatterns(include: include, exclude: exclude)
    var names: [String] = []
    var layers: [LowRankLayer] = []
    for (operation, _) in graph.operations(of: Linear.self)
    where !constants.contains(operation.result) {
      let (input, weights) = (operation.operands[0], operation.operands[1])
      guard constants.contains(weights), let shape = graph.type(of: weights).fixedShape else {
        leaveOut(operation, "its weights are computed at run time", context)
        continue
      }
      let name = graph.parameterName(of: weights) ?? ""
      if graph.isKeptReal(weights) || graph.definition(of: weights, as: Dequantize.self) != nil {
        leaveOut(operation, "the format of '\(name)' is chosen already", context)
        continue
      }
      names.append(name)
      if let reason = patterns.refusal(of: name) {
        leaveOut(operation, reason, context)
        continue
      }
      let member = LowRankLayer.Member(
        operation: operation.id, name: name, weights: weights, outputs: shape[0])
      if let index = layers.firstIndex(where: { $0.input == input }) {
        layers[index].members.append(member)
      } else {
        layers.append(LowRankLayer(input: input, inputs: shape[1], members: [member]))
      }
    }
    for sentence in try patterns.countMatches(among: names) {
      context.remark(Self.matched, at: .unknown, sentence)
    }
    return layers
  }

  /// A rank for each layer, 0 where no branch pays.
  private func chooseRanks(
    of layers: [LowRankLayer], _ work: LowRankWork, _ context: PassContext
  ) throws -> [Int] {
    let limits = layers.map { layer in
      let limit = layer.largestRank(scheme.weights)
      if limit == 0 {
        context.count(Self.skipped, by: layer.members.count)
        context.remark(
          Self.leftOut, at: .unknown,
          "\(layer.title): a branch of any rank costs more bits than the layer saves",
          hint: "'exclude' it, or choose a scheme with fewer bits")
      } else if limit < rank {
        context.remark(
          Self.reduced, at: .unknown,
          "\(layer.title): rank \(limit) and not \(rank), since more costs more bits than the layer saves"
        )
      }
      return min(limit, rank)
    }
    guard let budget else { return limits }
    let ranks = try work.allocate(budget, layers, limits)
    for (layer, rank) in zip(layers, ranks) where rank == 0 && layer.largestRank(scheme.weights) > 0
    {
      context.count(Self.skipped, by: layer.members.count)
      context.remark(
        Self.leftOut, at: .unknown, "\(layer.title): the budget goes to other layers",
        hint: "raise 'budget'")
    }
    return ranks
  }

  private func leaveOut(_ operation: Operation, _ reason: String, _ context: PassContext) {
    context.count(Self.skipped)
    context.remark(Self.leftOut, at: operation.location, reason)
  }
}

/// What a branch of low rank makes least.
public enum LowRankObjective: String, PassOptionChoice, Sendable {
  /// The sum of the squares of what the branch leaves of the weight.
  case plain
  /// The mean square of what the branch leaves of the output, over the calibration text.
  case whitened
}

private func percent(_ share: Double) -> String { "\((share * 1000).rounded() / 10) %" }
