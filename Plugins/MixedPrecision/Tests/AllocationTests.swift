import Foundation
import IRCPassKit
import MixedPrecision
import Testing

@Suite("Allocation of a budget")
struct AllocationTests {
  private typealias Choice = AllocationProblem.Choice

  /// Random instances whose costs are no multiples of each other.
  private func instance(_ seed: UInt64, budgets: Int) -> AllocationProblem {
    let random = RandomNumbers(seed: seed)
    var next = 0
    func number(_ bound: Int) -> Int {
      next += 1
      return random.integer(next, below: bound)
    }
    let items = (0..<2 + number(4)).map { _ in
      (0..<1 + number(4)).map { _ in
        Choice(
          loss: Double(number(1000)) / 100,
          costs: (0..<budgets).map { _ in number(50) })
      }
    }
    return AllocationProblem(
      items: items, budgets: (0..<budgets).map { _ in number(60 * items.count) })
  }

  /// The least loss by trying everything.
  private func leastLoss(_ problem: AllocationProblem) -> Double? {
    var best: Double?
    func descend(_ choices: [Int]) {
      if choices.count == problem.items.count {
        let solution = problem.solution(choices)
        if problem.fits(solution) { best = min(best ?? .infinity, solution.loss) }
        return
      }
      for choice in problem.items[choices.count].indices { descend(choices + [choice]) }
    }
    descend([])
    return best
  }

  @Test("The exact solvers find what trying everything finds", arguments: 1...3)
  func optimum(budgets: Int) throws {
    var solved = 0
    for seed in UInt64(0)..<200 {
      let problem = instance(seed, budgets: budgets)
      let expected = leastLoss(problem)
      let found = ExactSolver().solve(problem)
      #expect((found == nil) == (expected == nil), "seed \(seed)")
      guard let expected, let found else { continue }
      solved += 1
      #expect(abs(found.loss - expected) < 1e-9, "seed \(seed)")
      #expect(problem.fits(found) && found == problem.solution(found.choices))
    }
    #expect(solved > 60)
  }

  /// As many layers as a model of a billion weights has, with formats whose time does not follow their bits.
  private func layers(_ count: Int) -> [[Choice]] {
    let random = RandomNumbers(seed: 11)
    return (0..<count).map { layer in
      let weights = [1536 * 576, 576 * 576, 576 * 192, 1024 * 1024][layer % 4]
      let weight = random.uniform(layer * 100) * random.uniform(layer * 100 + 1)
      return (0..<15).map { choice in
        let (bits, group) = (2 + choice / 3, 32 << (choice % 3))
        let cost = weights * bits + weights / group * 16
        let noise = random.uniform(layer * 100 + 2 + choice)
        let speed = [1.1, 2, 1, 2.5, 2.6][bits - 2] * (0.9 + 0.2 * noise)
        var loss = (0.01 + weight) * (0.8 + 0.4 * random.uniform(layer * 100 + 50 + choice))
        for _ in 0..<bits { loss /= 4 }
        return Choice(loss: loss, costs: [cost, Int(Double(cost) * speed)])
      }
    }
  }

  /// Budgets at these shares of the way from the least to the most that the items take.
  private func problem(_ items: [[Choice]], _ shares: [Double]) -> AllocationProblem {
    let budgets = shares.indices.map { budget in
      let least = items.reduce(0) { $0 + ($1.map { $0.costs[budget] }.min() ?? 0) }
      let most = items.reduce(0) { $0 + ($1.map { $0.costs[budget] }.max() ?? 0) }
      return least + Int(shares[budget] * Double(most - least))
    }
    return AllocationProblem(items: items, budgets: budgets)
  }

  @Test(
    "Two budgets of many layers are kept in a time that has a bound, with a loss near the least",
    arguments: [[0.4, 0.4], [0.5, 0.3], [0.3, 0.5], [0.2, 0.15]])
  func manyLayers(shares: [Double]) throws {
    let problem = problem(layers(110), shares)
    let found = try #require(ExactSolver().solve(problem))
    #expect(problem.fits(found))
    #expect(found.costs == problem.solution(found.choices).costs)
    let greedy = try #require(GreedySolver().solve(problem))
    #expect(found.loss <= greedy.loss)
    let least = bound(problem)
    #expect(found.loss >= least - 1e-9 && found.loss < 1.01 * least, "\(least): \(found)")
    #expect(ExactSolver().solve(problem) == found)
  }

