public import IRCPassKit

/// For every cost the least loss that it buys, exactly: dynamic programming over the items in which a state that costs more and
/// loses no less than another is dropped.
///
/// With whole costs there are at most as many states as there are sums of costs. Beyond `stateLimit` costs are rounded up to
/// multiples of a unit, so that a budget is still never exceeded; `unit` tells.
public struct CostFrontier: Sendable {
  /// One point: a cost and the least loss at or below it.
  public struct Point: Hashable, Sendable {
    /// The sum of costs.
    public var cost: Int
    /// The least loss at or below it.
    public var loss: Double

    /// States a point.
    public init(cost: Int, loss: Double) {
      self.cost = cost
      self.loss = loss
    }
  }

  private struct State {
    var point: Point
    /// The choice of the last item, and the state before it.
    var choice: Int32
    var previous: Int32
  }

  /// Points in the order of their cost, each of less loss than the one before.
  public let points: [Point]
  /// What costs were rounded up to; 1 if they are exact.
  public let unit: Int
  /// States after each item.
  private let layers: [[State]]

  /// Finds the points of one kind of cost that cost at most `limit`.
  public init(_ items: [[Point]], limit: Int, stateLimit: Int = 1 << 16) {
    var unit = 1
    let range = items.reduce(0) { $0 + ($1.map(\.cost).max() ?? 0) }
    let divisor = max(1, items.joined().reduce(0) { greatestCommonDivisor($0, $1.cost) })
    if min(range, max(0, limit)) / divisor > stateLimit {
      unit = (min(range, limit) + stateLimit - 1) / stateLimit
    }
    var states = [State(point: Point(cost: 0, loss: 0), choice: 0, previous: 0)]
    var layers: [[State]] = []
    for item in items {
      var next: [State] = []
      next.reserveCapacity(states.count * item.count)
      for (index, state) in states.enumerated() {
        for (choice, option) in item.enumerated() {
          let cost = state.point.cost + (option.cost + unit - 1) / unit * unit
          if cost > limit { continue }
          next.append(
            State(
              point: Point(cost: cost, loss: state.point.loss + option.loss),
              choice: Int32(choice), previous: Int32(index)))
        }
      }
      // Equal cost and loss: the first choice of the earliest state, so that the result does not depend on the sort.
      next.sort { a, b in
        (a.point.cost, a.point.loss, a.previous, a.choice)
          < (b.point.cost, b.point.loss, b.previous, b.choice)
      }
      states = []
      for state in next where state.point.loss < states.last?.point.loss ?? .infinity {
        states.append(state)
      }
      layers.append(states)
    }
    self.unit = unit
    self.layers = layers
    points = states.map(\.point)
  }

  /// The choice of each item at a point.
  public func choices(at index: Int) -> [Int] {
    var place = index
    var result: [Int] = []
    for states in layers.reversed() {
      result.append(Int(states[place].choice))
      place = Int(states[place].previous)
    }
    return result.reversed()
  }

  /// The last point that costs at most `cost`.
  public func index(within cost: Int) -> Int? {
    var (low, high) = (0, points.count)
    while low < high {
      let middle = (low + high) / 2
      if points[middle].cost <= cost { low = middle + 1 } else { high = middle }
    }
    return low == 0 ? nil : low - 1
  }
}

extension CostFrontier {
  /// The frontier of one of the costs of a problem's items.
  public init(_ items: [[AllocationProblem.Choice]], of cost: Int, limit: Int) {
    self.init(
      items.map { $0.map { Point(cost: $0.costs[cost], loss: $0.loss) } }, limit: limit)
  }
}

func greatestCommonDivisor(_ a: Int, _ b: Int) -> Int {
  var (a, b) = (a, b)
  while b != 0 { (a, b) = (b, a % b) }
  return a
}
