public import IRCGraph
import IRCOps
import IRCSupport
public import IRCTensor

/// Runs a graph: the oracle of every transformation and the simulation of quantized networks.
///
/// One interpreter serves any number of runs, also at the same time on several threads; constants are shared among them.
/// Results do not depend on the number of threads. A graph of kernels runs, in single precision, with the sums of the emitted C, so
/// that a compiled library gives the same bits; any other multiplies with BLAS.
public final class Interpreter: Sendable {
  /// What runs.
  public let graph: Graph
  /// Precision of real values.
  public let precision: Precision
  let plan: ExecutionPlan
  let evaluator: ConstantEvaluator
  /// What operations see as the graph runs. Constants keep the context of `evaluator`, since emission folds them with it.
  let context: EvaluationContext
  private let store: ConstantStore

  /// Sees each run-time value as it is made, inputs and states first.
  public typealias Observer = (ValueID, Tensor) throws -> Void

  /// Prepares to run `graph`.
  ///
  /// - Parameter cacheLimit: bytes of constants to keep between uses; mapped tensors of the running precision do not count.
  ///   Beyond it a constant is computed for each use, weights of linear layers a block of rows at a time.
  /// - Throws: `Diagnostic` when the graph is not valid, or a state does not fit into memory.
  public convenience init(
    _ graph: Graph, precision: Precision = .single, cacheLimit: Int = 1 << 30
  ) throws {
    try self.init(graph, precision: precision, cacheLimit: cacheLimit, keepsOutputs: true)
  }

  /// - Parameter keepsOutputs: false if whoever steps through the plan has no use for outputs and next states at its end.
  init(_ graph: Graph, precision: Precision, cacheLimit: Int, keepsOutputs: Bool) throws {
    if let problem = graph.verify().first { throw problem }
    self.graph = graph
    self.precision = precision
    plan = ExecutionPlan(graph, keepsOutputs: keepsOutputs)
    for leaf in plan.leaves where leaf.isState {
      let element = leaf.type.element == .f32 ? precision.elementType : leaf.type.element
      try Tensor.checkSize(leaf.type.shape.map(\.constant), element)
    }
    evaluator = ConstantEvaluator(graph, precision)
    context = EvaluationContext(
      precision: precision, parameters: graph.parameters,
      sums: graph.stage == .kernels ? .kernels : .any)
    store = ConstantStore(evaluator, roots: plan.roots, byteLimit: cacheLimit)
  }

  /// States before the first run: zeros, with dynamic extents of 0.
  public func initialStates() -> [String: Tensor] {
    var states: [String: Tensor] = [:]
    for leaf in plan.leaves where leaf.isState { states[leaf.name] = initialState(leaf.type) }
    return states
  }

  private func initialState(_ type: TensorType) -> Tensor {
    Tensor(zeros: type.shape.map(\.constant), element(of: type))
  }

  private func element(of type: TensorType) -> ElementType {
    type.element == .f32 ? precision.elementType : type.element
  }

  /// Runs the graph once.
  ///
  /// - Parameters:
  ///   - inputs: a tensor for each input; real ones may have either precision.
  ///   - states: the states before the run, and after it their next values; a missing one starts afresh.
  ///   - observe: sees each run-time value.
  /// - Returns: the outputs by name.
  /// - Throws: `Diagnostic` naming the input that does not fit or the operation that failed; then `states` are unchanged.
  public func run(
    inputs: [String: Tensor], states: inout [String: Tensor], observe: Observer? = nil
  ) throws -> [String: Tensor] {
    try run(inputs: inputs, states: &states, replacing: [:], observe: observe)
  }

  /// - Parameter replaced: constants that operations read in place of their own, by operand.
  func run(
    inputs: [String: Tensor], states: inout [String: Tensor],
    replacing replaced: [OperationID: [Int: Tensor]], observe: Observer? = nil
  ) throws -> [String: Tensor] {
    var places = [Tensor?](repeating: nil, count: plan.placeCount)
    let extents = try bindLeaves(inputs, states, &places)
    if let observe {
      for leaf in plan.leaves {
        if let tensor = places[leaf.place] { try observe(leaf.value, tensor) }
      }
    }
    for step in plan.steps {
      try checkSizes(of: step, with: extents)
      let results = try run(step, places, replaced[step.operation.id] ?? [:])
      for (index, tensor) in results.enumerated() {
        places[step.results[index]] = tensor
        try observe?(step.operation.results[index], tensor)
      }
      for place in step.released { places[place] = nil }
    }
    var outputs: [String: Tensor] = [:]
    for (name, source) in plan.outputs { outputs[name] = try tensor(source, places) }
    var next = states
    for (name, source) in plan.nextStates { next[name] = try tensor(source, places) }
    states = next
    return outputs
  }

  /// Runs the graph once from initial states, which are then forgotten.
  public func run(
    inputs: [String: Tensor], observe: Observer? = nil
  ) throws -> [String: Tensor] {
    var states = initialStates()
    return try run(inputs: inputs, states: &states, observe: observe)
  }

  private func tensor(_ source: ExecutionPlan.Source, _ places: [Tensor?]) throws -> Tensor {
    switch source {
    case .constant(let value): return try store.tensor(value)
    case .place(let place):
      guard let tensor = places[place] else { throw OperatorError("an operand has no value") }
      return tensor
    }
  }

