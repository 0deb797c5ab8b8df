import IRCPassKit

/// What each format of each layer costs and loses, and which layers share one.
struct Allocation {
  let layers: [RoundedLinear]
  /// The formats to choose from, the same for every layer.
  let specs: [QuantizationSpec]
  /// For each layer the loss of each format.
  let losses: [[Double]]
  /// Indices of layers that share a choice.
  let groups: [[Int]]
  /// For each layer the bits of each format.
  let costs: [[Int]]
  /// For each layer the time of each format for one token, in picoseconds; nil if nobody asked.
  let times: [[Int]]?

  init(
    layers: [RoundedLinear], specs: [QuantizationSpec], losses: [[Double]], groups: [[Int]],
    times: [[Int]]? = nil
  ) {
    self.layers = layers
    self.specs = specs
    self.losses = losses
    self.groups = groups
    self.times = times
    costs = layers.map { layer in
      specs.map { $0.storedBits(rows: layer.shape[0], columns: layer.shape[1]) }
    }
  }

  /// Number of weights.
  var weightCount: Int { layers.reduce(0) { $0 + $1.shape.reduce(1, *) } }

  /// Bits for each weight, of so many for all.
  func average(_ bits: Int) -> Double { Double(bits) / Double(max(1, weightCount)) }

  /// Bits of a choice for each layer.
  func bits(of choices: [Int]) -> Int { zip(costs, choices).reduce(0) { $0 + $1.0[$1.1] } }

  /// Picoseconds of a choice for each layer; nil if nobody asked.
  func time(of choices: [Int]) -> Int? {
    times.map { zip($0, choices).reduce(0) { $0 + $1.0[$1.1] } }
  }

  /// Predicted loss of a choice for each layer.
  func loss(of choices: [Int]) -> Double { zip(losses, choices).reduce(0) { $0 + $1.0[$1.1] } }

  /// The least predicted loss for each number of bits.
  var frontier: [CostFrontier.Point] { CostFrontier(items(1), of: 0, limit: .max).points }

  /// The choice of a solver for each layer, and what it says of it; nil if it finds none that keeps the budget.
  ///
  /// - Throws: `PassError` when what the solver found is no choice, or breaks the budget; what the solver throws.
  func solve(_ solver: any AllocationSolver, within budget: Budgets) throws
    -> (choices: [Int], note: String?)?
  {
    let limits = [budget.bits] + (budget.time.map { [$0] } ?? [])
    let problem = AllocationProblem(items: items(limits.count), budgets: limits)
    guard let solution = try solver.solve(problem) else { return nil }
    guard solution.choices.count == groups.count,
      solution.choices.allSatisfy(specs.indices.contains),
      problem.fits(problem.solution(solution.choices))
    else {
      throw PassError(
        "solver '\(type(of: solver).info.name)' returned choices that do not keep the budget",
        hint: "choose another solver")
    }
    var choices = layers.map { _ in 0 }
    for (group, choice) in zip(groups, solution.choices) {
      for layer in group { choices[layer] = choice }
    }
    return (choices, solution.note)
  }

  /// A thing to choose for is a group of layers; of its costs, bits and picoseconds, the first `count`.
  private func items(_ count: Int) -> [[AllocationProblem.Choice]] {
    let kinds = ([costs] + (times.map { [$0] } ?? [])).prefix(count)
    return groups.map { group in
      specs.indices.map { choice in
        AllocationProblem.Choice(
          loss: group.reduce(0) { $0 + losses[$1][choice] },
          costs: kinds.map { costs in group.reduce(0) { $0 + costs[$1][choice] } })
      }
    }
  }
}
