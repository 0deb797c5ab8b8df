import IRCPassKit

/// For the things from each on, the least loss within whatever is left of one budget: one dynamic program from the last thing to the first.
///
/// What the other budgets are asked for has a price, which is part of the loss. No choices are kept. Costs are rounded down to multiples
/// of a unit where there would be more than `cells` sums of them, so that each loss is one that no choices go below.
struct SuffixBounds {
  private let budget: Int
  private let prices: [Double]
  private let unit: Int
  /// For each first thing, and none, the least priced loss by units of cost.
  private let least: [[Double]]

  /// Looks at one budget of a problem that has no negative ones, with a loss for a unit of cost of each of the others.
  init(_ problem: AllocationProblem, of budget: Int, prices: [Double], cells: Int) {
    var prices = prices
    prices[budget] = 0
    self.budget = budget
    self.prices = prices
    let most = problem.items.reduce(0) { $0 + ($1.map { $0.costs[budget] }.max() ?? 0) }
    let limit = min(problem.budgets[budget], most)
    let costs = problem.items.joined().lazy.map { $0.costs[budget] }
    let divisor = max(1, costs.reduce(0, greatestCommonDivisor))
    let unit = divisor * (limit / divisor / max(1, cells) + 1)
    self.unit = unit
    let width = limit / unit + 1
    var least = [[Double](repeating: 0, count: width)]
    for item in problem.items.reversed() {
      let after = least[least.count - 1]
      var row = [Double](repeating: .infinity, count: width)
      for choice in item {
        let step = choice.costs[budget] / unit
        let loss = choice.loss + prices.priced(choice.costs)
        for place in stride(from: step, to: width, by: 1) {
          row[place] = min(row[place], loss + after[place - step])
        }
      }
      least.append(row)
    }
    self.least = least.reversed()
  }

  /// What no choices for the things from `first` on that keep to what is left of all budgets lose less than; infinite if none keep to it.
  func leastLoss(from first: Int, within left: [Int]) -> Double {
    let row = least[first]
    return row[min(left[budget] / unit, row.count - 1)] - prices.priced(left)
  }
}

extension [Double] {
  /// What so much of each kind of cost is worth at these prices.
  func priced(_ costs: [Int]) -> Double {
    var sum = 0.0
    for (price, cost) in zip(self, costs) { sum += price * Double(cost) }
    return sum
  }
}