  /// What no solution of two budgets loses less than: the best of prices for them, none among these, on a wide grid and then on a fine
  /// one about its best.
  private func bound(_ problem: AllocationProblem) -> Double {
    var best = (loss: 0.0, bits: 1e-8, time: 1e-8)
    for factor in [1.5, 1.05] {
      let centre = best
      for place in -12...12 {
        for other in -12...12 {
          let bits = place == -12 ? 0 : centre.bits * pow(factor, Double(place))
          let time = other == -12 ? 0 : centre.time * pow(factor, Double(other))
          func price(_ costs: [Int]) -> Double { bits * Double(costs[0]) + time * Double(costs[1]) }
          let sum = problem.items.reduce(0) {
            $0 + ($1.map { $0.loss + price($0.costs) }.min() ?? 0)
          }
          let loss = sum - price(problem.budgets)
          if loss > best.loss { best = (loss, bits, time) }
        }
      }
    }
    return best.loss
  }

  @Test("A search that stops says so, and one that comes to its end has nothing to say")
  func stopped() throws {
    // Two kinds of cost that go together, so that very many choices are alike.
    let alike = layers(110).map { item in
      item.map { Choice(loss: $0.loss, costs: [$0.costs[0], $0.costs[0] + 1]) }
    }
    let hard = problem(alike, [0.5, 0.3])
    let found = try #require(ExactSolver().solve(hard))
    #expect(hard.fits(found))
    #expect(found.note?.hasPrefix("not proven to be the best: the search stopped at ") == true)
    let few = problem(layers(8), [0.5, 0.3])
    #expect(try #require(ExactSolver().solve(few)).note == nil)
  }

