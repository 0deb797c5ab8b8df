import IRCPassKit

/// Branches of low rank join the kernels beside which they lie.
///
///     before: %q = quantize %x, %s                after: %q, %s, %h = branching_quantize %x, %down
///             %h = linear %x, %down                      %y = branched_integer_linear %q, %s, …, %h, %up
///             %y = (integer_linear %q, …) + (linear %h, %up)
///
/// Both kernels compute the numbers that the operators gave, in the same order, so that nothing is rounded otherwise; x is read once,
/// and each number of y is written once. Nothing here asks where a branch comes from.
extension Graph {
  /// Lets products with quantized weights add the second factor of a branch; returns how many do.
  mutating func joinBranches(_ constants: Set<ValueID>) throws -> Int {
    var count = 0
    for (operation, _) in operations(of: Add.self) where !constants.contains(operation.result) {
      let (a, b) = (operation.operands[0], operation.operands[1])
      for (main, branch) in [(a, b), (b, a)] {
        guard hasOneReader(main), hasOneReader(branch),
          let up = narrowProduct(branch, constants),
          let joined = joined(producer(of: main), hidden: up.operands[0])
        else { continue }
        try replace(operation.id, with: joined, producer(of: main).operands + up.operands)
        count += 1
        break
      }
    }
    removeDeadOperations()
    return count
  }

  /// Lets quantizers multiply with the first factor of the branches whose products read their codes; returns how many do.
  mutating func joinDownProjections(_ constants: Set<ValueID>) throws -> Int {
    let readers = uses()
    let positions = Dictionary(
      uniqueKeysWithValues: operations.enumerated().map { ($1.id, $0) })
    func position(_ id: OperationID) -> Int { positions[id] ?? 0 }
    var count = 0
    for (operation, quantize) in operations(of: Quantize.self) {
      let x = operation.operands[0]
      guard let source = parameters(of: operation, constants),
        let down = downProjection(of: x, readers, constants)
      else { continue }
      let op = BranchingQuantize(spec: quantize.spec, isDynamic: source.isDynamic)
      let replaced =
        operation.results + (source.isDynamic ? source.values : []) + down.results
      let operands = [x, down.operands[1]] + (source.isDynamic ? [] : source.values)
      // Before whoever reads any of the results first; everything that is read must be there by then.
      let anchor = replaced.flatMap { readers[$0] ?? [] }.map(\.operation)
        .filter { $0 != operation.id }.min { position($0) < position($1) }
      guard let anchor,
        operands.allSatisfy({ position(producer(of: $0).id) < position(anchor) })
      else { continue }
      let made = try add(op, operands, before: anchor, at: operation.location)
      for (old, new) in zip(replaced, made) { replaceUses(of: old, with: new) }
      count += 1
    }
    removeDeadOperations()
    return count
  }

  /// True if one operand place reads the value and it is neither an output nor the next value of a state.
  private func hasOneReader(_ value: ValueID) -> Bool {
    readerCount(of: value) == 1 && !isObserved(value)
  }

  /// The operation, if a value is the product of a matrix with a real constant, without bias.
  private func narrowProduct(_ value: ValueID, _ constants: Set<ValueID>) -> Operation? {
    let operation = producer(of: value)
    guard operation.op is Linear, operation.operands.count == 2,
      constants.contains(operation.operands[1]), type(of: operation.operands[0]).rank == 2
    else { return nil }
    return operation
  }

  /// The product that adds a branch as well, if there is one and `hidden` is narrower than what the product reads.
  private func joined(_ product: Operation, hidden: ValueID) -> (any Operator)? {
    let input = type(of: product.operands[0])
    guard input.rank == 2, let width = input.shape[1].fixed,
      let rank = type(of: hidden).shape[1].fixed, rank < width
    else { return nil }
    switch product.op {
    case let op as IntegerLinear: return BranchedIntegerLinear(op)
    case let op as DequantizingLinear: return BranchedDequantizingLinear(op)
    default: return nil
    }
  }

  /// Scale and zero point that a quantizer reads, if its kernel finds them or they are constants, one for everything.
  private func parameters(
    of quantizer: Operation, _ constants: Set<ValueID>
  ) -> (values: [ValueID], isDynamic: Bool)? {
    guard let spec = (quantizer.op as? Quantize)?.spec, spec.format.isInteger,
      type(of: quantizer.operands[0]).rank == 2
    else { return nil }
    let values = Array(quantizer.operands.dropFirst())
    let source = producer(of: values[0])
    if spec.granularity == .row, spec.scaleFormat == .f32,
      (source.op as? QuantizationParameters)?.spec == spec,
      source.operands == [quantizer.operands[0]], source.results == values
    {
      return (values, true)
    }
    let isStatic = spec.granularity == .tensor && values.allSatisfy(constants.contains)
    return isStatic ? (values, false) : nil
  }

  /// What multiplies x with a constant for branches, and for nothing else.
  private func downProjection(
    of x: ValueID, _ readers: [ValueID: [(operation: OperationID, operand: Int)]],
    _ constants: Set<ValueID>
  ) -> Operation? {
    for (id, operand) in readers[x] ?? [] where operand == 0 {
      let result = self[id].results[0]
      // One that went to a quantizer before has no readers any more.
      guard narrowProduct(result, constants) != nil, readerCount(of: result) > 0,
        !isObserved(result)
      else { continue }
      let isBranch = (readers[result] ?? []).allSatisfy { id, operand in
        let reader = self[id]
        return (reader.op is BranchedIntegerLinear || reader.op is BranchedDequantizingLinear)
          && operand == reader.operands.count - 2
      }
      if isBranch { return self[id] }
    }
    return nil
  }
}
