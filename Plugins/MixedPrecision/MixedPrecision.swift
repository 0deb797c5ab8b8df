public import IRCPassKit

/// Gives each weight a format of its own, so that all of them together keep a budget of bits with the least loss.
///
///     before: %y = linear %x, dequantize(quantize(%w, …))     // one format for all
///     after:  the same with other formats
///
/// Measures what each format of each layer costs alone, adds up losses, and solves the choice exactly.
public struct MixedPrecision: Pass {
  public static let info = PassInfo(
    name: "mixed-precision",
    summary: "Choose a format for each weight within a budget of bits.",
    details: """
      Works on every linear layer that `quantize` has given a format; activations and embedding tables stay as they are. The budget \
      is an average of bits for each weight of these layers, scales and zero points included: `bits`, else the `bits` of \
      `scheme`, else what the layers take as `quantize` left them.

      `metric` says how the loss of a format is measured, one layer at a time: `kl` and `sqnr` run the network over `tokens` \
      calibration tokens for each layer and format, `output-mse` and `weighted-mse` need one pass for second moments. The \
      allocation is then measured as a whole and compared with every single format that keeps the budget; the best is \
      taken, so that the result is never worse than one format for all on the text that was measured.

      Comes before passes that round anew, such as `gptq`.
      """,
    paper: "HAWQ-V2 (arXiv 1911.03852), section 3; Q-Palette (arXiv 2509.20214), section 4",
    requires: [.quantized],
    conflicts: [
      FactConflict(.codesSolved, "would undo the rounding of weights"),
      FactConflict(.scalesSearched, "would undo the search for scales"),
    ],
    preserves: .except([.formatsOpen]), preservesFunction: false,
    usesCalibration: true,
    statistics: [changed, kept],
    remarks: [allocated, frontier, measured, leftOut])

  static let changed = Statistic("changed", "Weights that were given another format.")
  static let kept = Statistic("kept", "Weights whose format is as it was.")
  static let allocated = RemarkKind("allocated", .passed, "The format of a weight.")
  static let frontier = RemarkKind(
    "frontier", .analysis, "The least loss that a number of bits buys.")
  static let measured = RemarkKind(
    "measured", .analysis, "What an allocation was predicted to lose, and what it loses.")
  static let leftOut = RemarkKind("left-out", .missed, "A layer has no format to choose.")

  @PassOption("Average bits for each weight, scales included; null: what the scheme says.")
  public var bits: AverageBits? = nil
  @PassOption("The scheme of `quantize`, whose bits are the budget if it states any.")
  public var scheme: QuantizationScheme? = nil
  @PassOption(
    "Schemes whose weight formats can be chosen; none: integers near the budget in groups of 32, 64 and 128."
  )
  public var choices: [QuantizationScheme] = []
  @PassOption("How losses are measured.")
  public var metric = SensitivityMetric.kl
  @PassOption("How the choice is made.")
  public var solver = SolverChoice.exact
  @PassOption("Layers that read one value share a format.")
  public var tieInputs = false
  @PassOption("Calibration tokens that logits are compared on.", in: 1...1_000_000)
  public var tokens = 1024

  public init() {}

  public func run(on graph: inout Graph, in context: PassContext) throws {
    let layers = selectLayers(in: graph, context)
    if layers.isEmpty { return }
    let average = try averageBits(of: layers, in: graph)
    let specs = candidates(around: average, for: layers)
    try checkBudget(average, of: layers, specs)
    let real = withoutRounding(graph, layers)
    let logits = try LogitMeasurements(of: real, tokens: tokens, context)
    let losses = try self.losses(of: layers, as: specs, in: real, logits, context)
    let allocation = Allocation(
      layers: layers, specs: specs, losses: losses, groups: groups(of: layers, in: graph))
    let budget = Self.budget(average, for: allocation.weightCount)
    tell(allocation, upTo: budget, context)
    let chosen = try choose(allocation, within: budget, real, logits, context)
    for (layer, choice) in zip(layers, chosen) {
      let spec = specs[choice]
      context.remark(
        Self.allocated, at: graph.producer(of: layer.source).location,
        "'\(layer.name)': \(spec.format), \(spec.granularity)")
      if spec == layer.spec {
        context.count(Self.kept)
        continue
      }
      let place = context.derived(from: graph.producer(of: layer.source).location)
      let value = try graph.round(layer.source, to: spec, before: layer.operation, at: place)
      graph.setOperand(1, of: layer.operation, to: value)
      context.count(Self.changed)
    }
    graph.removeDeadOperations()
    graph.mergeEqualOperations()
  }

  /// How many bits there are is known, and which layers compete for them.
  public func forecast(on graph: inout Graph, in context: PassContext) throws -> PassForecast {
    let layers = selectLayers(in: graph, context)
    if layers.isEmpty { return .certain }
    let bits = try averageBits(of: layers, in: graph).remarkText
    return .open(
      "the formats of \(layers.count) weights, of \(bits) bits on average, are chosen by what they cost the predictions"
    )
  }

