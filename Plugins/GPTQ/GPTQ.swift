public import IRCPassKit

/// Rounds weights again, so that errors of some columns make up for those of others in what the layer computes.
///
///     before: %y = linear %x, dequantize(quantize(%w, %s), %s)
///     after:  %y = linear %x, dequantize(%codes, %t)          // %codes and %t are attached constants
///
/// One walk over the calibration text: at each distinct input of linear layers its second moment is taken, the layers that read
/// it are rounded, and the walk goes on with what they are now.
public struct GPTQ: Pass {
  public static let info = PassInfo(
    name: "gptq",
    summary: "Round weights column by column, so that later columns make up for earlier errors.",
    details: """
      Works on every linear layer that `quantize` has given a format, whatever the format, and replaces its rounding to nearest. \
      Inputs of a layer are measured with all earlier layers already rounded, activations included; layers that read the same \
      value share one decomposition.

      Scales of groups are found from the weights as they are when their first column is reached; with `act_order`, and where \
      `clip-search` has chosen them before, they stay as they are.

      With `importance` tokens do not count alike (RSQ): `attention` weighs a token by the attention that it gets in the layer's \
      block, `norm` by the length of the vector that goes into it.

      A layer with too few tokens, or whose inputs say nothing, keeps its rounding to nearest; a remark says so. Weights of \
      channels that are zero throughout the calibration text become zero.
      """,
    paper: "GPTQ (arXiv 2210.17323), section 3; RSQ (arXiv 2503.01820), section 3",
    requires: [.quantized],
    conflicts: [FactConflict(.codesSolved, "would find nothing left to round")],
    establishes: [.codesSolved], preservesFunction: false, usesCalibration: true,
    statistics: [rounded, kept], remarks: [roundedWeight, fallback, damped, skipped, plainNorms])

  static let rounded = Statistic("rounded", "Weights that were rounded by their inputs.")
  static let kept = Statistic("kept", "Weights that keep their rounding to nearest.")
  static let roundedWeight = RemarkKind(
    "rounded-weight", .passed, "A weight was rounded by its inputs.")
  static let fallback = RemarkKind(
    "fallback", .missed, "A weight keeps its rounding to nearest.")
  static let damped = RemarkKind(
    "damped", .analysis, "A second moment needed more damping than was asked for.")
  static let skipped = RemarkKind(
    "skipped", .missed, "Tokens whose inputs are not finite do not count.")
  static let plainNorms = RemarkKind(
    "plain-norms", .missed, "There is no attention to weigh tokens by, so that norms do it.")

  @PassOption(
    "Added to the diagonal, as a fraction of its mean; grows tenfold where it is too little.",
    in: 0.000001...1)
  public var damping = 0.01
  @PassOption("Columns go in the order of their inputs' mean square, largest first.")
  public var actOrder = false
  @PassOption(
    "Search for the range of each scale with the least rounding error, in place of the whole range."
  )
  public var clip = false
  @PassOption("Which tokens count more.")
  public var importance = TokenImportance.none
  @PassOption("Least weight of a token, where the greatest is 1.", in: 0...1)
  public var leastImportance = 0.005

  public init() {}

  public func run(on graph: inout Graph, in context: PassContext) throws {
    let groups = selectGroups(in: graph, context)
    var plan = graph
    // The walk sees real weights until they are rounded: what looks ahead depends on it.
    for target in groups.flatMap(\.targets) {
      plan.setOperand(1, of: target.operation, to: target.source)
    }
    var tokens = TokenWeights(importance, least: leastImportance, in: plan, context)
    let folder = ConstantFolder(graph)
    let stops = tokens.stops(for: groups.map(\.input))
    var result = graph
    var shortages: [InputShortage] = []
    try context.walk(over: plan, stops: stops) { index, values in
      let group = groups[index]
      let inputs = values.values.first ?? []
      let moment = try SecondMoment(
        of: inputs, weights: tokens.weights(for: group.input, values))
      let found = try factor(of: moment, for: group, context)
      if case .failure(let shortage) = found { shortages.append(shortage) }
      return try group.targets.map { target in
        let value: Tensor
        switch found {
        case .success(let factor):
          let rounded = try round(target, factor, folder)
          value = rounded.values
          try attach(rounded, for: target, to: &result, context)
        case .failure:
          value = try folder.fold(target.rounded)
          context.count(Self.kept)
        }
        return OperandReplacement(target.operation, operand: 1, value)
      }
    }
    if !groups.isEmpty, shortages.count == groups.count {
      throw InputShortage.error(of: shortages)
    }
    graph = result
  }

