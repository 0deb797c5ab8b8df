public import IRCPassKit

/// The least loss there is: dynamic programming for one budget, branch and bound for several.
///
/// With one budget exact as long as there are at most 65,536 sums of costs; beyond, costs count in units that are rounded up (see
/// `CostFrontier`), so that the budget is kept and a share of at most one unit for each thing is left unused. With several exact unless
/// the search stops at its limit of nodes; then the solution says so, and between what losses the least one lies.
public struct ExactSolver: AllocationSolver {
  public static let info = ComponentInfo(
    name: "exact",
    summary:
      "The least loss there is: dynamic programming for one budget, branch and bound for several."
  )

  public init() {}

  public func solve(_ problem: AllocationProblem) -> AllocationProblem.Solution? {
    if problem.budgets.count != 1 { return search(problem) }
    let frontier = CostFrontier(problem.items, of: 0, limit: problem.budgets[0])
    // Where costs were rounded up, a budget with little room may look broken by choices that keep it.
    let cheapest = problem.cheapest
    guard let index = frontier.index(within: problem.budgets[0]) else {
      return problem.fits(cheapest) ? cheapest : nil
    }
    let solution = problem.solution(frontier.choices(at: index))
    return problem.fits(cheapest) && cheapest.loss < solution.loss ? cheapest : solution
  }

  /// Well under a second for a hundred things of fifteen choices.
  private static let nodeLimit = 1 << 16

  private func search(_ problem: AllocationProblem) -> AllocationProblem.Solution? {
    let search = BranchAndBound(problem, nodeLimit: Self.nodeLimit)
    guard var solution = search.best, !search.isComplete else { return search.best }
    solution.note =
      "not proven to be the best: the search stopped at \(Self.nodeLimit) nodes with a loss of \(solution.loss); none is below \(search.bound)"
    return solution
  }
}