  @Test("Without a budget each thing gets what loses least, and a budget below zero is never kept")
  func noBudgets() throws {
    let items = layers(110)
    let priceless = items.map { $0.map { Choice(loss: $0.loss, costs: []) } }
    let free = try #require(ExactSolver().solve(AllocationProblem(items: priceless, budgets: [])))
    #expect(
      zip(items, free.choices).allSatisfy { item, choice in
        item.allSatisfy { $0.loss >= item[choice].loss }
      })
    #expect(ExactSolver().solve(AllocationProblem(items: items, budgets: [-1, .max])) == nil)
  }

  @Test("The greedy solver keeps budgets and is never better than the best", arguments: 1...2)
  func greedy(budgets: Int) throws {
    var ratios: [Double] = []
    for seed in UInt64(0)..<200 {
      let problem = instance(seed, budgets: budgets)
      guard let found = GreedySolver().solve(problem) else { continue }
      let best = try #require(ExactSolver().solve(problem))
      #expect(problem.fits(found))
      #expect(found.loss >= best.loss - 1e-9)
      ratios.append((found.loss + 1) / (best.loss + 1))
    }
    // Far from useless: half of the instances within a tenth of the best.
    #expect(ratios.count > 50)
    #expect(ratios.sorted()[ratios.count / 2] < 1.1)
  }

  @Test("Each point of the frontier is the best within its cost, and every budget has one")
  func frontier() throws {
    for seed in UInt64(0)..<50 {
      var problem = instance(seed, budgets: 1)
      let frontier = CostFrontier(problem.items, of: 0, limit: .max)
      #expect(frontier.unit == 1)
      for (a, b) in zip(frontier.points, frontier.points.dropFirst()) {
        #expect(a.cost < b.cost && a.loss > b.loss)
      }
      for (index, point) in frontier.points.enumerated() {
        let solution = problem.solution(frontier.choices(at: index))
        #expect(solution.costs == [point.cost] && abs(solution.loss - point.loss) < 1e-9)
        problem.budgets = [point.cost]
        #expect(try abs(#require(leastLoss(problem)) - point.loss) < 1e-9)
      }
      #expect(frontier.index(within: (frontier.points.first?.cost ?? 0) - 1) == nil)
    }
  }

  @Test("A budget that only the cheapest choices keep is kept, however costs are rounded")
  func noRoom() throws {
    // Two costs without a common divisor: sums are counted in units of 4.
    let problem = AllocationProblem(
      items: [100_003, 99_991].map { [Choice(loss: 1, costs: [$0])] }, budgets: [199_994])
    #expect(ExactSolver().solve(problem)?.costs == [199_994])
    var tooFew = problem
    tooFew.budgets = [199_993]
    #expect(ExactSolver().solve(tooFew) == nil)
  }

  @Test("With too many sums of costs a budget is still kept, and little is lost")
  func rounded() throws {
    let random = RandomNumbers(seed: 7)
    let items = (0..<40).map { item in
      (0..<5).map { choice in
        CostFrontier.Point(
          cost: choice * 1_000_003 + random.integer(item * 5 + choice, below: 1000),
          loss: random.uniform(item * 5 + choice) + Double(4 - choice))
      }
    }
    let limit = 80_000_000
    let coarse = CostFrontier(items, limit: limit, stateLimit: 1 << 10)
    let fine = CostFrontier(items, limit: limit, stateLimit: 1 << 20)
    #expect(coarse.unit > 1)
    func exact(_ frontier: CostFrontier) throws -> (cost: Int, loss: Double) {
      let choices = frontier.choices(at: try #require(frontier.index(within: limit)))
      return zip(items, choices).reduce((0, 0)) { ($0.0 + $1.0[$1.1].cost, $0.1 + $1.0[$1.1].loss) }
    }
    let (a, b) = try (exact(coarse), exact(fine))
    #expect(a.cost <= limit && b.cost <= limit)
    #expect(a.loss >= b.loss - 1e-9 && a.loss < b.loss * 1.1)
  }

  /// HAWQ-V3's ResNet18 (arXiv 2011.10680): trace, errors at 8 and 4 bits, sizes and operations of 19 layers, some of which share bits.
  /// The allocations are those that its published code finds.
  private enum ResNet18 {
    static let traces = [
      0.06857826, 0.03162379, 0.03298575, 0.01205663, 0.02222431, 0.00596336, 0.06931772,
      0.00807129,
      0.00372905, 0.00530698, 0.00209011, 0.00737569, 0.00210454, 0.00151197, 0.00158041,
      0.00078146,
      0.00451841, 0.00098745, 0.00072944,
    ]
    static let errors8 = [
      0.0235, 0.0125, 0.0102, 0.0082, 0.0145, 0.0344, 0.0023, 0.0287, 0.0148, 0.0333, 0.0682,
      0.0027,
      0.0448, 0.0336, 0.0576, 0.1130, 0.0102, 0.0947, 0.0532,
    ]
    static let errors4 = [
      6.7430, 3.9691, 3.3281, 2.6796, 4.7277, 10.5966, 0.6827, 9.0942, 4.8857, 10.7599, 21.7546,
      0.8603, 14.5324, 10.9651, 18.7706, 36.4044, 3.1572, 29.6994, 17.4016,
    ]
    static let sizes =
      [36864, 36864, 36864, 36864, 73728, 147456, 8192, 147456, 147456, 294912, 589824, 32768]
      + [589824, 589824, 1_179_648, 2_359_296, 131072, 2_359_296, 2_359_296]
    static let operations =
      [115_605_504, 115_605_504, 115_605_504, 115_605_504]
      + (0..<3).flatMap { _ in
        [57_802_752, 115_605_504, 6_422_528, 115_605_504, 115_605_504]
      }
    static let ties = [[4, 6], [9, 11], [14, 16]]

    /// Layers at 4 bits for a share of the way from all at 4 to all at 8 bits.
    static func atFourBits(_ share: Double, cost: (_ layer: Int, _ bits: Int) -> Int) throws
      -> [Int]
    {
      let groups = (0..<19).compactMap { layer -> [Int]? in
        if let tie = ties.first(where: { $0.contains(layer) }) {
          return tie[0] == layer ? tie : nil
        }
        return [layer]
      }
      let items = groups.map { group in
        [8, 4].map { bits in
          Choice(
            loss: group.reduce(0) { $0 + traces[$1] * (bits == 8 ? errors8 : errors4)[$1] },
            costs: [group.reduce(0) { $0 + cost($1, bits) }])
        }
      }
      let (most, least) = (8, 4)
      let ends = [least, most].map { bits in (0..<19).reduce(0) { $0 + cost($1, bits) } }
      let budget = ends[0] + Int((share * Double(ends[1] - ends[0])).rounded(.down))
      let solution = try #require(
        ExactSolver().solve(AllocationProblem(items: items, budgets: [budget])))
      return zip(groups, solution.choices).flatMap { $1 == 1 ? $0 : [] }.sorted()
    }
  }

  @Test("Published allocations of ResNet18 by size")
  func bySize() throws {
    func layers(_ share: Double) throws -> [Int] {
      try ResNet18.atFourBits(share) { ResNet18.sizes[$0] * $1 / 8 }
    }
    #expect(try layers(0.75) == [13, 18])
    #expect(try layers(0.5) == [15, 17, 18])
    #expect(try layers(0.25) == Array(14...18))
  }

  @Test("Published allocations of ResNet18 by operations")
  func byOperations() throws {
    func layers(_ share: Double) throws -> [Int] {
      try ResNet18.atFourBits(share) { ResNet18.operations[$0] * $1 * $1 }
    }
    #expect(try layers(0.75) == [8, 13, 15, 18])
    #expect(try layers(0.5) == [3, 8, 12, 13, 14, 15, 16, 17, 18])
    #expect(try layers(0.25) == [3, 5, 7, 8] + Array(9...18))
  }
}
