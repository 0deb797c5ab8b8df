import IRCGraph
import IRCTensor
import Testing

/// Draws transforms of an operator's axes that satisfy all ties of its invariance rule at once.
struct InvarianceSampler {
  let ties: [AxisTie]
  let extents: [OperatorAxis: Int]
  private var generator: RandomNumbers
  private var counter = 0
  private(set) var transforms: [OperatorAxis: Matrix] = [:]
  /// Draws at one axis from another group than the ties admit.
  private let enlargement: (axis: OperatorAxis, group: TransformGroup)?
  private var permutations: [OperatorAxis: [Int]] = [:]

  /// Why a rule cannot be satisfied.
  struct Conflict: Error, CustomStringConvertible {
    let description: String
  }

  init(
    _ op: any Operator, _ operands: [TensorType], seed: UInt64,
    drawing enlargement: (axis: OperatorAxis, group: TransformGroup)? = nil
  ) throws {
    self.enlargement = enlargement
    ties = op.invariance(operands).ties
    var extents: [OperatorAxis: Int] = [:]
    for (index, type) in operands.enumerated() {
      for (axis, extent) in type.shape.enumerated() {
        extents[.operand(index, axis)] = extent.fixed
      }
    }
    for (index, type) in try op.resultTypes(operands).enumerated() {
      for (axis, extent) in type.shape.enumerated() { extents[.result(index, axis)] = extent.fixed }
    }
    self.extents = extents
    generator = RandomNumbers(seed: seed)
    for tie in ties { try satisfy(tie) }
  }

  private mutating func satisfy(_ tie: AxisTie) throws {
    if tie.transport == .product {
      for axis in tie.axes.dropLast() where transforms[axis] == nil { try draw(axis) }
      let factors = tie.axes.dropLast().compactMap { transforms[$0] }
      guard let last = tie.axes.last, let first = factors.first else { return }
      try assign(
        last,
        Matrix(first.size) { row, column in factors.reduce(1) { $0 * $1[row, column] } })
      return
    }
    let first = tie.axes[0]
    if transforms[first] == nil, tie.transport == .identity,
      let known = tie.axes.compactMap({ transforms[$0] }).first
    {
      transforms[first] = known
    }
    if transforms[first] == nil { try draw(first) }
    guard let matrix = transforms[first] else { return }
    for axis in tie.axes.dropFirst() {
      try assign(axis, try transport(matrix, tie.transport, tie.group))
    }
  }

  private mutating func assign(_ axis: OperatorAxis, _ matrix: Matrix) throws {
    guard matrix.size == extents[axis] else {
      throw Conflict(description: "\(axis) has \(extents[axis] ?? 0) channels, not \(matrix.size)")
    }
    if let known = transforms[axis] {
      let difference = zip(known.elements, matrix.elements).map { abs($0 - $1) }.max() ?? 0
      guard difference < 1e-12 else {
        throw Conflict(description: "\(axis) is tied in two ways")
      }
    }
    transforms[axis] = matrix
  }

  private func transport(
    _ matrix: Matrix, _ transport: Transport, _ group: TransformGroup
  ) throws -> Matrix {
    switch transport {
    case .identity: return matrix
    case .inverseTranspose: return matrix.inverse.transpose
    case .blockRepeat(let times):
      guard case .blocks(_, let count) = group else {
        throw Conflict(description: "repeat without blocks")
      }
      let size = matrix.size / count
      return .diagonal(
        (0..<count * times).map { matrix.block($0 / times * size..<($0 / times + 1) * size) })
    case .slice(let lower, let upper): return matrix.block(lower..<upper)
    case .sequence(let steps):
      return try steps.reduce(matrix) { try self.transport($0, $1, group) }
    case .product, .reversal: throw Conflict(description: "unexpected transport")
    }
  }

  // MARK: Random elements

