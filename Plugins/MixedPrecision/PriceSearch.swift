import IRCPassKit

/// A price for each kind of cost at which things, each chosen for alone, come near to the budgets together: the Lagrangian relaxation,
/// whose dual is climbed with Polyak's steps.
struct PriceSearch {
  /// Loss for a unit of each kind of cost.
  private(set) var prices: [Double]
  /// What no solution loses less than.
  private(set) var bound = -Double.infinity
  /// The solution with the least loss that was met; nil if none kept the budgets.
  private(set) var best: AllocationProblem.Solution?

  /// Climbs for so many steps, with a solution that is known if there is one.
  init(_ problem: AllocationProblem, from known: AllocationProblem.Solution?, steps: Int = 256) {
    prices = problem.budgets.map { _ in 0 }
    best = known
    // Prices are sought in losses for a whole budget, so that kinds of cost of any size move alike.
    let scales = problem.budgets.map { Double(max(1, $0)) }
    let worst = problem.items.reduce(0) { $0 + ($1.map(\.loss).max() ?? 0) }
    var current = prices
    var pace = 1.0
    var sinceBetter = 0
    for _ in 0..<steps {
      let priced = problem.cheapest(at: current)
      let value = priced.loss + current.priced(priced.costs) - current.priced(problem.budgets)
      sinceBetter += 1
      if value > bound { (bound, prices, sinceBetter) = (value, current, 0) }
      if problem.fits(priced), priced.loss < best?.loss ?? .infinity {
        best = GreedySolver().improve(priced.choices, of: problem)
      }
      if sinceBetter == 8 { (pace, sinceBetter) = (pace / 2, 0) }
      let slopes = problem.budgets.indices.map {
        Double(priced.costs[$0] - problem.budgets[$0]) / scales[$0]
      }
      let steepness = slopes.reduce(0) { $0 + $1 * $1 }
      let gap = (best?.loss ?? worst) - value
      if steepness == 0 || gap <= 0 { break }
      for index in current.indices {
        let step = pace * gap / steepness * slopes[index] / scales[index]
        current[index] = max(0, current[index] + step)
      }
    }
  }
}

extension AllocationProblem {
  /// For each thing the choice whose loss and priced costs are least together; of equal ones the first.
  fileprivate func cheapest(at prices: [Double]) -> Solution {
    solution(
      items.map { item in
        var best = (price: Double.infinity, index: 0)
        for (index, choice) in item.enumerated() {
          let price = choice.loss + prices.priced(choice.costs)
          if price < best.price { best = (price, index) }
        }
        return best.index
      })
  }
}
