public import IRCPassKit

/// From the cheapest choices, the step with the best ratio of loss to cost as long as one fits: fast, and near the best where
/// steps are small against the budget.
public struct GreedySolver: AllocationSolver {
  public static let info = ComponentInfo(
    name: "greedy",
    summary:
      "From the cheapest choices, the step with the best ratio of loss to cost as long as one fits; for very many layers."
  )

  public init() {}

  public func solve(_ problem: AllocationProblem) -> AllocationProblem.Solution? {
    let cheapest = problem.cheapest
    return problem.fits(cheapest) ? improve(cheapest.choices, of: problem) : nil
  }

  /// Takes the best steps from choices that keep the budgets, as long as one fits.
  func improve(_ choices: [Int], of problem: AllocationProblem) -> AllocationProblem.Solution {
    // Costs are counted in shares of their budgets.
    let scales = problem.budgets.map { 1 / Double(max(1, $0)) }
    func share(_ choice: AllocationProblem.Choice) -> Double {
      zip(choice.costs, scales).reduce(0) { $0 + Double($1.0) * $1.1 }
    }
    var choices = choices
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
