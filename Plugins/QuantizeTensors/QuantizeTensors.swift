public import IRCPassKit

/// Rounds weights to the nearest code of a format, and the inputs of linear layers and what attention keeps if the scheme says so.
///
///     before: %y = linear %x, %w
///     after:  %s = quant_params %w   %q = quantize %w, %s   %v = dequantize %q, %s
///             %y = linear %x', %v                            // %x' likewise where activations are quantized
///
/// Running the graph afterwards is the simulation of the quantized network. Weights stay lazy: nothing is rounded until
/// they are written.
public struct QuantizeTensors: Pass {
  public static let info = PassInfo(
    name: "quantize",
    summary:
      "Round weights, and activations and caches if the scheme says so, to the nearest code.",
    details: """
      Applies a scheme to every linear layer and embedding table whose weights are constants and whose tensor name passes \
      `include` and `exclude`. Dynamic activation scales are measured for each token as it runs; static ones come from \
      calibration. With `cache`, keys and values of attention are kept as codes, each head of a token with its scale, and queries \
      are rounded alike, in all layers, whatever `include` and `exclude` say of their weights; what attention reads must be rows that \
      are appended to a state for it alone. A weight that an earlier \
      pass made and keeps real, as a low-rank branch, stays so.
      """,
    establishes: [.quantized], preservesFunction: false, usesCalibration: true,
    statistics: [quantized, skipped, caches],
    remarks: [rounded, leftOut, matched, cached, cacheLeftOut])

  static let quantized = Statistic("quantized", "Weights given a format.")
  static let skipped = Statistic("skipped", "Weights left as they were.")
  static let caches = Statistic("caches", "States of keys or values that hold codes.")
  static let rounded = RemarkKind("rounded", .passed, "Weights were given a format.")
  static let leftOut = RemarkKind("left-out", .missed, "Weights were left as they were.")
  static let matched = RemarkKind("matched", .analysis, "How many weights a pattern matches.")
  static let cached = RemarkKind("cached", .passed, "Keys or values are kept as codes.")
  static let cacheLeftOut = RemarkKind(
    "cache-left-out", .missed, "The scheme names a format for caches, and keys or values stay real."
  )

  @PassOption("Formats of weights, activations, embedding tables and caches.")
  public var scheme = QuantizationScheme.roundToNearestInt8
  @PassOption("Weights to quantize, as globs over tensor names.")
  public var include = [NamePattern("*")]
  @PassOption("Weights to leave alone, as globs over tensor names; wins over include.")
  public var exclude: [NamePattern] = []

  public init() {}

  /// A scheme with a budget of bits needs a pass that meets it.
  public var effects: PassEffects {
    var effects = Self.info.effects
    if scheme.bits != nil { effects.establishes.append(.formatsOpen) }
    return effects
  }

  /// Static scales are measured; dynamic ones are found as it runs.
  public var needsCalibration: Bool { scheme.activations?.isStatic == true }

  /// Static scales take a pass over the calibration text; all else is left to whoever writes the weights.
  public var isCostly: Bool { needsCalibration }

  public func run(on graph: inout Graph, in context: PassContext) throws {
    let targets = try selectTargets(in: graph, context)
    var inputs: [ValueID: ValueID] = [:]
    if let activations = scheme.activations {
      inputs = try quantizeInputs(of: targets, activations, in: &graph, context)
    }
    for target in targets {
      let weights = graph[target.operation].operands[1]
      let rounded = try roundTrip(
        weights, scales: nil, target.spec, before: target.operation, in: &graph, context)
      graph.setOperand(1, of: target.operation, to: rounded)
      if target.isLinear, let input = inputs[graph[target.operation].operands[0]] {
        graph.setOperand(0, of: target.operation, to: input)
      }
      context.count(Self.quantized)
      context.remark(
        Self.rounded, at: graph.producer(of: weights).location,
        "'\(target.name)' \(graph.type(of: weights)) to \(target.spec.format), \(target.spec.granularity)"
      )
    }
    graph.stage = .quantized
    if let format = scheme.cache { try keepCodes(format, in: &graph, context) }
    graph.mergeEqualOperations()
  }

  /// Static scales take a run over the text.
  public func work(
    on graph: Graph, calibrationTokens tokens: Int, in context: PassContext
  ) throws -> PassWork {
    PassWork(networkTokens: isCostly ? tokens : 0)
  }

