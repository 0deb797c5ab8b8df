import IRCGraph
import IRCTensor
import Testing

/// The lattice of groups against what its elements are as matrices, on eight channels.
@Suite struct TransformLatticeTests {
  private static let width = 8
  private static let undivided: [TransformGroup] = [
    .identity, .permutation, .signs, .signedPermutation, .positiveDiagonal, .diagonal,
    .positiveMonomial, .monomial, .orthogonal, .complexPairs, .pairRotations, .pairScales, .general,
  ]
  private static let groups =
    undivided
    + undivided.flatMap { inner in
      [1, 2, 4].map { .blocks(of: inner, count: $0) }
        + [.blocks(of: .blocks(of: inner, count: 2), count: 2)]
    }

  @Test(arguments: groups)
  func elementsOfAnIntersectionAreInBoth(group: TransformGroup) {
    for other in Self.groups {
      let both = group.intersection(other)
      #expect(both == other.intersection(group), "\(group) and \(other)")
      #expect(both.canonical == both, "\(group) and \(other)")
      for seed in 1...3 {
        let element = Self.element(of: both, seed)
        #expect(
          Self.isElement(element, of: group) && Self.isElement(element, of: other),
          "\(both) of \(group) and \(other)")
      }
    }
  }

  @Test(arguments: groups)
  func subgroupsAreThoseWhoseElementsPass(group: TransformGroup) {
    let elements = (1...8).map { Self.element(of: group, $0) }
    for other in Self.groups {
      #expect(
        group.isSubgroup(of: other) == elements.allSatisfy { Self.isElement($0, of: other) },
        "\(group) in \(other)")
    }
  }

  @Test func pairsUnderFinerBlocks() {
    let pairs = TransformGroup.blocks(of: .complexPairs, count: 2)
    #expect(pairs.intersection(.blocks(of: .general, count: 4)) == .identity)
    #expect(pairs.intersection(.blocks(of: .orthogonal, count: 4)) == .identity)
    #expect(pairs.intersection(.blocks(of: .complexPairs, count: 4)) == .identity)
    #expect(pairs.intersection(.orthogonal) == .blocks(of: .pairRotations, count: 2))
    #expect(
      TransformGroup.blocks(of: pairs, count: 2).canonical == .blocks(of: .complexPairs, count: 4))
    #expect(TransformGroup.complexPairs.isSubgroup(of: .blocks(of: .complexPairs, count: 1)))
  }

  // MARK: Elements

  private static func element(of group: TransformGroup, _ seed: Int) -> Matrix {
    var draw = Draw(RandomNumbers(seed: UInt64(seed)))
    return draw.element(of: group, width)
  }

  /// Numbers one after the other.
  private struct Draw {
    private let random: RandomNumbers
    private var next = 0

    init(_ random: RandomNumbers) {
      self.random = random
    }

    private mutating func uniform() -> Double {
      next += 1
      return random.uniform(next)
    }

    mutating func element(of group: TransformGroup, _ size: Int) -> Matrix {
      switch group {
      case .blocks(let inner, let count):
        return .diagonal((0..<count).map { _ in element(of: inner, size / count) })
      case .general: return dense(size)
      case .orthogonal: return dense(size).orthonormalised
      case .complexPairs, .pairRotations, .pairScales:
        let pairs = (0..<size / 2).map { _ -> (Double, Double) in
          let (a, b) = (uniform() + 0.5, group == .pairScales ? 0 : uniform() - 0.5)
          let length = group == .pairRotations ? (a * a + b * b).squareRoot() : 1
          return (a / length, b / length)
        }
        return Matrix(size) { row, column in
          let (re, im) = pairs[row % (size / 2)]
          if row == column { return re }
          if row % (size / 2) != column % (size / 2) { return 0 }
          return row < column ? im : -im
        }
      case .identity, .permutation, .signs, .signedPermutation, .positiveDiagonal, .diagonal,
        .positiveMonomial, .monomial:
        let reorders: [TransformGroup] = [
          .permutation, .signedPermutation, .positiveMonomial, .monomial,
        ]
        let order = reorders.contains(group) ? shuffled(size) : Array(0..<size)
        let factors = order.map { _ in factor(group) }
        return Matrix(size) { $0 == order[$1] ? factors[$1] : 0 }
      }
    }

    private mutating func factor(_ group: TransformGroup) -> Double {
      let (sign, size) = (uniform() < 0.5 ? -1.0 : 1, 0.5 + uniform())
      switch group {
      case .signs, .signedPermutation: return sign
      case .positiveDiagonal, .positiveMonomial: return size
      case .diagonal, .monomial: return sign * size
      default: return 1
      }
    }

    private mutating func shuffled(_ count: Int) -> [Int] {
      var order = Array(0..<count)
      for place in order.indices.dropFirst() {
        order.swapAt(place, Int(uniform() * Double(place + 1)))
      }
      return order
    }

    private mutating func dense(_ size: Int) -> Matrix {
      let noise = (0..<size * size).map { _ in uniform() - 0.5 }
      return Matrix(size) { ($0 == $1 ? 1 : 0) + noise[$0 * size + $1] }
    }
  }

  /// By what a matrix is, entry by entry.
  private static func isElement(_ matrix: Matrix, of group: TransformGroup) -> Bool {
    func isNear(_ a: Double, _ b: Double) -> Bool { abs(a - b) < 1e-12 }
    let size = matrix.size
    let places = (0..<size * size).map { ($0 / size, $0 % size) }
    func isMonomial(_ isFactor: (Double) -> Bool, onDiagonal: Bool) -> Bool {
      let entries = places.filter { matrix[$0, $1] != 0 }
      return Set(entries.map(\.0)).count == size && Set(entries.map(\.1)).count == size
        && entries.count == size
        && entries.allSatisfy { (!onDiagonal || $0 == $1) && isFactor(matrix[$0, $1]) }
    }
    func isPaired(_ isFactor: (_ re: Double, _ im: Double) -> Bool) -> Bool {
      let half = size / 2
      return places.allSatisfy { $0 % half == $1 % half || matrix[$0, $1] == 0 }
        && (0..<half).allSatisfy { i in
          matrix[i, i] == matrix[i + half, i + half] && matrix[i, i + half] == -matrix[i + half, i]
            && isFactor(matrix[i, i], matrix[i, i + half])
        }
    }
    switch group {
    case .identity: return isMonomial({ $0 == 1 }, onDiagonal: true)
    case .permutation: return isMonomial({ $0 == 1 }, onDiagonal: false)
    case .signs: return isMonomial({ abs($0) == 1 }, onDiagonal: true)
    case .signedPermutation: return isMonomial({ abs($0) == 1 }, onDiagonal: false)
    case .positiveDiagonal: return isMonomial({ $0 > 0 }, onDiagonal: true)
    case .diagonal: return isMonomial({ _ in true }, onDiagonal: true)
    case .positiveMonomial: return isMonomial({ $0 > 0 }, onDiagonal: false)
    case .monomial: return isMonomial({ _ in true }, onDiagonal: false)
    case .orthogonal:
      return places.allSatisfy { a, b in
        isNear((0..<size).reduce(0) { $0 + matrix[$1, a] * matrix[$1, b] }, a == b ? 1 : 0)
      }
    case .complexPairs: return isPaired { _, _ in true }
    case .pairRotations: return isPaired { isNear($0 * $0 + $1 * $1, 1) }
    case .pairScales: return isPaired { $0 > 0 && $1 == 0 }
    case .general: return true
    case .blocks(let inner, let count):
      let part = size / count
      return places.allSatisfy { $0 / part == $1 / part || matrix[$0, $1] == 0 }
        && (0..<count).allSatisfy {
          isElement(matrix.block($0 * part..<($0 + 1) * part), of: inner)
        }
    }
  }
}
