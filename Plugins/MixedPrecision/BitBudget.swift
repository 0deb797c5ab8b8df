import IRCPassKit

/// How many bits the weights of all layers may take together.
struct BitBudget {
  /// Bits of all.
  private(set) var bits: Int
  private let weights: Int

  /// The same for each weight.
  var average: Double { Double(bits) / Double(weights) }

  /// So many bits for each of so many weights.
  init(average: Double, weights: Int) {
    self.weights = max(1, weights)
    // An average that was computed from whole bits must give them back.
    bits = Int((average * Double(self.weights) + 0.001).rounded(.down))
  }

  /// So many bytes for so many weights.
  init(bytes: Int, weights: Int) {
    self.weights = max(1, weights)
    bits = 8 * bytes
  }

  /// The smaller of two budgets for the same weights.
  func limited(to other: BitBudget) -> BitBudget { other.bits < bits ? other : self }
}

extension MixedPrecision {
  /// What `bits`, `bytes` and the scheme allow, or the formats that there are take.
  ///
  /// - Throws: `PassError` when the scheme of `quantize` states bits and the pass was not told.
  func budget(of layers: [RoundedLinear], in graph: Graph) throws -> BitBudget {
    let weights = layers.reduce(0) { $0 + $1.shape.reduce(1, *) }
    let size = bytes.map { BitBudget(bytes: $0, weights: weights) }
    if let asked = bits?.value ?? scheme?.bits {
      let average = BitBudget(average: asked, weights: weights)
      return size.map(average.limited) ?? average
    }
    if let size { return size }
    if graph.facts.contains(.formatsOpen) {
      throw PassError(
        "the scheme of 'quantize' states a budget of bits, and this pass was not told",
        hint: "write 'scheme: $scheme' here as there, or say 'bits' or 'bytes'")
    }
    let stored = layers.reduce(0) {
      $0 + $1.spec.storedBits(rows: $1.shape[0], columns: $1.shape[1])
    }
    return BitBudget(average: Double(stored) / Double(max(1, weights)), weights: weights)
  }

  /// Refuses a budget that the smallest formats exceed, before anything is measured.
  ///
  /// - Throws: `PassError` with the least that would do, and what was left out since it has no times.
  func checkBudget(
    _ budget: BitBudget, of layers: [RoundedLinear], _ formats: Formats
  ) throws {
    let specs = formats.specs
    let least = layers.reduce(0) { sum, layer in
      sum + (specs.map { $0.storedBits(rows: layer.shape[0], columns: layer.shape[1]) }.min() ?? 0)
    }
    guard budget.bits < least else { return }
    let weights = layers.reduce(0) { $0 + $1.shape.reduce(1, *) }
    let average = (Double(least) / Double(max(1, weights))).remarkText
    let size = "\(average), or \((least + 7) / 8) bytes in all"
    guard formats.unmeasured.isEmpty else {
      throw PassError(
        "of the formats that 'kernel_times' has times of, the smallest take \(size), and the budget is \(budget.average.remarkText) bits for each weight; there are no times of \(formats.unmeasured.joined(separator: ", "))",
        hint:
          "name measured formats under 'choices', or raise the budget, or measure others: \(KernelTimes.recipe)"
      )
    }
    throw PassError(
      "\(budget.average.remarkText) bits for each weight are too few: the smallest formats take \(size)",
      hint: "raise the budget, or add smaller formats to 'choices'")
  }
}