  /// Every layer gets codes and scales of its format; that one of them has too few tokens is the exception.
  public func forecast(on graph: inout Graph, in context: PassContext) throws -> PassForecast {
    for target in selectGroups(in: graph, context).flatMap(\.targets) {
      let names = target.constantNames(in: context)
      let place = context.derived(from: graph.producer(of: target.source).location)
      let types = target.scales.map { graph.type(of: $0).fixedShape ?? [] }
      var parts = [
        try graph.announce(
          names.codes, shape: target.shape, stored: .i8, before: target.operation, at: place),
        try graph.announce(
          names.scales, shape: types[0], stored: .f32, before: target.operation, at: place),
      ]
      if types.count > 1 {
        parts.append(
          try graph.announce(
            names.zeros, shape: types[1], stored: .i8, before: target.operation, at: place))
      }
      let value = try graph.add(
        Dequantize(spec: target.spec), parts, before: target.operation, at: place)[0]
      graph.setOperand(1, of: target.operation, to: value)
      context.count(Self.rounded)
    }
    return .certain
  }

  /// Layers that read one value.
  struct Group {
    let input: ValueID
    var targets: [RoundedLinear]
  }

  func selectGroups(in graph: Graph, _ context: PassContext) -> [Group] {
    let constants = graph.constants()
    let uses = graph.uses()
    var groups: [Group] = []
    var places: [ValueID: Int] = [:]
    for (operation, _) in graph.operations(of: Linear.self) {
      // What folds, and what is real by choice, is no layer to round.
      if constants.contains(operation.result) || graph.isKeptReal(operation.operands[1]) {
        continue
      }
      guard let target = RoundedLinear(operation, in: graph, constants: constants) else {
        keep("the weight of a linear layer is not rounded to nearest", operation, context)
        continue
      }
      let readers = uses[operation.operands[1]] ?? []
      let input = operation.operands[0]
      guard
        readers.allSatisfy({
          graph[$0.operation].op is Linear && graph[$0.operation].operands[0] == input
        })
      else {
        keep("'\(target.name)' is read in other places too", operation, context)
        continue
      }
      if constants.contains(input) {
        keep("the input of '\(target.name)' does not depend on the text", operation, context)
        continue
      }
      if let place = places[input] {
        groups[place].targets.append(target)
      } else {
        places[input] = groups.count
        groups.append(Group(input: input, targets: [target]))
      }
    }
    return groups
  }

  private func keep(_ reason: String, _ operation: Operation, _ context: PassContext) {
    context.count(Self.kept)
    context.remark(Self.fallback, at: operation.location, reason)
  }

  /// What the layers of a group are rounded with, or, with a remark, why their inputs say too little.
  private func factor(
    of moment: SecondMoment, for group: Group, _ context: PassContext
  ) throws -> Result<InverseCholesky, InputShortage> {
    let names = group.targets.map { "'\($0.name)'" }.joined(separator: ", ")
    let location = group.targets[0].location
    if moment.skippedRows > 0 {
      context.remark(
        Self.skipped, at: location,
        "\(names): \(moment.skippedRows) tokens with infinite inputs or NaNs are left out",
        hint: "look for the layer that makes them with 'irc inspect'")
    }
    if let shortage = InputShortage(of: moment) {
      context.remark(
        Self.fallback, at: location,
        "\(names): \(moment.rows) tokens are too few for \(moment.width) channels",
        hint: shortage.hint)
      return .failure(shortage)
    }
    guard let factor = try InverseCholesky(of: moment, damping: damping, ordered: actOrder) else {
      context.remark(
        Self.fallback, at: location,
        "\(names): the second moment of the inputs is zero, infinite or not positive",
        hint: "look at the inputs with 'irc inspect', and calibrate on other text")
      return .failure(.noInverse)
    }
    if factor.damping > damping {
      context.remark(
        Self.damped, at: location, "\(names): damping grew to \(factor.damping) of the mean")
    }
    return .success(factor)
  }

  private func round(
    _ target: RoundedLinear, _ factor: InverseCholesky, _ folder: ConstantFolder
  ) throws -> RoundedWeights {
    var given: ScaleSet?
    if !target.hasPlainScales {
      let parts = try folder.fold(target.scales)
      given = ScaleSet(scales: parts[0], zeros: parts.count > 1 ? parts[1] : nil)
    }
    let rule = clip ? ScaleRule.leastError : .range
    return try SecondOrderRounding(target.spec, factor, rule, given: given)
      .round(folder.fold(target.source))
  }

  private func attach(
    _ rounded: RoundedWeights, for target: RoundedLinear, to graph: inout Graph,
    _ context: PassContext
  ) throws {
    let place = context.derived(from: graph.producer(of: target.source).location)
    let value = try target.attach(
      codes: rounded.codes, rounded.scaleSet, to: &graph, in: context)
    graph.setOperand(1, of: target.operation, to: value)
    context.count(Self.rounded)
    let outputs = Double(max(1, rounded.codes.rows))
    let error = Float((rounded.error / outputs).squareRoot())
    context.remark(
      Self.roundedWeight, at: place,
      "'\(target.name)': root mean square error of an output \(error)")
  }
}
