import IRCTensor
import Testing

@Suite("Hadamard matrices")
struct HadamardTests {
  @Test(
    "The choice of factors",
    arguments: [
      (1, []), (2, [2]), (8, [8]), (12, [12]), (20, [20]), (24, [12, 2]), (28, [28]), (36, [36]),
      (40, [20, 2]), (44, [44]), (52, [52]), (60, [60]), (76, [76]), (108, [108]), (140, [140]),
      (148, [148]), (156, [156]), (172, [172]), (684, [684]), (924, [924]), (768, [12, 64]),
      (896, [28, 32]), (1280, [20, 64]), (2304, [12, 12, 16]), (3840, [12, 20, 16]),
      (4096, [4096]), (5120, [20, 256]), (5632, [44, 128]), (6656, [52, 128]),
      (8960, [20, 28, 16]),
      (9728, [76, 128]), (10944, [12, 12, 76]), (11008, [172, 64]), (13824, [12, 12, 12, 8]),
      (17408, [68, 256]), (18944, [148, 128]), (29568, [12, 28, 44, 2]),
    ] as [(Int, [Int])])
  func factors(order: Int, expected: [Int]) {
    #expect(Hadamard.factors(of: order) == expected)
  }

  @Test(
    "Orders that no construction has", arguments: [-4, 0, 3, 6, 10, 92, 116, 188, 428, 668, 13696])
  func missing(order: Int) {
    #expect(Hadamard.factors(of: order) == nil)
  }

  @Test(
    "The largest order that divides a width",
    arguments: [(1, 1), (7, 1), (6, 2), (92, 4), (13696, 128), (768, 768), (10920, 1560), (86, 2)])
  func largestOrder(width: Int, expected: Int) {
    #expect(Hadamard.largestOrder(dividing: width) == expected)
    #expect(Hadamard.largestOrder(dividing: width, atMost: expected) == expected)
    if expected > 1 {
      let smaller = Hadamard.largestOrder(dividing: width, atMost: expected - 1)
      #expect(smaller < expected && width.isMultiple(of: smaller))
    }
  }

  /// Every base up to 300, those of every kind beyond, and products.
  static let orders =
    [1, 2, 4, 16, 684, 924, 24, 144, 240, 688].sorted()
    + stride(from: 12, to: 300, by: 4).filter { Hadamard.factors(of: $0) == [$0] }

  @Test("H·Hᵀ = n·I, and every entry is +1 or −1", arguments: orders)
  func isHadamard(order: Int) throws {
    let hadamard = try #require(Hadamard(order: order))
    let matrix = hadamard.matrix
    let entries = matrix.array(of: Double.self)
    #expect(entries.allSatisfy { abs($0) == 1 })
    var product = [Double](repeating: 0, count: order * order)
    Double.multiply(
      m: order, n: order, k: order, entries, lda: order, transposeA: false, entries, ldb: order,
      transposeB: true, beta: 0, &product, ldc: order)
    let isRight = product.indices.allSatisfy {
      product[$0] == ($0 / order == $0 % order ? Double(order) : 0)
    }
    #expect(isRight)
  }

