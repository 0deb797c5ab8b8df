/// One choice for each of several things, within budgets, with the least loss: a multiple-choice knapsack.
///
///     min Σ loss   such that   Σ cost ≤ budget, for each budget
public struct AllocationProblem: Sendable {
  /// What one choice for one thing brings.
  public struct Choice: Hashable, Sendable {
    /// How much worse the result gets; any finite number.
    public var loss: Double
    /// What it takes of each budget, 0 or more.
    public var costs: [Int]

    /// States what a choice brings.
    public init(loss: Double, costs: [Int]) {
      self.loss = loss
      self.costs = costs
    }
  }

  /// A choice for each thing, and what they bring together.
  public struct Solution: Hashable, Sendable {
    /// Which choice each thing gets.
    public var choices: [Int]
    /// The sum of their losses.
    public var loss: Double
    /// The sums of their costs, one for each budget.
    public var costs: [Int]
    /// What the solver has to say of it, such as that a better one may exist; nil if nothing.
    public var note: String?
  }

  /// The choices of each thing, none without any.
  public var items: [[Choice]]
  /// How much there is of each kind of cost.
  public var budgets: [Int]

  /// Poses the problem.
  public init(items: [[Choice]], budgets: [Int]) {
    self.items = items
    self.budgets = budgets
  }

  /// For each thing the choice that takes the smallest shares of the budgets; of equal ones that with the least loss, then the first.
  public var cheapest: Solution {
    let scales = budgets.map { 1 / Double(max(1, $0)) }
    func share(_ choice: Choice) -> Double {
      zip(choice.costs, scales).reduce(0) { $0 + Double($1.0) * $1.1 }
    }
    return solution(
      items.map { item in
        item.indices.min {
          (share(item[$0]), item[$0].loss, $0) < (share(item[$1]), item[$1].loss, $1)
        } ?? 0
      })
  }

  /// Adds up what choices bring.
  public func solution(_ choices: [Int]) -> Solution {
    var result = Solution(choices: choices, loss: 0, costs: budgets.map { _ in 0 })
    for (item, choice) in zip(items, choices) {
      result.loss += item[choice].loss
      for (index, cost) in item[choice].costs.enumerated() { result.costs[index] += cost }
    }
    return result
  }

  /// True if every budget is kept.
  public func fits(_ solution: Solution) -> Bool {
    zip(solution.costs, budgets).allSatisfy { $0 <= $1 }
  }
}
