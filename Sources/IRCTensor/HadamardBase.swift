/// A dense Hadamard matrix that is no product of smaller ones: Paley's or Williamson's.
///
/// Paley's first construction has order q + 1 for a prime q = 3 mod 4, his second order 2(q + 1) for a prime q = 1 mod 4 (Paley,
/// On orthogonal matrices, 1933); Williamson's has order 4m from four symmetric circulants (Hadamard's determinant theorem and
/// the sum of four squares, 1944).
struct HadamardBase: Hashable, Sendable {
  /// Number of rows.
  let order: Int
  private let construction: Construction

  private enum Construction: Hashable {
    /// χ over GF(q): whether each remainder is a square.
    case paley(residues: [Int])
    case doublePaley(residues: [Int])
    /// First rows of A, B, C, D.
    case williamson([[Int]])
  }

  /// Largest order: beyond it a dense factor costs more than it can be worth.
  static let largestOrder = 1024

  /// Every order that a base has, ascending.
  static let orders: [Int] = stride(from: 12, through: largestOrder, by: 4).filter {
    $0.nonzeroBitCount != 1 && HadamardBase(order: $0) != nil
  }

  /// The base of that order; nil for powers of two and for orders without a construction.
  init?(order: Int) {
    guard order >= 12, order <= HadamardBase.largestOrder, order.isMultiple(of: 4),
      order.nonzeroBitCount != 1
    else { return nil }
    self.order = order
    if (order - 1) % 4 == 3, isPrime(order - 1) {
      construction = .paley(residues: residues(order - 1))
    } else if (order / 2 - 1) % 4 == 1, isPrime(order / 2 - 1) {
      construction = .doublePaley(residues: residues(order / 2 - 1))
    } else if let rows = williamsonRows[order] {
      construction = .williamson(
        rows.map { $0.utf8.map { $0 == UInt8(ascii: "+") ? 1 : -1 } })
    } else {
      return nil
    }
  }

  /// The entry H[row, column].
  func entry(_ row: Int, _ column: Int) -> Int {
    switch construction {
    case .paley(let residues):
      // I + S, S = [[0, 1ᵀ], [−1, Q]].
      if row == column { return 1 }
      if row == 0 { return 1 }
      if column == 0 { return -1 }
      return residues[(row - column + order - 1) % (order - 1)]
    case .doublePaley(let residues):
      // C ⊗ [[1, 1], [1, −1]] + I ⊗ [[1, −1], [−1, −1]], C = [[0, 1ᵀ], [1, Q]].
      let (i, j, isLast) = (row / 2, column / 2, row % 2 == 1 && column % 2 == 1)
      if i == j { return row % 2 == 0 && column % 2 == 0 ? 1 : -1 }
      let core = i == 0 || j == 0 ? 1 : residues[(i - j + order / 2 - 1) % (order / 2 - 1)]
      return isLast ? -core : core
    case .williamson(let rows):
      // [[A, B, C, D], [−B, A, −D, C], [−C, D, A, −B], [−D, −C, B, A]].
      let size = order / 4
      let (block, sign) = williamsonArray[row / size][column / size]
      return sign * rows[block][(column % size - row % size + size) % size]
    }
  }
}

/// Which circulant lies where, and with which sign.
private let williamsonArray = [
  [(0, 1), (1, 1), (2, 1), (3, 1)],
  [(1, -1), (0, 1), (3, -1), (2, 1)],
  [(2, -1), (3, 1), (0, 1), (1, -1)],
  [(3, -1), (2, -1), (1, 1), (0, 1)],
]

/// First rows of symmetric circulants with A² + B² + C² + D² = 4m·I, for the orders 4m that Paley's constructions over primes
/// leave out.
private let williamsonRows = [
  52: ["+-+--++++--+-", "+---++++++---", "++-+--++--+-+", "+----+--+----"],
  156: [
    "+++--+-+-----+--++----++--+-----+-+--++", "++++---+--++----+-+--+-+----++--+---+++",
    "+++--++-+---+-+--+----+--+-+---+-++--++", "+---++-+-+-----+++-++-+++-----+-+-++---",
  ],
  172: [
    "+---++--++++-+-+++-++--++-+++-+-++++--++---", "++-++++++----+-+--++-++-++--+-+----++++++-+",
    "+++-+-++--+-+-++++-+----+-++++-+-+--++-+-++", "++---++++-+--+--++--------++--+--+-++++---+",
  ],
]

private func isPrime(_ n: Int) -> Bool {
  if n < 2 { return false }
  var divisor = 2
  while divisor * divisor <= n {
    if n.isMultiple(of: divisor) { return false }
    divisor += 1
  }
  return true
}

/// χ(i) for i in 0..<q: 0 at 0, 1 at other squares, −1 elsewhere.
private func residues(_ q: Int) -> [Int] {
  var result = Array(repeating: -1, count: q)
  for i in 1..<q { result[i * i % q] = 1 }
  result[0] = 0
  return result
}