  @Test("Without signs R is H / √n; a seed negates rows, another seed others")
  func rotations() throws {
    let plain = try #require(HadamardRotation(order: 12, seed: nil))
    #expect(
      plain.matrix.array(of: Double.self)
        == plain.hadamard.matrix.array(of: Double.self).map { $0 * (1 / 12.0.squareRoot()) })
    let signs = [1, 2, -3].map { HadamardRotation(order: 64, seed: $0)?.isNegated ?? [] }
    #expect(Set(signs).count == 3)
    #expect(signs.allSatisfy { (16...48).contains($0.count { $0 }) })
    #expect(plain.isNegated == Array(repeating: false, count: 12))
    #expect(HadamardRotation(order: 6, seed: 1) == nil)
  }

  struct Case: Sendable, CustomTestStringConvertible {
    var order: Int
    var shape: [Int]
    var axis: Int
    var testDescription: String { "\(order) in \(shape) at \(axis)" }
  }

  static let cases =
    [1, 2, 4, 8, 12, 16, 20, 24, 28, 32, 48, 52, 64, 96, 128, 172, 192, 240, 256, 512, 768, 1024]
    .flatMap { order in
      [
        Case(order: order, shape: [3, order], axis: 1),
        Case(order: order, shape: [2, 2, 2 * order], axis: 2),
        Case(order: order, shape: [order, 5], axis: 0),
        Case(order: order, shape: [2, 2 * order, 35], axis: 1),
      ]
    } + [
      Case(order: 4096, shape: [1, 4096], axis: 1), Case(order: 688, shape: [2, 688], axis: 1),
      Case(order: 1728, shape: [1728, 3], axis: 0), Case(order: 684, shape: [684], axis: 0),
      Case(order: 12, shape: [0, 12], axis: 1), Case(order: 12, shape: [12, 0], axis: 0),
    ]

  @Test(
    "The fast transform is the product with R, or with Rᵀ, in both precisions", arguments: cases)
  func transforms(test: Case) throws {
    let numbers = RandomNumbers(seed: 11)
    let count = test.shape.reduce(1, *)
    let x = Tensor(test.shape, (0..<count).map { numbers.normal($0) })
    let single = Tensor(test.shape, x.array(of: Double.self).map { Float($0) })
    for seed in [nil, 7] {
      let rotation = try #require(HadamardRotation(order: test.order, seed: seed))
      let matrix = rotation.matrix.array(of: Double.self)
      for isTransposed in [false, true] {
        let expected = product(x, matrix, test, isTransposed)
        let double = try rotation.apply(to: x, axis: test.axis, isTransposed: isTransposed)
        expectClose(double.array(of: Double.self), expected, 1e-13)
        let float = try rotation.apply(to: single, axis: test.axis, isTransposed: isTransposed)
        expectClose(float.array(of: Float.self).map(Double.init), expected, 4e-6)
        let back = try rotation.apply(to: double, axis: test.axis, isTransposed: !isTransposed)
        expectClose(back.array(of: Double.self), x.array(of: Double.self), 1e-13)
      }
    }
  }

  @Test("A column gets the bits that it would get as a row")
  func columnsEqualRows() throws {
    for order in [64, 96, 240, 688] {
      let rotation = try #require(HadamardRotation(order: order, seed: 3))
      let numbers = RandomNumbers(seed: 5)
      let x = (0..<order * 19).map { Float(numbers.normal($0)) }
      let flipped = (0..<order * 19).map { x[$0 % order * 19 + $0 / order] }
      let columns = try rotation.apply(to: Tensor([order, 19], x), axis: 0, isTransposed: true)
        .array(of: Float.self)
      let rows = try rotation.apply(to: Tensor([19, order], flipped), axis: 1, isTransposed: true)
        .array(of: Float.self)
      #expect(columns == (0..<order * 19).map { rows[$0 % 19 * order + $0 / 19] })
    }
  }

  private func expectClose(_ values: [Double], _ expected: [Double], _ tolerance: Double) {
    let scale = max(1, expected.reduce(0) { max($0, abs($1)) })
    let worst = zip(values, expected).reduce(0) { max($0, abs($1.0 - $1.1)) }
    #expect(values.count == expected.count && worst <= tolerance * scale)
  }

  /// x·R by definition.
  private func product(
    _ x: Tensor, _ matrix: [Double], _ test: Case, _ isTransposed: Bool
  ) -> [Double] {
    let inner = test.shape[(test.axis + 1)...].reduce(1, *)
    let (order, source) = (test.order, x.array(of: Double.self))
    return source.indices.map { index in
      let channel = index / inner % order
      let start = index - channel * inner
      return (0..<order).reduce(0) { sum, row in
        sum + source[start + row * inner]
          * matrix[isTransposed ? channel * order + row : row * order + channel]
      }
    }
  }
}
