/// How an allocation is found.
public enum AllocationSolver: Sendable {
  /// The least loss there is.
  case exact
  /// From the cheapest choices, the step with the best ratio of loss to cost as long as one fits: fast, and near the best where
  /// steps are small against the budget.
  case greedy

  /// A solution; nil if no choices fit the budgets.
  public func solve(_ problem: AllocationProblem) -> AllocationProblem.Solution? {
    switch self {
    case .greedy: Greedy(problem).solution()
    case .exact where problem.budgets.count == 1: exact(problem)
    case .exact: BranchAndBound(problem).solution()
    }
  }

  private func exact(_ problem: AllocationProblem) -> AllocationProblem.Solution? {
    let frontier = CostFrontier(problem.items, of: 0, limit: problem.budgets[0])
    guard let index = frontier.index(within: problem.budgets[0]) else { return nil }
    return problem.solution(frontier.choices(at: index))
  }
}

extension CostFrontier {
  /// The frontier of one of the costs of a problem's items.
  public init(_ items: [[AllocationProblem.Choice]], of cost: Int, limit: Int) {
    self.init(
      items.map { $0.map { Point(cost: $0.costs[cost], loss: $0.loss) } }, limit: limit)
  }
}

/// Depth first over the items, cut off where even the best that each budget alone would allow is no better than what is known.
private struct BranchAndBound {
  private let problem: AllocationProblem
  /// For each budget and each first item the frontier of the items from there on.
  private let rest: [[CostFrontier]]
  private var best: AllocationProblem.Solution?

  init(_ problem: AllocationProblem) {
    self.problem = problem
    rest = problem.budgets.indices.map { budget in
      (0...problem.items.count).map { first in
        CostFrontier(Array(problem.items[first...]), of: budget, limit: .max)
      }
    }
  }

  func solution() -> AllocationProblem.Solution? {
    var search = self
    search.best = Greedy(problem).solution()
    var choices: [Int] = []
    search.descend(&choices, loss: 0, left: problem.budgets)
    return search.best
  }

  private mutating func descend(_ choices: inout [Int], loss: Double, left: [Int]) {
    let item = choices.count
    if item == problem.items.count {
      let found = problem.solution(choices)
      if found.loss < best?.loss ?? .infinity { best = found }
      return
    }
    let options = problem.items[item].enumerated().sorted {
      ($0.element.loss, $0.offset) < ($1.element.loss, $1.offset)
    }
    for (index, option) in options {
      let remaining = zip(left, option.costs).map { $0 - $1 }
      if remaining.contains(where: { $0 < 0 }) { continue }
      let bounds = zip(rest, remaining).map { $0[item + 1].leastLoss(within: $1) }
      guard
        let bound = bounds.reduce(
          -Double.infinity as Double?,
          { a, b in
            if let a, let b { max(a, b) } else { nil }
          })
      else { continue }
      if loss + option.loss + bound >= best?.loss ?? .infinity { continue }
      choices.append(index)
      descend(&choices, loss: loss + option.loss, left: remaining)
      choices.removeLast()
    }
  }
}

/// Steps from cheap to dear choices.
private struct Greedy {
  private let problem: AllocationProblem

  init(_ problem: AllocationProblem) { self.problem = problem }

  func solution() -> AllocationProblem.Solution? {
    // Costs are counted in shares of their budgets.
    let scales = problem.budgets.map { 1 / Double(max(1, $0)) }
    func share(_ choice: AllocationProblem.Choice) -> Double {
      zip(choice.costs, scales).reduce(0) { $0 + Double($1.0) * $1.1 }
    }
    var choices = problem.items.map { item in
      item.indices.min {
        (share(item[$0]), item[$0].loss, $0) < (share(item[$1]), item[$1].loss, $1)
      }
        ?? 0
    }
    guard problem.fits(problem.solution(choices)) else { return nil }
    while true {
      var best: (gain: Double, item: Int, choice: Int)?
      let costs = problem.solution(choices).costs
      for (index, item) in problem.items.enumerated() {
        let now = item[choices[index]]
        for (choice, option) in item.enumerated() where option.loss < now.loss {
          let fits = problem.budgets.indices.allSatisfy {
            costs[$0] - now.costs[$0] + option.costs[$0] <= problem.budgets[$0]
          }
          if !fits { continue }
          let price = share(option) - share(now)
          let gain = price > 0 ? (now.loss - option.loss) / price : .infinity
          if gain > best?.gain ?? 0 { best = (gain, index, choice) }
        }
      }
      guard let step = best else { return problem.solution(choices) }
      choices[step.item] = step.choice
    }
  }
}
