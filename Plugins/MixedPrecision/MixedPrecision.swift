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
      `scheme`; `bytes` limits the size of all of them together, alone or besides. With none of these it is what the layers take as \
      `quantize` left them.

      With `kernel_times`, what `irc bench --suite kernels --json` measured, a format has a time in each layer as well, and `seconds` \
      limits that of all of them together for one token on one thread. The time of a layer is that of the measured product of one token \
      with the same formats and group, or with the same formats if there is none, whose bytes are nearest in ratio, multiplied by that \
      ratio: such products wait for their weights. Kernels of activations in 4 bits are those of 8. Formats that were not measured are \
      not chosen, which a remark tells; under `choices` they are an error.

      `metric` says how the loss of a format is measured, one layer at a time: `kl` and `sqnr` run the network over `tokens` \
      calibration tokens for each layer and format; `output-mse` runs it once for each 256 MiB of second moments of inputs, and \
      `weighted-mse` once. The \
      allocation is then measured as a whole, with activations as `quantize` left them, and compared with every single format \
      that keeps the budget. The best is taken, so that on these tokens, with weights rounded to nearest, no single format \
      of the size loses less.

      Metrics and solvers are components: a plugin can bring others.

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
    remarks: [allocated, frontier, measured, timed, solved, leftOut, unmeasured])

  static let changed = Statistic("changed", "Weights that were given another format.")
  static let kept = Statistic("kept", "Weights whose format is as it was.")
  static let allocated = RemarkKind("allocated", .passed, "The format of a weight.")
  static let frontier = RemarkKind(
    "frontier", .analysis, "The least loss that a number of bits buys.")
  static let measured = RemarkKind(
    "measured", .analysis, "What an allocation was predicted to lose, and what it loses.")
  static let timed = RemarkKind(
    "timed", .analysis, "How long a token takes in these layers, by the times that were given.")
  static let solved = RemarkKind(
    "solved", .analysis, "What the solver says of its choice, such as that a better one may exist.")
  static let leftOut = RemarkKind("left-out", .missed, "A layer has no format to choose.")
  static let unmeasured = RemarkKind(
    "unmeasured", .missed, "Formats are not chosen, since `kernel_times` has no time of them.")

  @PassOption("Average bits for each weight, scales included; null: what the scheme says.")
  public var bits: AverageBits? = nil
  @PassOption(
    "Bytes that the weights of these layers take together at most, scales included; null: no limit but that of bits.",
    in: 1...1_000_000_000_000)
  public var bytes: Int? = nil
  @PassOption(
    "Seconds that one token takes in these layers at most, by `kernel_times`; null: no limit.",
    in: 0.000_000_001...1000)
  public var seconds: Double? = nil
  @PassOption("What kernels take on the machine in question: the path of what `irc bench` printed.")
  public var kernelTimes: KernelTimes? = nil
  @PassOption("The scheme of `quantize`, whose bits are the budget if it states any.")
  public var scheme: QuantizationScheme? = nil
  @PassOption(
    "Schemes whose weight formats can be chosen; none: integers near the budget in groups of 32, 64 and 128."
  )
  public var choices: [QuantizationScheme] = []
  @PassOption("How losses are measured.")
  public var metric = ComponentName<SensitivityMetrics>("kl")
  @PassOption("How the choice is made.")
  public var solver = ComponentName<AllocationSolvers>("exact")
  @PassOption("Layers that read one value share a format.")
  public var tieInputs = false
  @PassOption(
    "Lists of patterns of weights' names: all weights that some pattern of one list matches share a format."
  )
  public var ties: [[NamePattern]] = []
  @PassOption("Calibration tokens that logits are compared on.", in: 1...1_000_000)
  public var tokens = 1024

  public init() {}

  public func check() -> [String] {
    seconds != nil && kernelTimes == nil
      ? ["'seconds' is a limit of what 'kernel_times' says: give both"] : []
  }

  public func run(on graph: inout Graph, in context: PassContext) throws {
    let layers = selectLayers(in: graph, context)
    if layers.isEmpty { return }
    let metric = try context.component(metric)
    let solver = try context.component(solver)
    let budget = try self.budget(of: layers, in: graph)
    let formats = try formats(within: budget, for: layers, in: graph)
    let (specs, times) = (formats.specs, formats.times)
    if !formats.unmeasured.isEmpty {
      context.remark(
        Self.unmeasured, at: .unknown,
        "not chosen, since 'kernel_times' has no product of one token on one thread with: \(formats.unmeasured.joined(separator: ", "))"
      )
    }
    try checkBudget(budget, of: layers, formats)
    let budgets = try budgets(budget, times)
    let groups = try tiedGroups(of: layers)
    let network = try MeasuredNetwork(withoutRounding(graph, layers), tokens: tokens, context)
    let losses = try metric.losses(of: layers, as: specs, in: network)
    try checkLosses(losses, of: layers, as: specs, in: network.graph)
    let allocation = Allocation(
      layers: layers, specs: specs, losses: losses, groups: groups, times: times)
    tell(allocation, context)
    let chosen = try choose(allocation, by: solver, within: budgets, graph, network, context)
    if let time = allocation.time(of: chosen) {
      context.remark(
        Self.timed, at: .unknown,
        "one token takes \((Double(time) * 1e-6).remarkText) us in \(layers.count) layers, by 'kernel_times'"
      )
    }
    for (layer, choice) in zip(layers, chosen) {
      let spec = specs[choice]
      context.remark(
        Self.allocated, at: graph.producer(of: layer.source).location,
        "'\(layer.name)': \(spec.format), \(spec.granularity)")
      context.count(spec == layer.spec ? Self.kept : Self.changed)
    }
    try apply(chosen, of: allocation, to: &graph, context)
  }

  /// Rounds each layer's weight to the format that was chosen for it.
  private func apply(
    _ choices: [Int], of allocation: Allocation, to graph: inout Graph, _ context: PassContext
  ) throws {
    for (layer, choice) in zip(allocation.layers, choices) {
      let spec = allocation.specs[choice]
      if spec == layer.spec { continue }
      let place = context.derived(from: graph.producer(of: layer.source).location)
      let value = try graph.round(layer.source, to: spec, before: layer.operation, at: place)
      graph.setOperand(1, of: layer.operation, to: value)
    }
    graph.removeDeadOperations()
    graph.mergeEqualOperations()
  }

  /// How many bits there are is known, and which layers compete for them.
  public func forecast(on graph: inout Graph, in context: PassContext) throws -> PassForecast {
    let layers = selectLayers(in: graph, context)
    if layers.isEmpty { return .certain }
    let average = try budget(of: layers, in: graph).average
    return .open(
      "the formats of \(layers.count) weights, of \(average.remarkText) bits on average, are chosen by what they cost the predictions"
    )
  }

  func selectLayers(in graph: Graph, _ context: PassContext) -> [RoundedLinear] {
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

  /// Formats that are near the budget, measured or not: what the user named, else integers near the budget, since a layer that would take much more or
  /// much less pays with all the others.
  func candidates(
    within budget: BitBudget, for layers: [RoundedLinear]
  ) -> [QuantizationSpec] {
    var specs = choices.map(\.weights)
    let start = layers[0].spec
    if specs.isEmpty {
      for format in NumericFormat.all {
        guard case .integer(let bits) = format,
          (-2.5...2.5).contains(Double(bits) - min(budget.average, 8))
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

  /// Refuses losses that cannot be added up and compared.
  private func checkLosses(
    _ losses: [[Double]], of layers: [RoundedLinear], as specs: [QuantizationSpec], in real: Graph
  ) throws {
    guard losses.count == layers.count, losses.allSatisfy({ $0.count == specs.count }) else {
      throw PassError(
        "sensitivity metric '\(metric.name)' gives no loss for some layers or formats",
        hint: "it is to give one for each format of each layer")
    }
    for (layer, losses) in zip(layers, losses) where !losses.allSatisfy(\.isFinite) {
      throw PassError(
        "rounding '\(layer.name)' makes the network's output infinite or no number",
        at: real.producer(of: layer.source).location,
        hint: "leave it out with 'exclude' of quantize, or choose formats of more bits")
    }
  }

  /// The frontier in a few points.
  private func tell(_ allocation: Allocation, _ context: PassContext) {
    let points = allocation.frontier
    let step = max(1, (points.count + 15) / 16)
    for index in stride(from: 0, to: points.count, by: step) {
      let point = points[index]
      context.remark(
        Self.frontier, at: .unknown,
        "\(allocation.average(point.cost).remarkText) bits: predicted \(metric.name) \(point.loss)"
      )
    }
  }

  /// The allocation with the least loss of those measured as a whole: the solver's, and each format for all.
  private func choose(
    _ allocation: Allocation, by solver: any AllocationSolver, within budget: Budgets,
    _ graph: Graph, _ network: MeasuredNetwork, _ context: PassContext
  ) throws -> [Int] {
    guard let (solved, note) = try allocation.solve(solver, within: budget) else {
      throw PassError(
        "solver '\(self.solver.name)' finds no choice of formats that keeps the budget",
        hint: budget.time == nil
          ? "raise 'bits' or 'bytes', or choose another solver"
          : "raise 'bits', 'bytes' or 'seconds', or choose another solver")
    }
    if let note {
      context.remark(Self.solved, at: .unknown, "solver '\(self.solver.name)': \(note)")
    }
    let uniform = allocation.specs.indices.map { choice in allocation.layers.map { _ in choice } }
      .filter { budget.holds(allocation.bits(of: $0), allocation.time(of: $0)) }
    var best: (choices: [Int], loss: Double)?
    for choices in [solved] + uniform {
      var rounded = graph
      try apply(choices, of: allocation, to: &rounded, context)
      let divergence = try network.logits.divergence(of: rounded).kullbackLeibler
      let name =
        choices == solved
        ? "the allocation"
        : "\(allocation.specs[choices[0]].format) \(allocation.specs[choices[0]].granularity) for all"
      context.remark(
        Self.measured, at: .unknown,
        "\(name), \(allocation.average(allocation.bits(of: choices)).remarkText) bits: predicted "
          + "\(metric.name) \(allocation.loss(of: choices)), measured kl \(divergence)")
      if divergence < best?.loss ?? .infinity { best = (choices, divergence) }
    }
    guard let best else {
      throw PassError(
        "with every choice of formats the network's output is infinite or no number",
        hint: "raise the budget, or leave layers out with 'exclude' of quantize")
    }
    if best.choices != solved {
      context.remark(
        Self.measured, at: .unknown,
        "one format for all loses less than the allocation on this text, and is taken: \(allocation.specs[best.choices[0]].format) "
          + "\(allocation.specs[best.choices[0]].granularity)")
    }
    return best.choices
  }
}
