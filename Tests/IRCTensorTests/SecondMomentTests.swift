import IRCTensor
import Testing

@Suite("Second moments and their factors")
struct SecondMomentTests {
  private func rows(_ count: Int, _ width: Int) -> [[Float]] {
    let numbers = RandomNumbers(seed: 4)
    return (0..<count).map { row in
      (0..<width).map { Float(numbers.normal(row * width + $0)) * ($0 == 3 ? 100 : 1) }
    }
  }

  private func moment(_ rows: [[Float]], _ weights: [Float]) -> [[Double]] {
    let n = rows[0].count
    let total = weights.reduce(0) { $0 + Double($1) }
    return (0..<n).map { i in
      (0..<n).map { j in
        zip(rows, weights).reduce(0) {
          $0 + Double($1.0[i]) * Double($1.0[j]) * Double($1.1) / total
        }
      }
    }
  }

  @Test(
    "RᵀR times the damped moment is the identity", arguments: [1, 2, 31, 128, 130], [false, true])
  func factor(width: Int, ordered: Bool) throws {
    let rows = rows(2 * width + 1100, width)
    let weights = (0..<rows.count).map { Float($0 % 3) + 0.5 }
    let cut = 300
    let parts = [Array(rows[..<cut]), Array(rows[cut...])]
      .map { Tensor([$0.count, width], $0.flatMap { $0 }) }
    let measured = try SecondMoment(
      of: parts, weights: [Array(weights[..<cut]), Array(weights[cut...])])
    #expect(measured.rows == rows.count && measured.skippedRows == 0)
    var h = moment(rows, weights)
    for i in 0..<width { #expect(abs(measured.diagonal[i] - h[i][i]) < 1e-5 * h[i][i]) }
    let factor = try #require(
      try InverseCholesky(of: measured, damping: 0.01, ordered: ordered))
    let order = factor.order.map { $0.map(Int.init) } ?? Array(0..<width)
    let mean = (0..<width).reduce(0) { $0 + h[$1][$1] } / Double(width)
    for i in 0..<width { h[i][i] += 0.01 * mean }
    let r = factor.upper.array(of: Float.self).map(Double.init)
    for i in 0..<width {
      for j in 0..<i { #expect(r[i * width + j] == 0) }
    }
    // R·H·Rᵀ is the identity too, and less sensitive.
    let hr = (0..<width).map { i in
      (0..<width).map { j in
        (j..<width).reduce(0) { $0 + h[order[i]][order[$1]] * r[j * width + $1] }
      }
    }
    for i in 0..<width {
      for j in 0..<width {
        let element = (i..<width).reduce(0) { $0 + r[i * width + $1] * hr[$1][j] }
        #expect(abs(element - (i == j ? 1 : 0)) < 1e-4)
      }
    }
    if ordered, let order = factor.order {
      #expect(
        zip(order, order.dropFirst()).allSatisfy { h[Int($0)][Int($0)] >= h[Int($1)][Int($1)] })
    }
  }

  @Test("Rows with infinities and NaNs are left out, with their weights")
  func skips() throws {
    let good: [[Float]] = [[1, 2], [3, -1], [0.5, 4]]
    let bad = Tensor([5, 2], [1, 2, .nan, 1, 3, -1, 0.5, 4, 7, -.infinity] as [Float])
    let measured = try SecondMoment(of: [bad], weights: [[1, 9, 2, 3, 9]])
    #expect(measured.rows == 3 && measured.skippedRows == 2)
    let expected = moment(good, [1, 2, 3])
    #expect(abs(measured.diagonal[0] - expected[0][0]) < 1e-6)
    #expect(abs(measured.diagonal[1] - expected[1][1]) < 1e-6)
  }
}
