/// A Hadamard matrix H: entries +1 and −1 with H·Hᵀ = n·I.
///
/// Which orders exist here: powers of two (Sylvester), the dense bases of `HadamardBase`, and products of these as Kronecker
/// products. H is not symmetric in general, so a transform and its inverse must say which of the two they are.
public struct Hadamard: Hashable, Sendable {
  /// Number of rows, n.
  public let order: Int
  /// Orders of the dense bases, ascending: H = H_b₁ ⊗ H_b₂ ⊗ … ⊗ H_power.
  public let bases: [Int]
  /// The power of two that is left: order of the innermost, Sylvester's, factor.
  public let power: Int

  /// The matrix of that order; nil if no construction here has it.
  public init?(order: Int) {
    guard let bases = Hadamard.bases(of: order) else { return nil }
    self.order = order
    self.bases = bases
    power = order / bases.reduce(1, *)
  }

  /// Orders of the Kronecker factors, outermost first; the power of two, if not 1, comes last.
  public var factors: [Int] { bases + (power > 1 ? [power] : []) }

  /// Orders of the Kronecker factors that `Hadamard(order: n)` uses; nil if no construction has that order.
  public static func factors(of n: Int) -> [Int]? { Hadamard(order: n)?.factors }

  /// The largest order that divides n, for a block-diagonal transform; n itself if it is an order.
  ///
  /// - Parameter limit: no larger order is taken.
  public static func largestOrder(dividing n: Int, atMost limit: Int = .max) -> Int {
    precondition(n > 0, "an axis has at least one channel")
    var divisors: [Int] = []
    for divisor in 1...max(1, Int(Double(n).squareRoot()) + 1) where n.isMultiple(of: divisor) {
      divisors += [divisor, n / divisor]
    }
    return divisors.sorted(by: >).first { $0 <= limit && Hadamard(order: $0) != nil } ?? 1
  }

  /// The entries, f64 [n, n].
  public var matrix: Tensor {
    let digits = factors.map { ($0, HadamardBase(order: $0)) }
    return unsafe Tensor([order, order], of: Double.self) { entries in
      for row in 0..<order {
        for column in 0..<order {
          var (i, j, sign) = (row, column, 1)
          for (size, base) in digits.reversed() {
            let (a, b) = (i % size, j % size)
            sign *= base?.entry(a, b) ?? ((a & b).nonzeroBitCount.isMultiple(of: 2) ? 1 : -1)
            (i, j) = (i / size, j / size)
          }
          unsafe entries[row * order + column] = Double(sign)
        }
      }
    }
  }

  // MARK: Choice of the factors

  /// Bases whose transform takes the fewest additions a number: a base of order b costs b, a power of two its exponent.
  ///
  /// Of equally good choices, the one with the smaller bases first.
  private static func bases(of n: Int) -> [Int]? {
    guard n > 0, n <= 1 << 40 else { return nil }
    return cheapest(n, from: 0)?.bases
  }

  private static func cheapest(_ n: Int, from first: Int) -> (cost: Int, bases: [Int])? {
    var best: (cost: Int, bases: [Int])?
    if n.nonzeroBitCount == 1 { best = (n.trailingZeroBitCount, []) }
    for index in HadamardBase.orders.indices.dropFirst(first) {
      let base = HadamardBase.orders[index]
      if base > n { break }
      guard n.isMultiple(of: base), let rest = cheapest(n / base, from: index) else { continue }
      let cost = base + rest.cost
      if cost < best?.cost ?? Int.max { best = (cost, [base] + rest.bases) }
    }
    return best
  }
}
