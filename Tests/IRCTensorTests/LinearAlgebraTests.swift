import IRCSupport
import IRCTensor
import Testing

@Suite("Linear algebra")
struct LinearAlgebraTests {
  private func random(_ n: Int, seed: UInt64) -> [Double] {
    let numbers = RandomNumbers(seed: seed)
    return (0..<n * n).map { numbers.normal($0) }
  }

  private func product(_ a: [Double], _ b: [Double], _ n: Int, transposed: Bool = false) -> [Double]
  {
    var result = [Double](repeating: 0, count: n * n)
    Double.multiply(
      m: n, n: n, k: n, a, lda: n, transposeA: false, b, ldb: n, transposeB: transposed, beta: 0,
      &result, ldc: n)
    return result
  }

  private func distance(_ a: [Double], _ b: [Double]) -> Double {
    zip(a, b).reduce(0) { max($0, abs($1.0 - $1.1)) }
  }

  @Test(
    "V·diag(values)·Vᵀ is the matrix, values fall, signs are fixed", arguments: [1, 2, 5, 33, 90])
  func eigenvectors(n: Int) throws {
    let factor = random(n, seed: 1)
    let matrix = product(factor, factor, n, transposed: true)
    let eigen = try SymmetricEigen(of: Tensor([n, n], matrix))
    let vectors = eigen.vectors.array(of: Double.self)
    #expect(eigen.values == eigen.values.sorted(by: >))
    let scaled = vectors.indices.map { vectors[$0] * eigen.values[$0 % n] }
    #expect(distance(product(scaled, vectors, n, transposed: true), matrix) < 1e-11 * Double(n))
    let gram = product(vectors, vectors, n, transposed: true)
    #expect(distance(gram, gram.indices.map { $0 / n == $0 % n ? 1 : 0 }) < 1e-13 * Double(n))
    for k in 0..<n {
      let column = (0..<n).map { vectors[$0 * n + k] }
      let largest = column.map(abs).max() ?? 0
      #expect(column.first { abs($0) >= largest * (1 - 1e-8) } ?? 0 > 0)
    }
    let again = try SymmetricEigen(of: Tensor([n, n], matrix))
    #expect(again.vectors.array(of: Double.self) == vectors)
  }

  @Test("Known eigenvectors; the first of equal components is positive")
  func golden() throws {
    let eigen = try SymmetricEigen(of: Tensor([2, 2], [2, -1, -1, 2] as [Double]))
    #expect(distance(eigen.values, [3, 1]) < 1e-14)
    let half = 0.5.squareRoot()
    #expect(
      distance(eigen.vectors.array(of: Double.self), [half, half, -half, half]) < 1e-14)
    let diagonal = try SymmetricEigen(
      of: Tensor([3, 3], [1, 0, 0, 0, -4, 0, 0, 0, 2] as [Double]))
    #expect(diagonal.values == [2, 1, -4])
    #expect(diagonal.vectors.array(of: Double.self) == [0, 1, 0, 0, 0, 1, 1, 0, 0])
  }

  @Test("Only the lower triangle counts, and an empty matrix has no values")
  func edges() throws {
    let lower = try SymmetricEigen(of: Tensor([2, 2], [2, 99, -1, 2] as [Double]))
    #expect(distance(lower.values, [3, 1]) < 1e-14)
    #expect(try SymmetricEigen(of: Tensor(zeros: [0, 0], .f64)).values.isEmpty)
  }

  @Test("What is not finite is refused with its place")
  func nonFinite() {
    for bad in [Double.nan, .infinity] {
      let matrix = Tensor([2, 2], [1, 2, bad, 4])
      let error = #expect(throws: Diagnostic.self) { try SymmetricEigen(of: matrix) }
      #expect(error?.id == "linear-algebra.non-finite")
      #expect(error?.message.contains("[1, 0]") == true)
      #expect(throws: Diagnostic.self) { try MatrixInverse(of: matrix) }
    }
  }

  @Test("The inverse of a general matrix", arguments: [1, 2, 7, 64])
  func inverses(n: Int) throws {
    let matrix = random(n, seed: 3)
    let result = try MatrixInverse(of: Tensor([n, n], matrix))
    let inverse = result.inverse.array(of: Double.self)
    let identity = product(matrix, inverse, n)
    #expect(distance(identity, identity.indices.map { $0 / n == $0 % n ? 1 : 0 }) < 1e-11)
    #expect(result.reciprocalCondition > 1e-6 && result.reciprocalCondition <= 1)
  }

  @Test("The condition tells near singular from well conditioned; singular is an error")
  func conditions() throws {
    let near = try MatrixInverse(of: Tensor([2, 2], [1, 1, 1, 1 + 1e-10]))
    #expect(near.reciprocalCondition > 1e-11 && near.reciprocalCondition < 1e-10)
    let scaled = try MatrixInverse(of: Tensor([2, 2], [1, 0, 0, 0.001]))
    #expect(abs(scaled.reciprocalCondition - 0.001) < 1e-12)
    #expect(scaled.inverse.array(of: Double.self) == [1, 0, 0, 1000])
    let error = #expect(throws: Diagnostic.self) {
      try MatrixInverse(of: Tensor([2, 2], [1, 2, 2, 4]))
    }
    #expect(error?.id == "linear-algebra.singular")
  }
}