  /// The group that all ties together admit at an axis, and the axes that it determines one to one.
  static func group(
    at axis: OperatorAxis, _ ties: [AxisTie]
  ) -> (group: TransformGroup, reached: Set<OperatorAxis>) {
    var reached: Set<OperatorAxis> = [axis]
    for _ in ties {
      for tie in ties where tie.axes.contains(where: reached.contains) {
        if tie.transport != .product { reached.formUnion(tie.axes) }
      }
    }
    let group = ties.filter { $0.axes.contains(where: reached.contains) }
      .reduce(TransformGroup.general) { $0.intersection($1.group) }
    return (group, reached)
  }

  private mutating func draw(_ axis: OperatorAxis) throws {
    guard let extent = extents[axis] else { throw Conflict(description: "no axis \(axis)") }
    var (group, reached) = Self.group(at: axis, ties)
    if group == .identity { throw Conflict(description: "nothing passes at \(axis)") }
    if let enlargement, reached.contains(enlargement.axis) { group = enlargement.group }
    var cuts: Set<Int> = [0, extent]
    for tie in ties where tie.axes[0] == axis {
      if case .slice(let lower, let upper) = tie.transport { cuts.formUnion([lower, upper]) }
    }
    transforms[axis] = element(group, extent, permutation(of: axis, extent), cuts.sorted())
  }

  /// One reordering for all axes that any ties connect.
  private mutating func permutation(of axis: OperatorAxis, _ extent: Int) -> [Int] {
    var reached: Set<OperatorAxis> = [axis]
    for _ in ties {
      for tie in ties where tie.axes.contains(where: reached.contains) {
        reached.formUnion(tie.axes)
      }
    }
    for other in reached {
      if let known = permutations[other], known.count == extent { return known }
    }
    var order = Array(0..<extent)
    for place in order.indices.dropFirst() {
      order.swapAt(place, Int(uniform() * Double(place + 1)))
    }
    permutations[axis] = order
    return order
  }

  private mutating func element(
    _ group: TransformGroup, _ size: Int, _ order: [Int], _ cuts: [Int]
  ) -> Matrix {
    switch group {
    case .identity: return .identity(size)
    case .permutation, .signedPermutation, .monomial, .positiveDiagonal, .diagonal, .signs,
      .positiveMonomial:
      let factors = (0..<size).map { _ in factor(group) }
      let isDiagonal = [.positiveDiagonal, .diagonal, .signs].contains(group)
      return Matrix(size) { row, column in
        row == (isDiagonal ? column : order[column]) ? factors[column] : 0
      }
    case .orthogonal: return dense(size).orthonormalised
    case .complexPairs, .pairRotations, .pairScales:
      let pairs = (0..<size / 2).map { _ -> (Double, Double) in
        let (a, b) = (uniform() + 0.5, uniform() - 0.5)
        if group == .pairScales { return (a, 0) }
        let length = group == .pairRotations ? (a * a + b * b).squareRoot() : 1
        return (a / length, b / length)
      }
      return Matrix(size) { row, column in
        let (a, b) = pairs[row % (size / 2)]
        if row == column { return a }
        if row % (size / 2) != column % (size / 2) { return 0 }
        return row < column ? b : -b
      }
    case .blocks(let inner, let count):
      let blockSize = size / count
      return .diagonal(
        (0..<count).map { _ in
          element(inner, blockSize, Array(0..<blockSize).reversed(), [0, blockSize])
        })
    case .general:
      return .diagonal(zip(cuts, cuts.dropFirst()).map { dense($1 - $0) })
    }
  }

  private mutating func factor(_ group: TransformGroup) -> Double {
    let sign: Double = uniform() < 0.5 ? -1 : 1
    switch group {
    case .signedPermutation, .signs: return sign
    case .monomial, .diagonal: return sign * (0.5 + uniform())
    case .positiveDiagonal, .positiveMonomial: return 0.5 + uniform()
    default: return 1
    }
  }

  /// A matrix that is far from singular.
  private mutating func dense(_ size: Int) -> Matrix {
    var matrix = Matrix.identity(size)
    for index in matrix.elements.indices { matrix.elements[index] += (uniform() - 0.5) }
    return matrix
  }

  private mutating func uniform() -> Double {
    counter += 1
    return generator.uniform(counter)
  }
}
