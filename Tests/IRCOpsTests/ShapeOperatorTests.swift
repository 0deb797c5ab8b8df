import IRCGraph
import IRCOps
import IRCTensor
import Testing

@Suite struct ShapeOperatorTests {
  let x = Generated(shape: [2, 3, 4], values: .iota)

  private var counting: Tensor { real([2, 3, 4], (0..<24).map(Double.init)) }

  @Test func reshapes() throws {
    let result = try run(Reshape(shape: [6, 4]), [counting])[0]
    #expect(result.shape == [6, 4])
    #expect(result.values == counting.values)
  }

  @Test(arguments: [0, 1, 2])
  func slicesEveryAxis(axis: Int) throws {
    let upper = counting.shape[axis]
    let result = try run(Slice(axis: axis, lower: 1, upper: upper), [counting])[0]
    var expected: [Double] = []
    for i in 0..<2 {
      for j in 0..<3 {
        for k in 0..<4 where [i, j, k][axis] >= 1 {
          expected.append(Double(i * 12 + j * 4 + k))
        }
      }
    }
    #expect(result.values == expected)
    #expect(result.shape[axis] == upper - 1)
  }

  @Test(arguments: [[0, 1, 2], [2, 1, 0], [1, 2, 0], [0, 2, 1], [2, 0, 1]])
  func transposes(order: [Int]) throws {
    let result = try run(Transpose(order: order), [counting])[0]
    let shape = order.map { [2, 3, 4][$0] }
    #expect(result.shape == shape)
    var position = 0
    for a in 0..<shape[0] {
      for b in 0..<shape[1] {
        for c in 0..<shape[2] {
          var index = [0, 0, 0]
          for (axis, value) in zip(order, [a, b, c]) { index[axis] = value }
          #expect(result.values[position] == Double(index[0] * 12 + index[1] * 4 + index[2]))
          position += 1
        }
      }
    }
  }

  @Test(arguments: [0, 1, 2])
  func concatenationUndoesSlices(axis: Int) throws {
    let extent = counting.shape[axis]
    let parts = try [(0, 1), (1, extent), (extent, extent)].map {
      try run(Slice(axis: axis, lower: $0.0, upper: $0.1), [counting])[0]
    }
    #expect(try run(Concatenate(axis: axis), parts)[0].values == counting.values)
    let codes = Tensor([1, 2], [Int8(1), 2])
    let both = try run(Concatenate(axis: 1), [codes, codes])[0]
    #expect(both.array(of: Int8.self) == [1, 2, 1, 2])
  }

  @Test func appendsRows() throws {
    let (cache, new) = (real([2, 2], [1, 2, 3, 4]), real([1, 2], [5, 6]))
    #expect(try run(Append(), [cache, new])[0].values == [1, 2, 3, 4, 5, 6])
    #expect(try run(Append(), [Tensor(zeros: [0, 2], .f64), new])[0].values == [5, 6])
  }

  @Test func generatesWholeAndByRows() throws {
    for values: Generated.Values in [
      .splat(0.5), .iota, .random(seed: .max, scale: 2), .inline((0..<12).map(Double.init)),
    ] {
      let op = Generated(shape: [4, 3], values: values)
      for precision in [Precision.single, .double] {
        let context = EvaluationContext(precision: precision, parameters: NoParameters())
        let whole = try run(op, [], precision)[0]
        let rows = try op.evaluate(rows: 1..<3, in: context)
        #expect(rows.shape == [2, 3])
        #expect(rows.values == Array(whole.values[3..<9]))
      }
    }
    #expect(try run(Generated(shape: [2], values: .splat(0.5)), [])[0].values == [0.5, 0.5])
    #expect(try run(x, [])[0].values == counting.values)
    let normal = try run(Generated(shape: [1000], values: .random(seed: 1, scale: 2)), [])[0].values
    let variance = normal.reduce(0) { $0 + $1 * $1 } / 1000
    #expect(abs(variance - 4) < 0.6)
  }
}