  /// Formats are the scheme's, whatever ranges are measured.
  public func forecast(on graph: inout Graph, in context: PassContext) throws -> PassForecast {
    try run(on: &graph, in: context)
    return .certain
  }

  /// An operation whose weights (operand 1) are to be quantized.
  private struct Target {
    let operation: OperationID
    let name: String
    let spec: QuantizationSpec
    let isLinear: Bool
  }

  private func selectTargets(in graph: Graph, _ context: PassContext) throws -> [Target] {
    let constants = graph.constants()
    let patterns = WeightPatterns(include: include, exclude: exclude)
    var targets: [Target] = []
    var names: [String] = []
    for operation in graph.operations {
      let isLinear = operation.op is Linear
      // What is computed from constants alone, such as a bias, is no layer.
      guard isLinear || operation.op is Embedding, !constants.contains(operation.result) else {
        continue
      }
      let weights = operation.operands[1]
      guard constants.contains(weights) else {
        leaveOut(operation, "its weights are computed at run time", context)
        continue
      }
      let name = graph.parameterName(of: weights) ?? ""
      if graph.isKeptReal(weights) {
        leaveOut(operation, "the pass that made '\(name)' keeps it real", context)
        continue
      }
      names.append(name)
      if let reason = patterns.refusal(of: name) {
        leaveOut(operation, reason, context)
        continue
      }
      if graph.definition(of: weights, as: Dequantize.self) != nil {
        throw PassError(
          "'\(name)' has a format already, that an earlier pass gave it", at: operation.location,
          hint: "leave it out of one of the two with 'exclude', or remove the second pass")
      }
      guard let spec = isLinear ? scheme.weights : scheme.embeddings else {
        leaveOut(operation, "the scheme leaves embeddings real", context)
        continue
      }
      targets.append(
        Target(operation: operation.id, name: name, spec: spec, isLinear: isLinear))
    }
    for sentence in try patterns.countMatches(among: names) {
      context.remark(Self.matched, at: .unknown, sentence)
    }
    return targets
  }

  private func leaveOut(_ operation: Operation, _ reason: String, _ context: PassContext) {
    context.count(Self.skipped)
    context.remark(Self.leftOut, at: operation.location, reason)
  }

  /// Quantizes and dequantizes each value that a target linear layer reads; returns what to read instead.
  private func quantizeInputs(
    of targets: [Target], _ activations: QuantizationScheme.Activations, in graph: inout Graph,
    _ context: PassContext
  ) throws -> [ValueID: ValueID] {
    var order: [(value: ValueID, reader: OperationID)] = []
    for target in targets where target.isLinear {
      let value = graph[target.operation].operands[0]
      if !order.contains(where: { $0.value == value }) { order.append((value, target.operation)) }
    }
    var statistics: [ValueID: ValueStatistics] = [:]
    if activations.isStatic {
      statistics = try context.statistics(of: Set(order.map(\.value)), in: graph)
    }
    var inputs: [ValueID: ValueID] = [:]
    for (value, reader) in order {
      var scales: [ValueID]?
      if activations.isStatic {
        guard let measured = statistics[value] else {
          throw PassError("calibration measured nothing for an input of '\(reader)'")
        }
        scales = try staticScales(measured, activations, before: reader, in: &graph, context)
      }
      inputs[value] = try roundTrip(
        value, scales: scales, activations.spec, before: reader, in: &graph, context)
    }
    return inputs
  }

  /// Scale and zero point of a range found by calibration: the parameters of a constant that spans it.
  private func staticScales(
    _ measured: ValueStatistics, _ activations: QuantizationScheme.Activations,
    before reader: OperationID, in graph: inout Graph, _ context: PassContext
  ) throws -> [ValueID] {
    let (lower, upper) = try activations.bounds(of: measured)
    let range = try graph.add(
      Generated(shape: [1, 2], values: .inline([lower, upper])), before: reader,
      at: context.derived(from: .unknown))
    return try graph.add(
      QuantizationParameters(spec: activations.spec), range, before: reader,
      at: context.derived(from: .unknown))
  }

  /// `dequantize(quantize(value))`, with scales from the value itself unless they are given.
  private func roundTrip(
    _ value: ValueID, scales: [ValueID]?, _ spec: QuantizationSpec, before anchor: OperationID,
    in graph: inout Graph, _ context: PassContext
  ) throws -> ValueID {
    try graph.round(
      value, to: spec, under: scales, before: anchor,
      at: context.derived(from: graph.producer(of: value).location))
  }
}
