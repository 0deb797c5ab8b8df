public import IRCPassKit

/// Moves the gain of each normalisation, and the bias of a layer normalisation, into the linear layers that read it.
///
///     before: %n = rms_norm %x, %g    %y = linear %n, %w
///     after:  %n = rms_norm %x        %v = mul %w, %g    %y = linear %n, %v
///
/// Exact in real arithmetic: (n ⊙ g + β)·Wᵀ + b = n·(W·diag(g))ᵀ + (b + W·β). Products are constants and fold when weights are
/// written.
/// Not possible where something other than a linear layer with constant weights reads the result. Weights that have
/// further readers are untied: they get a copy of their own, which costs memory.
public struct FoldNormGains: Pass {
  public static let info = PassInfo(
    name: "fold-norm-gains",
    summary: "Fold the gains and biases of normalisations into the linear layers that read them.",
    details: """
      After this pass an RMS normalisation is a plain projection onto the sphere, which admits every rotation, and the \
      columns of the weights carry the gains, so that one quantizer sees both. The biases of layer normalisations go into \
      those of the readers; `centre-norms` turns what is left into RMS normalisations.
      """,
    paper: "SliceGPT (arXiv 2401.15024), section 3.2",
    conflicts: [
      FactConflict(.normInputsSmoothed, "would fold the smoothing back into the weights"),
      FactConflict(.quantized, "would change weights that have been quantized"),
    ], establishes: [.normGainsFolded], preservesFunction: true,
    statistics: [folded, biases, kept], remarks: [.untied, notFolded])

  static let folded = Statistic("folded", "Gains moved into their readers.")
  static let biases = Statistic("biases", "Biases moved into their readers.")
  static let kept = Statistic("kept", "Gains left where they were, with their biases.")
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
    for operation in graph.operations
    where (operation.op is RMSNorm || operation.op is LayerNorm) && operation.operands.count > 1 {
      let gain = operation.operands[1]
      let readers = (uses[operation.result] ?? []).map { graph[$0.operation] }
      if let obstacle = obstacle(operation, readers, constants, graph) {
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
        // The bias first, since it meets the weights as they were.
        if let bias = operation.operands.dropFirst(2).first {
          try move(bias, to: reader, in: &graph, context)
        }
        let scaled = try graph.add(
          Multiply(), [reader.operands[1], gain], before: reader.id,
          at: context.derived(from: graph.producer(of: reader.operands[1]).location))
        graph.setOperand(1, of: reader.id, to: scaled[0])
      }
      try graph.replace(operation.id, with: operation.op, [operation.operands[0]])
      context.count(Self.folded)
      if operation.operands.count > 2 { context.count(Self.biases) }
    }
  }

  /// Gives a linear layer the bias b + W·β for the β that was added to its input.
  private func move(
    _ bias: ValueID, to reader: Operation, in graph: inout Graph, _ context: PassContext
  ) throws {
    let location = context.derived(from: graph.producer(of: bias).location)
    let weights = reader.operands[1]
    let shape = graph.type(of: weights).shape.map { $0.fixed ?? 0 }
    let row = try graph.add(
      Reshape(shape: [1, shape[1]]), [bias], before: reader.id, at: location)
    let product = try graph.add(Linear(), row + [weights], before: reader.id, at: location)
    var sum = try graph.add(Reshape(shape: [shape[0]]), product, before: reader.id, at: location)
    if let own = reader.operands.dropFirst(2).first {
      sum = try graph.add(
        Add(), [own] + sum, before: reader.id,
        at: context.derived(from: graph.producer(of: own).location))
    }
    try graph.replace(reader.id, with: Linear(), [reader.operands[0], weights] + sum)
  }

  /// Why the gain, and a bias with it, must stay, or nil.
  private func obstacle(
    _ operation: Operation, _ readers: [Operation], _ constants: Set<ValueID>, _ graph: Graph
  ) -> String? {
    for (name, value) in zip(["gain", "bias"], operation.operands.dropFirst())
    where !constants.contains(value) {
      return "the \(name) is computed at run time"
    }
    if graph.isObserved(operation.result) { return "the result is an output of the graph" }
    for reader in readers {
      guard reader.op is Linear, reader.operands[0] == operation.result else {
        let absorbed = operation.operands.count > 2 ? "a gain and a bias" : "a gain"
        return
          "'\(reader.op.operatorName)' reads the result, and only linear layers absorb \(absorbed)"
      }
      if !constants.contains(reader.operands[1]) {
        return "a reader's weights are computed at run time"
      }
      if operation.operands.count > 2, !reader.operands.dropFirst(2).allSatisfy(constants.contains)
      {
        return "a reader's bias is computed at run time"
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
    context.remarkUntied(
      name, elements: elements, at: operation.location,
      hint: "set 'untie: false' to keep one copy and leave this gain unfolded")
  }
}
