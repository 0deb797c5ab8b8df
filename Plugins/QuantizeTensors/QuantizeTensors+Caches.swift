import IRCPassKit

/// Keys and values that attention keeps as codes.
///
///     before: %all = append %past, %k               after: %s = quant_params %k   %q = quantize %k, %s
///             %y = attention %x, %all, …                   %codes = append %past, %q   %scales = append %past_scales, %s
///             next "key" = %all                            %all = dequantize %codes, %scales
///                                                          %y = attention %x', %all, …    // %x' = %x rounded alike
///                                                          next "key" = %codes   next "key.scales" = %scales
///
/// Each head of a token has a scale of its own, so that its codes stay as they are when further tokens come.
extension QuantizeTensors {
  /// Rounds what attention reads wherever both keys and values are states that grow for attention alone.
  func keepCodes(
    _ format: NumericFormat, in graph: inout Graph, _ context: PassContext
  ) throws {
    var attentions = graph.operations(of: Attention.self).map(\.operation)
    if attentions.isEmpty {
      context.remark(
        Self.cacheLeftOut, at: .unknown,
        "the scheme's 'cache' has no effect: the model has no attention that keeps keys and values")
    }
    // An earlier pass may have rounded some.
    attentions.removeAll { graph.readsCodes($0) }
    // One that is left out leaves out those that share its keys or values.
    while let (index, reason) = graph.firstObstacle(attentions) {
      context.remark(Self.cacheLeftOut, at: attentions.remove(at: index).location, reason)
    }
    var kept: [ValueID: ValueID] = [:]
    for operation in attentions {
      let spec = QuantizationSpec(format, .group(graph.headDimension(of: operation)))
      for index in 1...2 {
        let value = operation.operands[index]
        let codes = try kept[value] ?? keepCodes(of: value, spec, in: &graph, context)
        kept[value] = codes
        graph.setOperand(index, of: operation.id, to: codes)
      }
      let query = operation.operands[0]
      let rounded = try graph.round(
        query, to: spec, before: operation.id,
        at: context.derived(from: graph.producer(of: query).location))
      graph.setOperand(0, of: operation.id, to: rounded)
    }
    graph.removeDeadOperations()
    for (state, _) in graph.operations(of: State.self)
    where graph.readerCount(of: state.result) == 0 && state.isReplaced(in: graph) {
      graph.remove(state.id)
    }
  }

  /// Lets a state hold the codes of the rows that are appended to it, and another one their scales; returns what attention is to
  /// read.
  private func keepCodes(
    of value: ValueID, _ spec: QuantizationSpec, in graph: inout Graph, _ context: PassContext
  ) throws -> ValueID {
    let append = graph.producer(of: value)
    let state = graph.producer(of: append.operands[0])
    guard let name = (state.op as? State)?.name else { return value }
    let type = graph.type(of: state.result)
    let place = context.derived(from: append.location)
    func add(_ op: any Operator, _ operands: [ValueID] = []) throws -> ValueID {
      try graph.add(op, operands, before: append.id, at: place)[0]
    }
    let new = append.operands[1]
    let scales = try add(QuantizationParameters(spec: spec), [new])
    let codes = try add(Quantize(spec: spec), [new, scales])
    let heads = graph.type(of: scales).shape[1]
    let past = try [
      (name, TensorType(.i8, type.shape), codes),
      ("\(name).scales", TensorType(.f32, [type.shape[0], heads]), scales),
    ].map { name, type, rows in
      let all = try add(Append(), [add(State(name: name, type: type)), rows])
      graph.setNextState(name, all)
      return all
    }
    context.count(Self.caches)
    context.remark(
      Self.cached, at: state.location,
      "'\(name)' \(type) to \(spec.format), with a scale for each of \(heads) heads of a token")
    return try add(Dequantize(spec: spec), past)
  }
}

extension Operation {
  /// True if the state is one of two of its name.
  fileprivate func isReplaced(in graph: Graph) -> Bool {
    let name = (op as? State)?.name
    return graph.operations(of: State.self).contains { $0.op.name == name && $0.operation.id != id }
  }
}

extension Graph {
  /// Channels of one head of an attention.
  fileprivate func headDimension(of operation: Operation) -> Int {
    let heads = (operation.op as? Attention)?.heads ?? 1
    return (type(of: operation.operands[0]).shape[1].fixed ?? 0) / heads
  }

  /// True if keys and values of an attention have a format.
  fileprivate func readsCodes(_ operation: Operation) -> Bool {
    operation.operands[1...].allSatisfy { producer(of: $0).op is Dequantize }
  }

  /// Which of some attentions cannot have codes, and why.
  fileprivate func firstObstacle(_ attentions: [Operation]) -> (index: Int, reason: String)? {
    for (index, operation) in attentions.enumerated() {
      if let reason = obstacle(operation, among: attentions) { return (index, reason) }
    }
    return nil
  }

  /// Why keys or values of an attention stay real, if those of `others` become codes; nil if they need not.
  private func obstacle(_ operation: Operation, among others: [Operation]) -> String? {
    for (name, value) in zip(["keys", "values"], operation.operands[1...]) {
      let append = producer(of: value)
      guard append.op is Append, let state = definition(of: append.operands[0], as: State.self),
        nextStates.filter({ $0.name == state.name || $0.value == value }).map(\.value) == [value]
      else { return "its \(name) are not what a state becomes when rows are appended to it" }
      let readers = others.flatMap { other in
        other.operands.indices.filter {
          $0 > 0 && other.operands[$0] == value
            && headDimension(of: other) == headDimension(of: operation)
        }
      }
      if readerCount(of: append.operands[0]) != 1 || readerCount(of: value) != readers.count
        || outputs.contains(where: { [value, append.operands[0]].contains($0.value) })
      {
        return "its \(name) are read by others as well"
      }
    }
    return nil
  }
}
