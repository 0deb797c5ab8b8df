import IRCQuant

extension Program {
  /// What it does, as data.
  func kernelPlan(chunk: Int) -> KernelPlan {
    var steps: [KernelPlan.Step] = []
    var loops = 0
    for function in functions {
      for block in function.blocks {
        steps += block.steps.map {
          planned($0, in: function, loop: block.isLoop ? loops : nil)
        }
        if block.isLoop { loops += 1 }
      }
    }
    var apart = buffers
    for index in apart.indices { apart[index].rows = .tokens }
    return KernelPlan(
      steps: steps,
      arena: KernelPlan.Arena(
        bytes: arenaBytes, bytesApart: arenaBytesApart,
        bytesWithoutReuse: apart.sum(tokens: chunk),
        largestLive: buffers.largestLive(tokens: chunk)),
      chunk: chunk)
  }

  private func planned(_ step: Step, in function: Function, loop: Int?) -> KernelPlan.Step {
    let work = step.work
    var weightBytes = KernelPlan.Amount()
    for weight in work.weights {
      let bytes = weight.tensor.bytes
      if weight.isTable {
        weightBytes.perToken += (bytes + weight.tensor.rows - 1) / max(1, weight.tensor.rows)
      } else {
        weightBytes.perCall += bytes
      }
    }
    let weights = work.weights.map { weight in
      KernelPlan.Weight(
        name: weight.tensor.name, format: weight.tensor.format, packing: weight.tensor.packing,
        shape: weight.tensor.shape, bytes: weight.tensor.bytes)
    }
    return KernelPlan.Step(
      layer: function.comment, operation: step.title, kernel: step.calls.first?.kernel ?? "",
      weights: weights, activations: work.activations,
      shape: weights.first { $0.shape.count > 1 }?.shape ?? step.writes.prefix(1).map(\.columns),
      loop: loop, isTail: function.isTail,
      integerProducts: KernelPlan.Amount(
        perToken: work.integerProducts, perKey: work.integerProductsPerKey, window: work.window),
      realProducts: KernelPlan.Amount(
        perToken: work.realProducts, perKey: work.realProductsPerKey, window: work.window),
      weightBytes: weightBytes,
      readBytes: bytes(of: step.reads, areRead: true, work),
      writtenBytes: bytes(of: step.writes, areRead: false, work))
  }

  /// Bytes of values that are read or written, each once.
  private func bytes(
    of values: [RowValue], areRead: Bool, _ work: StepWork
  ) -> KernelPlan.Amount {
    var amount = KernelPlan.Amount(window: work.window)
    for value in Set(values) {
      let row = value.columns * value.type.byteCount
      switch value.home {
      case .arena(let buffer):
        if buffers[buffer].rows == .tokens { amount.perToken += row }
      case .ids, .logits: amount.perToken += row
      case .state(let state): amount.perCall += states[state].count * value.type.byteCount
      case .cache: if areRead { amount.perPosition += row } else { amount.perToken += row }
      }
    }
    return amount
  }
}

extension StoredTensor {
  /// Bytes of all sections.
  var bytes: Int { sections.reduce(0) { $0 + $1.bytes } }

  /// How codes lie; nil for real numbers.
  fileprivate var packing: String? {
    if case .packed(let packed) = content { packed.layout.rawValue } else { nil }
  }
}
