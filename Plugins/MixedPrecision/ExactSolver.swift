public import IRCPassKit

/// The least loss there is: dynamic programming for one budget, branch and bound for several.
///
/// Exact as long as there are at most 65,536 sums of costs; beyond, costs count in units that are rounded up (see `CostFrontier`), so that
/// a budget is kept and a share of at most one unit for each thing is left unused.
public struct ExactSolver: AllocationSolver {
  public static let info = ComponentInfo(
    name: "exact",
    summary:
      "The least loss there is: dynamic programming for one budget, branch and bound for several."
  )

  public init() {}

  public func solve(_ problem: AllocationProblem) -> AllocationProblem.Solution? {
    if problem.budgets.count != 1 { return BranchAndBound(problem).solution() }
    let frontier = CostFrontier(problem.items, of: 0, limit: problem.budgets[0])
    // Where costs were rounded up, a budget with little room may look broken by choices that keep it.
    let cheapest = problem.cheapest
    guard let index = frontier.index(within: problem.budgets[0]) else {
      return problem.fits(cheapest) ? cheapest : nil
    }
    let solution = problem.solution(frontier.choices(at: index))
    return problem.fits(cheapest) && cheapest.loss < solution.loss ? cheapest : solution
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
    search.best = GreedySolver().solve(problem)
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