  /// Refuses an operation whose results no memory could hold.
  func checkSizes(
    of step: ExecutionPlan.Step, with extents: [String: Int]
  ) throws {
    for value in step.operation.results {
      let type = graph.type(of: value)
      let shape = type.shape.compactMap { $0.value(with: extents) }
      guard shape.count == type.rank else { continue }
      do {
        try Tensor.checkSize(shape, element(of: type))
      } catch {
        throw step.operation.located(error)
      }
    }
  }

  private func run(
    _ step: ExecutionPlan.Step, _ places: [Tensor?], _ replaced: [Int: Tensor]
  ) throws -> [Tensor] {
    if replaced.isEmpty, let results = try runByRows(step, places) { return results }
    let operands: [Tensor]
    do {
      operands = try step.operands.enumerated().map { index, source in
        try replaced[index] ?? tensor(source, places)
      }
    } catch {
      throw step.operation.located(error)
    }
    return try step.operation.run(operands, in: context)
  }

  /// Runs a linear layer or an embedding whose weight is neither kept nor mapped with a few rows of it at a time; nil if the
  /// operation is no such one. Equal to the usual way bit for bit, since both cut the product alike.
  private func runByRows(
    _ step: ExecutionPlan.Step, _ places: [Tensor?]
  ) throws -> [Tensor]? {
    let op = step.operation.op
    guard op is Linear || op is Embedding, case .constant(let weight) = step.operands[1],
      !store.keeps(weight)
    else { return nil }
    let blocks = RowBlocks(evaluator, [weight])
    guard blocks.isRowwise else { return nil }
    do {
      let first = try tensor(step.operands[0], places)
      if op is Embedding {
        switch precision {
        case .single: return try [gather(step, first, blocks, as: Float.self)]
        case .double: return try [gather(step, first, blocks, as: Double.self)]
        }
      }
      let bias = try step.operands.count == 3 ? tensor(step.operands[2], places) : nil
      return try [
        linear(first, outputs: blocks.rows, bias, in: context) {
          try blocks.evaluate(rows: $0)[0]
        }
      ]
    } catch {
      throw step.operation.located(error)
    }
  }

  private func gather<Scalar: Real>(
    _ step: ExecutionPlan.Step, _ first: Tensor, _ blocks: RowBlocks, as scalar: Scalar.Type
  ) throws -> Tensor {
    let ids = try checkedIdentifiers(first, below: blocks.rows)
    let columns = graph.type(of: step.operation.result).shape[1].fixed ?? 0
    return try gatherRows(ids, columns: columns, as: Scalar.self) {
      try blocks.evaluate(rows: $0)[0]
    }
  }
}

// MARK: - Inputs and states

extension Interpreter {
  /// Puts inputs and states in their places after checking that their types fit and agree on dynamic extents, which it returns.
  func bindLeaves(
    _ inputs: [String: Tensor], _ states: [String: Tensor], _ places: inout [Tensor?]
  ) throws -> [String: Int] {
    var extents: [String: Int] = [:]
    var bound: [(leaf: ExecutionPlan.Leaf, tensor: Tensor)] = []
    for leaf in plan.leaves {
      var tensor = leaf.isState ? states[leaf.name] ?? initialState(leaf.type) : inputs[leaf.name]
      if let real = tensor, leaf.type.element == .f32, [.f32, .f64].contains(real.elementType) {
        tensor = real.converted(to: precision)
      }
      guard let tensor else {
        throw Diagnostic(
          "run.missing-input", "input '\(leaf.name)' of type \(leaf.type) has no value",
          hint: "the graph's inputs are "
            + plan.leaves.filter { !$0.isState }.map { "'\($0.name)'" }.joined(separator: ", "))
      }
      guard tensor.elementType == element(of: leaf.type), tensor.shape.count == leaf.type.rank
      else { throw misfit(leaf, tensor, extents) }
      // Plain names first: they give sums their meaning.
      for (dimension, extent) in zip(leaf.type.shape, tensor.shape)
      where dimension.names.count == 1 && dimension.constant == 0 {
        let known = extents.updateValue(extent, forKey: dimension.names[0])
        if let known, known != extent {
          extents[dimension.names[0]] = known
          throw misfit(leaf, tensor, extents)
        }
      }
      bound.append((leaf, tensor))
    }
    for (leaf, tensor) in bound {
      let expected = leaf.type.shape.map { $0.value(with: extents) }
      guard expected == tensor.shape.map(Optional.some) else { throw misfit(leaf, tensor, extents) }
      places[leaf.place] = tensor
    }
    return extents
  }

  private func misfit(
    _ leaf: ExecutionPlan.Leaf, _ tensor: Tensor, _ extents: [String: Int]
  ) -> Diagnostic {
    let known = extents.keys.sorted().map { "\($0) = \(extents[$0, default: 0])" }
    return Diagnostic(
      "run.wrong-input",
      "\(leaf.isState ? "state" : "input") '\(leaf.name)' is "
        + "\(tensor.elementType.rawValue)\(tensor.shape), expected \(leaf.type)",
      hint: "give a tensor of the declared type; extents with a name must agree everywhere",
      notes: known.isEmpty ? [] : ["with " + known.joined(separator: ", ")])
  }
}
