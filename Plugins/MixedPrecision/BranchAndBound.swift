import IRCPassKit

/// Depth first over the things, the most promising choice first, cut off where even the best that each budget alone would allow, the
/// others at a price, is no better than what is known.
///
/// After `nodeLimit` nodes it stops with the best that was found, so that it ends whatever the problem; nodes and not time, so that
/// results do not depend on the machine.
struct BranchAndBound {
  /// One choice that is still to be followed.
  private struct Branch {
    var choice: Int
    var loss: Double
    var left: [Int]
    /// What no solution with it loses less than.
    var bound: Double
  }

  private let problem: AllocationProblem
  private let bounds: [SuffixBounds]
  private let nodeLimit: Int
  /// The best solution that was found; nil if none was.
  private(set) var best: AllocationProblem.Solution?
  /// What no solution loses less than: the loss of the best one where the search came to its end.
  private(set) var bound: Double
  /// True if the search came to its end: nothing loses less than `best`, and nothing keeps the budgets if that is nil.
  private(set) var isComplete = true

  /// Searches a problem.
  init(_ problem: AllocationProblem, nodeLimit: Int) {
    self.problem = problem
    self.nodeLimit = nodeLimit
    guard problem.budgets.allSatisfy({ $0 >= 0 }) else {
      (bounds, bound) = ([], .infinity)
      return
    }
    let priced = PriceSearch(problem, from: GreedySolver().solve(problem))
    best = priced.best
    bound = priced.bound
    if let best, best.loss <= bound {
      bounds = []
      finish(with: best)
      return
    }
    // Without prices as well: they are those of the whole problem, and wrong where what is left has another shape.
    let prices = [priced.prices, problem.budgets.map { _ in 0 }]
    let tables = prices.count * problem.budgets.count * (problem.items.count + 1)
    let cells = min(Self.mostCells, max(Self.fewestCells, Self.numbers / max(1, tables)))
    bounds = prices.flatMap { prices in
      problem.budgets.indices.map {
        SuffixBounds(problem, of: $0, prices: prices, cells: cells)
      }
    }
    search()
  }

  /// Cells of a bound for the things from one on, and numbers of all bounds together, 64 MiB of them.
  private static let mostCells = 1 << 14
  private static let fewestCells = 1 << 8
  private static let numbers = 1 << 23

  private mutating func search() {
    guard !problem.items.isEmpty else { return finish(with: problem.solution([])) }
    // A stack of its own: there may be more things than calls fit on the thread's. Each level holds what is left to follow, the most
    // promising last.
    var levels = [branches(of: 0, loss: 0, left: problem.budgets)]
    var choices: [Int] = []
    var nodes = 0
    while let level = levels.indices.last {
      guard let branch = levels[level].popLast(), branch.bound < best?.loss ?? .infinity else {
        levels.removeLast()
        _ = choices.popLast()
        continue
      }
      if nodes == nodeLimit {
        let open = levels.reduce(branch.bound) { min($0, $1.last?.bound ?? .infinity) }
        bound = min(max(bound, open), best?.loss ?? .infinity)
        isComplete = false
        return
      }
      nodes += 1
      choices.append(branch.choice)
      if choices.count < problem.items.count {
        levels.append(branches(of: choices.count, loss: branch.loss, left: branch.left))
        continue
      }
      let found = problem.solution(choices)
      if found.loss < best?.loss ?? .infinity { best = found }
      choices.removeLast()
    }
    finish(with: best)
  }

  private mutating func finish(with solution: AllocationProblem.Solution?) {
    best = solution
    bound = solution?.loss ?? .infinity
  }

  /// The choices for a thing that may lead to something better, the most promising last.
  private func branches(of item: Int, loss: Double, left: [Int]) -> [Branch] {
    var result: [Branch] = []
    for (index, choice) in problem.items[item].enumerated() {
      let remaining = zip(left, choice.costs).map { $0 - $1 }
      if remaining.contains(where: { $0 < 0 }) { continue }
      let sum = loss + choice.loss
      let rest = bounds.reduce(-.infinity) {
        max($0, $1.leastLoss(from: item + 1, within: remaining))
      }
      if sum + rest < best?.loss ?? .infinity {
        result.append(Branch(choice: index, loss: sum, left: remaining, bound: sum + rest))
      }
    }
    // Of equal ones the one that loses less itself, then the first.
    return result.sorted { ($0.bound, $0.loss, $0.choice) > ($1.bound, $1.loss, $1.choice) }
  }
}
