import IRCPassKit

/// What all layers together may take.
struct Budgets {
  /// Bits.
  var bits: Int
  /// Picoseconds for one token; nil: no limit.
  var time: Int?

  /// True if so many bits and picoseconds are within.
  func holds(_ bits: Int, _ time: Int?) -> Bool {
    bits <= self.bits && (time ?? 0) <= self.time ?? .max
  }
}

extension MixedPrecision {
  /// For each layer the time of each format, in picoseconds; nil without `kernel_times`.
  ///
  /// - Throws: `PassError` for a format that was not measured.
  func times(
    of layers: [RoundedLinear], as specs: [QuantizationSpec], in graph: Graph
  ) throws -> [[Int]]? {
    guard let kernelTimes else { return nil }
    return try layers.map { layer in
      let input = graph.definition(
        of: graph[layer.operation].operands[0], as: Dequantize.self)?.spec
      return try specs.map { spec in
        // No integers to multiply with: the activations stay real.
        let activations = spec.format.hasLevels ? input : nil
        let seconds = kernelTimes.seconds(
          spec, rows: layer.shape[0], columns: layer.shape[1], activations: activations)
        guard let seconds else {
          throw PassError(
            "'kernel_times' has no product of one token with weights '\(spec.benchName)' and activations "
              + "'\(KernelTimes.name(of: activations))' on one thread",
            hint: "measure the formats that can be chosen, or name others under 'choices'")
        }
        return Int((seconds * 1e12).rounded())
      }
    }
  }

  /// Both budgets.
  ///
  /// - Throws: `PassError` when even the fastest formats take longer than `seconds`.
  func budgets(_ bits: BitBudget, _ times: [[Int]]?) throws -> Budgets {
    guard let seconds, let times else { return Budgets(bits: bits.bits, time: nil) }
    let limit = Int((seconds * 1e12).rounded(.down))
    let least = times.reduce(0) { $0 + ($1.min() ?? 0) }
    guard least <= limit else {
      throw PassError(
        "\(seconds) s for one token are too few: the fastest formats take \(Double(least) * 1e-12) s",
        hint: "raise 'seconds', or add faster formats to 'choices'")
    }
    return Budgets(bits: bits.bits, time: limit)
  }
}
