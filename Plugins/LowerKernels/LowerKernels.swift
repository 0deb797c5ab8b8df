public import IRCPassKit

/// Turns products with quantized weights into kernel operators that read codes.
///
///     before: %w = dequantize %codes, %scale        after: %y = integer_linear %q, %s, %codes, %scale
///             %a = dequantize %q, %s
///             %y = linear %a, %w
///
/// The sum over (q·s)(c·t) is s·t times the sum over q·c, so only the order of roundings changes. Where activations stay real,
/// `dequantizing_linear` and `dequantizing_embedding` take the weight's codes instead of its values. Weights must be constants:
/// codes made as the model runs are left alone.
public struct LowerKernels: Pass {
  public static let info = PassInfo(
    name: "lower-kernels",
    summary: "Replace products with quantized weights by kernels that read codes and scales.",
    details: """
      A `linear` whose weight is the `dequantize` of constant codes becomes `integer_linear` if its input is a \
      `dequantize` too, else `dequantizing_linear`; an `embedding` with such a table becomes `dequantizing_embedding`. \
      Equal operations are merged, so that products of one input share its quantizer. A branch of low rank beside such a \
      product joins its kernel, and the branch's first factor that of the quantizer, which reads the input once for both. \
      An `attention` over keys and values that are kept as codes becomes `integer_attention`, which rounds queries itself. \
      Everything else stays as it is and runs in single precision.
      """,
    conflicts: [
      FactConflict(
        .formatsOpen,
        "would fix formats before the scheme's budget of bits is met",
        hint:
          "put 'mixed-precision' behind 'quantize', as the pipeline 'mixed' does, or choose a scheme without 'bits'"
      )
    ], preservesFunction: true,
    statistics: [
      integerLinears, dequantizingLinears, dequantizingEmbeddings, branches, branchingQuantizers,
      integerAttentions, realProducts, merged,
    ],
    remarks: [keptReal, keptRealActivations, keptRealAttention, codesInRows])

  static let integerLinears = Statistic(
    "integer-linears", "Linear layers that multiply codes with codes.")
  static let dequantizingLinears = Statistic(
    "dequantizing-linears", "Linear layers that multiply real activations with codes.")
  static let dequantizingEmbeddings = Statistic(
    "dequantizing-embeddings", "Embeddings that read codes.")
  static let branches = Statistic("branches", "Products whose kernel adds a branch of low rank.")
  static let branchingQuantizers = Statistic(
    "branching-quantizers", "Quantizers whose kernel also makes the first product of a branch.")
  static let integerAttentions = Statistic(
    "integer-attentions", "Attentions that read codes of keys and values.")
  static let realProducts = Statistic("real", "Linear layers and embeddings whose weight is real.")
  static let merged = Statistic("merged", "Operations merged with equal ones.")

  static let keptReal = RemarkKind(
    "kept-real", .missed, "A linear layer or an embedding keeps its weight in real numbers.")
  static let keptRealActivations = RemarkKind(
    "kept-real-activations", .missed,
    "A linear layer with quantized activations cannot use the integer product.")
  static let keptRealAttention = RemarkKind(
    "kept-real-attention", .missed,
    "An attention over codes of keys or values cannot use its kernel.")
  static let codesInRows = RemarkKind(
    "codes-in-rows", .missed,
    "A linear layer reads its codes row after row, which takes longer than panels of sixteen rows.")

  public init() {}

  public func run(on graph: inout Graph, in context: PassContext) throws {
    context.count(Self.merged, by: graph.mergeEqualOperations())
    let constants = graph.constants()
    // What is computed from constants alone, such as a bias, folds and needs no kernel.
    for (operation, _) in graph.operations(of: Linear.self)
    where !constants.contains(operation.result) {
      try lower(linear: operation, constants, &graph, context)
    }
    for (operation, _) in graph.operations(of: Embedding.self) {
      try lower(embedding: operation, constants, &graph, context)
    }
    graph.removeDeadOperations()
    graph.stage = .kernels
    try lowerAttentions(&graph, context)
    context.count(Self.branches, by: try graph.joinBranches(constants))
    context.count(Self.branchingQuantizers, by: try graph.joinDownProjections(constants))
    let left = graph.operations.filter {
      ($0.op is Linear || $0.op is Embedding) && !$0.results.allSatisfy(constants.contains)
    }
    context.count(Self.realProducts, by: left.count)
  }

