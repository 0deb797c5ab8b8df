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

/// What there is to choose from.
struct Formats {
  /// The formats.
  var specs: [QuantizationSpec]
  /// For each layer the time of each format, in picoseconds; nil if nobody asked.
  var times: [[Int]]?
  /// What is left out since nobody measured it, in words: weights and the activations that they are multiplied with.
  var unmeasured: [String] = []
}

extension MixedPrecision {
  /// The formats to choose from, with `kernel_times` only those that have a time in every layer.
  ///
  /// - Throws: `PassError` when `choices` names a format that was not measured, when none is left, and for times beyond counting.
  func formats(
    within budget: BitBudget, for layers: [RoundedLinear], in graph: Graph
  ) throws -> Formats {
    let specs = candidates(within: budget, for: layers)
    guard let kernelTimes else { return Formats(specs: specs) }
    var formats = Formats(specs: [])
    var seconds = layers.map { _ in [Double]() }
    let inputs = layers.map { layer in
      graph.definition(of: graph[layer.operation].operands[0], as: Dequantize.self)?.spec
    }
    for spec in specs {
      let column = zip(layers, inputs).map { layer, input in
        kernelTimes.seconds(
          spec, rows: layer.shape[0], columns: layer.shape[1],
          activations: spec.activations(input))
      }
      if let place = column.firstIndex(of: nil) {
        let name =
          "weights '\(spec.benchName)' and activations '\(KernelTimes.name(of: spec.activations(inputs[place])))'"
        if !choices.isEmpty { throw unmeasured(name, "name other formats under 'choices'") }
        if !formats.unmeasured.contains(name) { formats.unmeasured.append(name) }
        continue
      }
      formats.specs.append(spec)
      for (layer, value) in column.enumerated() { seconds[layer].append(value ?? 0) }
    }
    if formats.specs.isEmpty {
      throw unmeasured(
        formats.unmeasured.joined(separator: ", "), "name measured ones under 'choices'")
    }
    formats.times = try picoseconds(seconds)
    return formats
  }

  private func unmeasured(_ names: String, _ otherwise: String) -> PassError {
    PassError(
      "'kernel_times' has no product of one token on one thread with \(names)",
      hint: "\(otherwise), or measure others: \(KernelTimes.recipe)")
  }

  /// The same in whole picoseconds, of which sums over all layers can be counted.
  private func picoseconds(_ seconds: [[Double]]) throws -> [[Int]] {
    let slowest = seconds.reduce(0) { $0 + ($1.max() ?? 0) }
    guard slowest < Self.mostSeconds else {
      throw PassError(
        "by 'kernel_times' one token takes up to \(slowest) s in \(seconds.count) layers, which is beyond \(Self.mostSeconds) s",
        hint: "give times that 'irc bench --suite kernels --json' measured")
    }
    return seconds.map { $0.map { Int(($0 * Self.picosecondsOfSecond).rounded()) } }
  }

  private static let picosecondsOfSecond = 1e12
  /// Ten times what `seconds` may be; in picoseconds far from what an `Int` holds, whatever is added up.
  private static let mostSeconds = 1e4

  /// Both budgets.
  ///
  /// - Throws: `PassError` when even the fastest formats take longer than `seconds`.
  func budgets(_ bits: BitBudget, _ times: [[Int]]?) throws -> Budgets {
    guard let seconds, let times else { return Budgets(bits: bits.bits, time: nil) }
    let limit = Int((seconds * Self.picosecondsOfSecond).rounded(.down))
    let least = times.reduce(0) { $0 + ($1.min() ?? 0) }
    guard least <= limit else {
      throw PassError(
        "\(seconds) s for one token are too few: the fastest formats take \(Double(least) / Self.picosecondsOfSecond) s",
        hint: "raise 'seconds', or add faster formats to 'choices'")
    }
    return Budgets(bits: bits.bits, time: limit)
  }
}

extension QuantizationSpec {
  /// What weights of this format are multiplied with where so is asked for: without integers the activations stay real.
  fileprivate func activations(_ asked: QuantizationSpec?) -> QuantizationSpec? {
    format.hasLevels ? asked : nil
  }
}
