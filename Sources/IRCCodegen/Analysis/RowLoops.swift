import IRCGraph
import IRCOps

extension Program {
  /// Lets steps that work row by row and follow each other in a function share a loop over the tokens.
  ///
  ///     add:       all tokens             for each token
  ///     rms_norm:  all tokens      ->       add, rms_norm, quantize
  ///     quantize:  all tokens
  ///
  /// A token's row then stays in the first-level cache from one step to the next, and values that only the loop needs take one row.
  /// Kernels give the same bits for one token as for many, so nothing else changes. Steps that share no value stay apart.
  mutating func joinRows() {
    for index in functions.indices {
      var blocks: [Block] = []
      for step in functions[index].steps {
        if step.rows != .together, let last = blocks.last, last.isRowwise, last.shares(with: step) {
          blocks[blocks.count - 1].steps.append(step)
          blocks[blocks.count - 1].isLoop = true
        } else {
          blocks.append(Block(steps: [step], isLoop: step.rows == .oneByOne))
        }
      }
      functions[index].blocks = blocks
    }
  }

  /// Gives every buffer its place in the arena: one row for what only a loop needs, and results over what is read for the last time.
  mutating func placeBuffers(chunk: Int) {
    var apart = buffers
    arenaBytesApart = apart.plan(tokens: chunk)
    let loops = functions.flatMap(\.blocks).filter(\.isLoop)
    for loop in loops {
      for buffer in loop.buffers where loop.range.contains(buffers[buffer].life) {
        buffers[buffer].rows = .one
        buffers[buffer].threads = max(1, threads)
      }
    }
    for step in functions.flatMap(\.steps) { replace(step) }
    // Other tokens may need the rows of a loop's values before and after the steps that do.
    for loop in loops {
      for buffer in loop.buffers where buffers[buffer].rows == .tokens {
        let life = buffers[buffer].life
        buffers[buffer].life =
          min(life.lowerBound, loop.range.lowerBound)...max(life.upperBound, loop.range.upperBound)
      }
    }
    arenaBytes = buffers.plan(tokens: chunk)
  }

  /// Lets a step write its result over a value of the same form that nothing reads afterwards.
  private mutating func replace(_ step: Step) {
    for result in step.writes {
      guard case .arena(let new) = result.home, result.isDense,
        buffers[new].life.lowerBound == step.index
      else { continue }
      for value in step.replaceable {
        guard case .arena(let old) = value.home, value.isDense, value.offset == 0,
          (buffers[old].stride, buffers[old].type) == (result.stride, result.type),
          buffers[old].rows == buffers[new].rows, buffers[old].life.upperBound == step.index,
          step.values.allSatisfy({ $0.home != value.home || $0 == value })
        else { continue }
        buffers[new].replaced = old
        return
      }
    }
  }
}

extension Program.Block {
  /// True if every step can run token by token.
  fileprivate var isRowwise: Bool { steps.allSatisfy { $0.rows != .together } }

  /// The buffers that its steps use.
  fileprivate var buffers: [Int] {
    var seen: Set<Int> = []
    return steps.flatMap(\.values).compactMap { value in
      if case .arena(let buffer) = value.home, seen.insert(buffer).inserted { buffer } else { nil }
    }
  }

  /// True if a step uses memory that these use.
  fileprivate func shares(with step: Program.Step) -> Bool {
    let homes = Set(steps.flatMap(\.values).map(\.home))
    return step.values.contains { homes.contains($0.home) }
  }
}

extension Graph {
  /// Operations with functions of single rows as late as those who read them, if these are such functions, too: they can share a
  /// loop then.
  ///
  /// Only what reads one whole value of as many columns as it makes is moved, so that no more has to be kept meanwhile.
  func rowsTogether(
    _ operations: [(operation: Operation, layer: String)], constants: Set<ValueID>
  ) -> [(operation: Operation, layer: String)] {
    let readers = uses()
    var order = operations
    for index in order.indices.reversed() {
      let (operation, layer) = order[index]
      guard let op = operation.op as? any EmittableOperator, op.isRowwise, op.isTokenwise,
        operation.results.count == 1, let uses = readers[operation.result], uses.count == 1,
        !outputs.contains(where: { $0.value == operation.result }),
        !nextStates.contains(where: { $0.value == operation.result })
      else { continue }
      let inputs = operation.operands.filter { !constants.contains($0) }
      guard inputs.count == 1, type(of: inputs[0]) == type(of: operation.result),
        !(producer(of: inputs[0]).op is Slice),
        let place = order[index...].firstIndex(where: { $0.operation.id == uses[0].operation }),
        place > index + 1, order[place].layer == layer,
        (order[place].operation.op as? any EmittableOperator)?.isRowwise == true
      else { continue }
      let moved = order.remove(at: index)
      order.insert(moved, at: place - 1)
    }
    return order
  }
}
