import IRCGraph
import IRCOps
import IRCSupport
import IRCTensor
import Testing

@Suite struct ChannelOperatorTests {
  @Test("Factors and orders along any axis, from the definition")
  func scaleAndGather() throws {
    for (shape, axis) in [([5], 0), ([3, 5], 1), ([5, 3], 0), ([2, 5, 3], 1)] {
      let x = random(shape, seed: 1)
      let inner = shape[(axis + 1)...].reduce(1, *)
      let factors = real([5], [2, -3, 0.5, 7, 1])
      let channels = x.values.indices.map { $0 / inner % 5 }
      let values = x.values
      expectEqual(
        try run(ChannelScale(axis: axis), [x, factors])[0],
        real(shape, values.indices.map { values[$0] * factors.values[channels[$0]] }))
      expectEqual(
        try run(ChannelScale(axis: axis, isInverse: true), [x, factors], .single)[0],
        real(shape, values.indices.map { values[$0] / factors.values[channels[$0]] }),
        tolerance: 1e-6)
      let order = [3, 0, 4, 1, 2]
      expectEqual(
        try run(ChannelGather(axis: axis), [x, ids(order.map(Int32.init))])[0],
        real(
          shape, values.indices.map { values[$0 + (order[channels[$0]] - channels[$0]) * inner] }),
        tolerance: 0)
    }
  }

  @Test("Centring subtracts the mean along any axis, and does nothing the second time")
  func centre() throws {
    for (shape, axis) in [([5], 0), ([3, 5], 1), ([5, 3], 0), ([2, 5, 3], 1)] {
      let x = random(shape, seed: 1)
      let mean = Matrix(5) { ($0 == $1 ? 1 : 0) - 0.2 }
      let expected = x.transformed(along: axis, by: mean)
      let once = try run(ChannelCentre(axis: axis), [x])[0]
      expectEqual(once, expected)
      expectEqual(try run(ChannelCentre(axis: axis), [once])[0], expected)
      expectEqual(try run(ChannelCentre(axis: axis), [x], .single)[0], expected, tolerance: 1e-6)
    }
  }

  @Test("An order that is no permutation is refused", arguments: [[0, 0], [0, 2], [-1, 0]])
  func badOrders(order: [Int32]) {
    let error = #expect(throws: OperatorError.self) {
      try run(ChannelGather(axis: 0), [random([2], seed: 1), ids(order)])
    }
    #expect(error?.message.contains("each of 2 channels once") == true)
  }

  struct Product: Sendable, CustomTestStringConvertible {
    var shape: [Int]
    var axis: Int
    var blocks: Int
    var repeats: Int
    var testDescription: String { "\(shape) at \(axis), \(blocks) × \(repeats)" }
  }

  @Test(
    "Runs of channels meet their matrices",
    arguments: [
      Product(shape: [4, 6], axis: 1, blocks: 1, repeats: 1),
      Product(shape: [4, 6], axis: 1, blocks: 2, repeats: 1),
      Product(shape: [4, 12], axis: 1, blocks: 2, repeats: 3),
      Product(shape: [12, 5], axis: 0, blocks: 2, repeats: 3),
      Product(shape: [2, 8, 3], axis: 1, blocks: 2, repeats: 2),
      Product(shape: [6], axis: 0, blocks: 3, repeats: 1),
      Product(shape: [1100, 6], axis: 1, blocks: 2, repeats: 1),
      Product(shape: [6, 1100], axis: 0, blocks: 1, repeats: 2),
    ])
  func products(test: Product) throws {
    let x = random(test.shape, seed: 1)
    let d = test.shape[test.axis] / test.blocks / test.repeats
    let matrices = random([test.blocks, d, d], seed: 2)
    for isTransposed in [false, true] {
      let block = Matrix.diagonal(
        (0..<test.blocks * test.repeats).map { run in
          let start = run / test.repeats * d * d
          let matrix = Matrix(d) { matrices.values[start + $0 * d + $1] }
          return isTransposed ? matrix.transpose : matrix
        })
      let op = ChannelMatmul(axis: test.axis, repeats: test.repeats, isTransposed: isTransposed)
      let expected = x.transformed(along: test.axis, by: block)
      expectEqual(try run(op, [x, matrices])[0], expected)
      expectEqual(try run(op, [x, matrices], .single)[0], expected, tolerance: 1e-5)
    }
  }

  @Test("The transform is the product with R; its transpose undoes it")
  func hadamard() throws {
    for (shape, axis, block) in [([3, 24], 1, 12), ([24, 3], 0, 24), ([2, 8, 3], 1, 4)] {
      for seed in [nil, 4] {
        let op = HadamardTransform(axis: axis, block: block, seed: seed)
        let rotation = try #require(HadamardRotation(order: block, seed: seed)).matrix.values
        let matrix = Matrix(block) { rotation[$0 * block + $1] }
        let x = random(shape, seed: 9)
        let y = try run(op, [x])[0]
        let runs = shape[axis] / block
        expectEqual(
          y, x.transformed(along: axis, by: .diagonal(Array(repeating: matrix, count: runs))))
        expectEqual(try run(op.inverse, [y])[0], x)
        expectEqual(try run(op, [x], .single)[0], y, tolerance: 1e-6)
      }
    }
  }

  @Test("SiLU behind a scale, and SiLU itself where the scale is 1")
  func scaledSiLU() throws {
    let x = random([3, 33], seed: 1, scale: 4)
    let scale = random([33], seed: 2)
    let expected = try run(SiLU(), [run(Multiply(), [x, scale])[0]])[0].values
    let quotient = real(
      [3, 33], expected.indices.map { expected[$0] / scale.values[$0 % 33] })
    expectEqual(try run(ScaledSiLU(), [x, scale])[0], quotient)
    expectEqual(try run(ScaledSiLU(), [x, scale], .single)[0], quotient, tolerance: 1e-6)
    let ones = real([33], Array(repeating: 1, count: 33))
    expectEqual(
      try run(ScaledSiLU(), [x, ones], .single)[0], try run(SiLU(), [x], .single)[0], tolerance: 0)
  }

  @Test("Rows of a result need only those rows of the operands that are named")
  func rows() throws {
    let x = random([6, 8], seed: 1)
    let cases: [(any Operator, [Tensor])] = [
      (ChannelScale(axis: 1), [x, random([8], seed: 2)]),
      (ChannelScale(axis: 0, isInverse: true), [x, random([6], seed: 2)]),
      (ChannelGather(axis: 1), [x, ids([7, 6, 5, 4, 3, 2, 1, 0])]),
      (ChannelMatmul(axis: 1, repeats: 2), [x, random([2, 2, 2], seed: 2)]),
      (HadamardTransform(axis: 1, block: 4, seed: 1), [x]),
      (ScaledSiLU(), [x, random([8], seed: 2)]),
    ]
    for (op, operands) in cases {
      let rowwise = try #require(op.rowwiseOperands)
      let whole = try run(op, operands)[0]
      let part = try run(
        op,
        operands.enumerated().map { index, operand in
          let isCut = rowwise.contains(index) && operand.shape[0] == 6
          return isCut ? operand.slice(rows: 2..<5) : operand
        })[0]
      expectEqual(part, whole.slice(rows: 2..<5), tolerance: 1e-15, "\(op)")
    }
    #expect(ChannelGather(axis: 0).rowwiseOperands == nil)
    #expect(ChannelMatmul(axis: 0).rowwiseOperands == nil)
    #expect(HadamardTransform(axis: 0, block: 2, seed: nil).rowwiseOperands == nil)
  }
}