  private func selectLayers(in graph: Graph, _ context: PassContext) -> [RoundedLinear] {
    let constants = graph.constants()
    return graph.operations(of: Linear.self).compactMap { operation, _ in
      if constants.contains(operation.result) { return nil }
      guard let layer = RoundedLinear(operation, in: graph, constants: constants) else {
        context.remark(
          Self.leftOut, at: operation.location, "the weight is not rounded to nearest")
        return nil
      }
      // Another format for one reader would store the weight twice.
      guard graph.readerCount(of: layer.rounded) == 1 else {
        context.remark(
          Self.leftOut, at: operation.location, "'\(layer.name)' is read in other places too",
          hint: "'fold-norm-gains' gives an output layer a copy of its own")
        return nil
      }
      return layer
    }
  }

  /// The network without any rounding of the layers' weights and inputs.
  private func withoutRounding(_ graph: Graph, _ layers: [RoundedLinear]) -> Graph {
    var graph = graph
    for layer in layers {
      graph.setOperand(0, of: layer.operation, to: layer.realInput)
      graph.setOperand(1, of: layer.operation, to: layer.source)
    }
    return graph
  }

  /// Bits for each weight that are asked for.
  private func averageBits(of layers: [RoundedLinear], in graph: Graph) throws -> Double {
    if let asked = bits?.value ?? scheme?.bits { return asked }
    if graph.facts.contains(.formatsOpen) {
      throw PassError(
        "the scheme of 'quantize' states a budget of bits, and this pass was not told",
        hint: "write 'scheme: $scheme' here as there, or say 'bits'")
    }
    let weights = layers.reduce(0) { $0 + $1.shape.reduce(1, *) }
    let stored = layers.reduce(0) {
      $0 + $1.spec.storedBits(rows: $1.shape[0], columns: $1.shape[1])
    }
    return Double(stored) / Double(max(1, weights))
  }

  /// The formats to choose from: what the user named, else integers near the budget, since a layer that would take much more or
  /// much less pays with all the others.
  private func candidates(
    around average: Double, for layers: [RoundedLinear]
  ) -> [QuantizationSpec] {
    var specs = choices.map(\.weights)
    let start = layers[0].spec
    if specs.isEmpty {
      for format in NumericFormat.all {
        guard case .integer(let bits) = format,
          (-2.5...2.5).contains(Double(bits) - min(average, 8))
        else {
          continue
        }
        for size in [32, 64, 128] {
          specs.append(
            QuantizationSpec(
              format, .group(size), isSymmetric: start.isSymmetric,
              scaleFormat: start.scaleFormat))
        }
      }
      specs += layers.map(\.spec)
    }
    var seen: Set<QuantizationSpec> = []
    return specs.filter { seen.insert($0).inserted }
  }

  private func losses(
    of layers: [RoundedLinear], as specs: [QuantizationSpec], in real: Graph,
    _ logits: LogitMeasurements, _ context: PassContext
  ) throws -> [[Double]] {
    let folder = ConstantFolder(real)
    let sensitivity: any Sensitivity
    switch metric {
    case .kl:
      sensitivity = LogitSensitivity(logits: logits, folder: folder) { $0.kullbackLeibler }
    case .sqnr:
      sensitivity = LogitSensitivity(logits: logits, folder: folder) { $0.noise }
    case .outputMSE:
      return try layers.batches { 16 * $0.shape[1] * $0.shape[1] }.flatMap { batch in
        let statistics = try measure(batch, .secondMoment, in: real, context)
        return try finite(
          OutputSensitivity(folder: folder, moments: statistics.compactMapValues(\.secondMoment)),
          of: batch, as: specs, in: real)
      }
    case .weightedMSE:
      sensitivity = TraceSensitivity(
        folder: folder, statistics: try measure(layers, .range, in: real, context))
    }
    return try finite(sensitivity, of: layers, as: specs, in: real)
  }

  private func measure(
    _ layers: [RoundedLinear], _ request: StatisticRequest, in real: Graph, _ context: PassContext
  ) throws -> [ValueID: ChannelStatistics] {
    let requests = layers.map { ($0.realInput, request) }
    return try context.channelStatistics(
      of: Dictionary(requests) { first, _ in first }, in: real)
  }

  private func finite(
    _ sensitivity: any Sensitivity, of layers: [RoundedLinear], as specs: [QuantizationSpec],
    in real: Graph
  ) throws -> [[Double]] {
    try layers.map { layer in
      let losses = try sensitivity.losses(of: layer, as: specs)
      guard losses.allSatisfy(\.isFinite) else {
        throw PassError(
          "rounding '\(layer.name)' makes the network's output infinite or no number",
          at: real.producer(of: layer.source).location,
          hint: "leave it out with 'exclude' of quantize, or choose formats of more bits")
      }
      return losses
    }
  }

