public import IRCPassKit

/// Moves the gain of each normalisation into the linear layers that read it.
///
///     before: %n = rms_norm %x, %g    %y = linear %n, %w
///     after:  %n = rms_norm %x        %v = mul %w, %g    %y = linear %n, %v
///
/// Exact in real arithmetic: (n ⊙ g)·Wᵀ = n·(W·diag(g))ᵀ. The product is a constant and folds when weights are written.
/// Not possible where something other than a linear layer with constant weights reads the result. Weights that have
/// further readers are untied: they get a copy of their own, which costs memory.
public struct FoldNormGains: Pass {
  public static let info = PassInfo(
    name: "fold-norm-gains",
    summary: "Fold the gains of normalisations into the linear layers that read them.",
    details: """
      After this pass a normalisation is a plain projection onto the sphere, which admits every rotation, and the \
      columns of the weights carry the gains, so that one quantizer sees both.
      """,
    paper: "SliceGPT (arXiv 2401.15024), section 3.2, for RMS normalisation",
    conflicts: [
      FactConflict(.normInputsSmoothed, "would fold the smoothing back into the weights"),
      FactConflict(.quantized, "would change weights that have been quantized"),
    ], establishes: [.normGainsFolded], preservesFunction: true,
    statistics: [folded, kept], remarks: [untied, notFolded])

  static let folded = Statistic("folded", "Gains moved into their readers.")
  static let kept = Statistic("kept", "Gains left where they were.")
  static let untied = RemarkKind("untied", .passed, "Weights got a copy of their own.")
  static let notFolded = RemarkKind(
    "not-folded", .missed, "A gain has a reader that cannot absorb it.")

  @PassOption(
    "Give weights with other readers a copy of their own; false leaves such gains unfolded.")
  public var untie = true

  public init() {}

  /// Gains that stay because of shared weights could have been folded.
  public var effects: PassEffects {
    var effects = Self.info.effects
    if !untie { effects.establishes = [] }
    return effects
  }

  public func run(on graph: inout Graph, in context: PassContext) throws {
    let constants = graph.constants()
    let uses = graph.uses()
    for (operation, norm) in graph.operations(of: RMSNorm.self) where operation.operands.count == 2
    {
      let gain = operation.operands[1]
      let readers = (uses[operation.result] ?? []).map { graph[$0.operation] }
      if let obstacle = obstacle(operation, gain, readers, constants, graph) {
        context.remark(Self.notFolded, at: operation.location, obstacle)
        context.count(Self.kept)
        continue
      }
      let shared = sharedWeights(of: readers, uses, constants, graph)
      if let name = shared.first, !untie {
        context.remark(
          Self.notFolded, at: operation.location, "a reader shares its weights '\(name)'",
          hint: "set 'untie: true' to give it a copy")
        context.count(Self.kept)
        continue
      }
      for name in shared { remarkUntied(name, operation, readers, graph, context) }
      for reader in readers {
        let scaled = try graph.add(
          Multiply(), [reader.operands[1], gain], before: reader.id,
          at: context.derived(from: graph.producer(of: reader.operands[1]).location))
        graph.setOperand(1, of: reader.id, to: scaled[0])
      }
      try graph.replace(
        operation.id, with: RMSNorm(epsilon: norm.epsilon), [operation.operands[0]])
      context.count(Self.folded)
    }
  }

  /// Why the gain must stay, or nil.
  private func obstacle(
    _ operation: Operation, _ gain: ValueID, _ readers: [Operation], _ constants: Set<ValueID>,
    _ graph: Graph
  ) -> String? {
    if !constants.contains(gain) { return "the gain is computed at run time" }
    if graph.isObserved(operation.result) { return "the result is an output of the graph" }
    for reader in readers {
      guard reader.op is Linear, reader.operands[0] == operation.result else {
        return "'\(reader.op.operatorName)' reads the result, and only linear layers absorb a gain"
      }
      if !constants.contains(reader.operands[1]) {
        return "a reader's weights are computed at run time"
      }
    }
    return nil
  }

  /// Names of weights of these readers that something else reads too.
  private func sharedWeights(
    of readers: [Operation], _ uses: [ValueID: [(operation: OperationID, operand: Int)]],
    _ constants: Set<ValueID>, _ graph: Graph
  ) -> [String] {
    let ids = Set(readers.map(\.id))
    return readers.compactMap { reader in
      let weights = reader.operands[1]
      // What is made from a constant before the network runs is a copy already.
      let others = (uses[weights] ?? []).contains { use in
        !ids.contains(use.operation)
          && !graph[use.operation].results.contains(where: constants.contains)
      }
      return others ? graph.parameterName(of: weights) ?? "constant" : nil
    }
  }

  private func remarkUntied(
    _ name: String, _ operation: Operation, _ readers: [Operation], _ graph: Graph,
    _ context: PassContext
  ) {
    let elements = readers.map { graph.type(of: $0.operands[1]).elementCount }.max() ?? 0
    context.remark(
      Self.untied, at: operation.location,
      "'\(name)' is no longer shared; the copy holds \(elements) weights",
      hint: "set 'untie: false' to keep one copy and leave this gain unfolded")
  }
}