  private func lowerAttentions(_ graph: inout Graph, _ context: PassContext) throws {
    let (count, left) = try graph.joinCaches()
    context.count(Self.integerAttentions, by: count)
    for operation in left {
      context.remark(
        Self.keptRealAttention, at: operation.location,
        "queries, keys and values are not all symmetric 8-bit codes with a scale for each head, and there is no other kernel for codes of any",
        hint: "the key 'cache' of a scheme rounds all three")
    }
  }

  private func lower(
    linear operation: Operation, _ constants: Set<ValueID>, _ graph: inout Graph,
    _ context: PassContext
  ) throws {
    guard let weight = storedWeight(operation, constants, graph, context) else { return }
    remarkRows(operation, weight, graph, context)
    let bias = Array(operation.operands.dropFirst(2))
    if let input = graph.definition(of: operation.operands[0], as: Dequantize.self) {
      let codes = graph.producer(of: operation.operands[0]).operands
      if let problem = obstacle(weight.spec, input.spec, codes, constants, graph) {
        context.remark(Self.keptRealActivations, at: operation.location, problem)
      } else {
        let kernel = IntegerLinear(
          weights: weight.spec, activations: input.spec, bias: !bias.isEmpty)
        try graph.replace(operation.id, with: kernel, codes + weight.operands + bias)
        context.count(Self.integerLinears)
        return
      }
    }
    try graph.replace(
      operation.id, with: DequantizingLinear(weights: weight.spec, bias: !bias.isEmpty),
      [operation.operands[0]] + weight.operands + bias)
    context.count(Self.dequantizingLinears)
  }

  /// Says why codes will not lie as the fastest kernels read them.
  private func remarkRows(
    _ operation: Operation, _ weight: (spec: QuantizationSpec, operands: [ValueID]),
    _ graph: Graph, _ context: PassContext
  ) {
    guard let shape = graph.type(of: weight.operands[0]).fixedShape, shape.count == 2,
      let reason = CodeLayout.obstacleToPanels(weight.spec, rows: shape[0], columns: shape[1])
    else { return }
    let name = graph.parameterName(of: weight.operands[0]).map { "'\($0)'" } ?? "the weight"
    context.remark(
      Self.codesInRows, at: operation.location, "\(name) stays in rows: \(reason)",
      hint: weight.spec.format.isFitted
        ? nil : "groups of a multiple of 16 columns, and 16 rows or more, lie in panels")
  }

  private func lower(
    embedding operation: Operation, _ constants: Set<ValueID>, _ graph: inout Graph,
    _ context: PassContext
  ) throws {
    guard let table = storedWeight(operation, constants, graph, context) else { return }
    try graph.replace(
      operation.id, with: DequantizingEmbedding(weights: table.spec),
      [operation.operands[0]] + table.operands)
    context.count(Self.dequantizingEmbeddings)
  }

  /// Codes, scale and zero point that operand 1 is the `dequantize` of; nil, with a remark, if it is something else.
  private func storedWeight(
    _ operation: Operation, _ constants: Set<ValueID>, _ graph: Graph, _ context: PassContext
  ) -> (spec: QuantizationSpec, operands: [ValueID])? {
    let producer = graph.producer(of: operation.operands[1])
    guard let dequantize = producer.op as? Dequantize else {
      // Where a pass chose the precision there is nothing to be told.
      if graph.isKeptReal(operation.operands[1]) { return nil }
      let name = graph.parameterName(of: operation.operands[1]).map { "'\($0)'" }
      context.remark(
        Self.keptReal, at: operation.location, "\(name ?? "the weight") is not quantized",
        hint: "the passes before this one choose what is quantized")
      return nil
    }
    guard producer.operands.allSatisfy(constants.contains) else {
      context.remark(
        Self.keptReal, at: operation.location, "the weight's codes are made as the model runs")
      return nil
    }
    return (dequantize.spec, producer.operands)
  }

  /// Why the integer product cannot be used: it wants integers, and activations with one scale a token or one for all, of one
  /// matrix.
  private func obstacle(
    _ weights: QuantizationSpec, _ spec: QuantizationSpec, _ operands: [ValueID],
    _ constants: Set<ValueID>,
    _ graph: Graph
  ) -> String? {
    if !weights.format.hasLevels { return "codes of \(weights.format) stand for no integers" }
    if !spec.format.isInteger { return "codes of \(spec.format) are no integers" }
    if graph.type(of: operands[0]).rank != 2 { return "the input is not a matrix" }
    switch spec.granularity {
    case .row: return nil
    case .tensor:
      return constants.contains(operands[1])
        ? nil : "its input has one scale for all tokens that is found as the model runs"
    case .group: return "its input has several scales a token"
    }
  }
}