  /// Indices of layers that share a format.
  private func groups(of layers: [RoundedLinear], in graph: Graph) -> [[Int]] {
    guard tieInputs else { return layers.indices.map { [$0] } }
    var groups: [[Int]] = []
    var places: [ValueID: Int] = [:]
    for (index, layer) in layers.enumerated() {
      if let place = places[layer.realInput] {
        groups[place].append(index)
      } else {
        places[layer.realInput] = groups.count
        groups.append([index])
      }
    }
    return groups
  }

  /// Bits for so many weights together.
  private static func budget(_ average: Double, for weights: Int) -> Int {
    // An average that was computed from whole bits must give them back.
    Int((average * Double(weights) + 0.001).rounded(.down))
  }

  /// Refuses a budget that the smallest formats exceed, before anything is measured.
  private func checkBudget(
    _ average: Double, of layers: [RoundedLinear], _ specs: [QuantizationSpec]
  ) throws {
    let weights = layers.reduce(0) { $0 + $1.shape.reduce(1, *) }
    let least = layers.reduce(0) { sum, layer in
      sum + (specs.map { $0.storedBits(rows: layer.shape[0], columns: layer.shape[1]) }.min() ?? 0)
    }
    guard Self.budget(average, for: weights) >= least else {
      throw PassError(
        "\(text(average)) bits for each weight are too few: the smallest formats take \(text(Double(least) / Double(weights)))",
        hint: "raise 'bits', or add smaller formats to 'choices'")
    }
  }

  /// The frontier in a few points.
  private func tell(_ allocation: Allocation, upTo budget: Int, _ context: PassContext) {
    let points = allocation.frontier
    let step = max(1, (points.count + 15) / 16)
    for index in stride(from: 0, to: points.count, by: step) {
      let point = points[index]
      context.remark(
        Self.frontier, at: .unknown,
        "\(text(Double(point.cost) / Double(allocation.weightCount))) bits: predicted \(metric.rawValue) \(point.loss)"
      )
    }
  }

  /// The allocation with the least loss of those measured as a whole: the solver's, and each format for all.
  private func choose(
    _ allocation: Allocation, within budget: Int, _ real: Graph, _ logits: LogitMeasurements,
    _ context: PassContext
  ) throws -> [Int] {
    guard let solved = allocation.solve(solver.solver, within: budget) else {
      throw PassError("no choice of formats keeps the budget", hint: "raise 'bits'")
    }
    let uniform = allocation.specs.indices.map { choice in allocation.layers.map { _ in choice } }
      .filter { allocation.bits(of: $0) <= budget }
    var best: (choices: [Int], loss: Double)?
    for choices in [solved] + uniform {
      let formats = zip(allocation.layers, choices).map { ($0, allocation.specs[$1]) }
      let divergence = try logits.divergence(
        of: rounded(real, allocation, choices), formats
      ).kullbackLeibler
      let name =
        choices == solved
        ? "the allocation"
        : "\(allocation.specs[choices[0]].format) \(allocation.specs[choices[0]].granularity) for all"
      context.remark(
        Self.measured, at: .unknown,
        "\(name), \(text(Double(allocation.bits(of: choices)) / Double(allocation.weightCount))) bits: predicted "
          + "\(metric.rawValue) \(allocation.loss(of: choices)), measured kl \(divergence)")
      if divergence < best?.loss ?? .infinity { best = (choices, divergence) }
    }
    if let best, best.choices != solved {
      context.remark(
        Self.measured, at: .unknown,
        "one format for all loses less than the allocation on this text, and is taken: \(allocation.specs[best.choices[0]].format) "
          + "\(allocation.specs[best.choices[0]].granularity)")
    }
    return best?.choices ?? solved
  }

  private func rounded(
    _ real: Graph, _ allocation: Allocation, _ choices: [Int]
  ) throws -> Graph {
    var graph = real
    for (layer, choice) in zip(allocation.layers, choices) {
      let value = try graph.round(
        layer.source, to: allocation.specs[choice], before: layer.operation, at: .unknown)
      graph.setOperand(1, of: layer.operation, to: value)
    }
    return graph
  }

  private func text(_ bits: Double) -> String { "\((bits * 1000).rounded() / 1000)" }
}

/// How `mixed-precision` solves the choice.
public enum SolverChoice: String, PassOptionChoice {
  /// The best there is.
  case exact
  /// Step by step; for very many layers.
  case greedy

  var solver: AllocationSolver { self == .exact ? .exact : .greedy }
}

/// An average number of bits for each weight.
public struct AverageBits: PassOptionValue {
  /// The number.
  public let value: Double

  public static var schema: OptionSchema { .number(1...32) }

  /// States a number from 1 to 32.
  public init(_ value: Double) {
    precondition((1...32).contains(value), "an average of \(value) bits")
    self.value = value
  }

  public init(option: OptionValue) throws {
    value = try Double(option: option)
    guard (1...32).contains(value) else {
      throw DiagnosticList(
        option.span.error(
          "options.range", "expected \(Self.schema.description), found \(option.summary)"))
    }
  }

  public var optionText: String { value.optionText }
}
