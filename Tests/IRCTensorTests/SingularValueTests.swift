import IRCSupport
import IRCTensor
import Testing

@Suite("Singular values")
struct SingularValueTests {
  private func random(_ m: Int, _ n: Int, seed: UInt64) -> Tensor {
    let numbers = RandomNumbers(seed: seed)
    return Tensor([m, n], (0..<m * n).map { Float(numbers.normal($0)) })
  }

  private func double(_ tensor: Tensor) -> Tensor {
    Tensor(tensor.shape, tensor.array(of: Float.self).map(Double.init))
  }

  private func product(_ a: Tensor, _ b: Tensor, transposed: Bool = false) -> [Double] {
    let (m, k, n) = (a.shape[0], a.shape[1], transposed ? b.shape[0] : b.shape[1])
    var result = [Double](repeating: 0, count: m * n)
    Double.multiply(
      m: m, n: n, k: k, a.array(of: Double.self), lda: k, transposeA: false,
      b.array(of: Double.self), ldb: b.shape[1], transposeB: transposed, beta: 0, &result, ldc: n)
    return result
  }

  private func distance(_ a: [Double], _ b: [Double]) -> Double {
    zip(a, b).reduce(0) { max($0, abs($1.0 - $1.1)) }
  }

  private func tail(_ values: [Double], from rank: Int) -> Double {
    values.dropFirst(rank).reduce(0) { $0 + $1 * $1 }
  }

  @Test(
    "U·Σ·Vᵀ is the matrix, values fall, vectors are orthonormal, signs are fixed",
    arguments: [(1, 1), (5, 3), (3, 5), (40, 33), (33, 40)])
  func exact(m: Int, n: Int) throws {
    let matrix = double(random(m, n, seed: 1))
    let svd = try SingularValues(of: matrix)
    let k = min(m, n)
    #expect(svd.values == svd.values.sorted(by: >) && svd.values.count == k)
    let left = svd.left.array(of: Double.self)
    let scaled = Tensor([m, k], left.indices.map { left[$0] * svd.values[$0 % k] })
    #expect(distance(product(scaled, svd.right), matrix.array(of: Double.self)) < 1e-12)
    let identity = (0..<k * k).map { $0 / k == $0 % k ? 1.0 : 0 }
    #expect(distance(product(svd.right, svd.right, transposed: true), identity) < 1e-13)
    let right = svd.right.array(of: Double.self)
    for row in 0..<k {
      let vector = right[row * n..<(row + 1) * n]
      let largest = vector.reduce(0) { max($0, abs($1)) }
      #expect(vector.first { abs($0) >= largest * (1 - 1e-8) } ?? 0 > 0)
    }
  }

  @Test(
    "The truncated decomposition leaves what the full one leaves, to 1 %",
    arguments: [(200, 300, 1), (300, 200, 8), (256, 256, 32)], [0.0, 4.0])
  func optimal(extents: (m: Int, n: Int, rank: Int), peak: Double) throws {
    let (m, n, rank) = extents
    // Flat, or with directions that stand out.
    let weights = try random(m, 20, seed: 3).product(
      random(20, n, seed: 4), plus: Tensor(zeros: [m, n], .f32))
    let matrix = random(m, n, seed: 2).adding(weights, times: Float(peak / 20))
    let full = try SingularValues(of: double(matrix))
    for matrix in [matrix, double(matrix)] {
      let found = try TruncatedSVD(of: matrix, rank: rank)
      #expect(found.values.count == rank && found.left.shape == [m, rank])
      #expect(found.right.shape == [rank, n])
      let energy = tail(full.values, from: 0)
      // Of orthonormal vectors the error is what is left of the energy.
      let left = energy - tail(found.values, from: 0)
      #expect(left <= tail(full.values, from: rank) * 1.01)
      let identity = (0..<rank * rank).map { $0 / rank == $0 % rank ? 1.0 : 0 }
      #expect(distance(product(found.right, found.right, transposed: true), identity) < 1e-12)
    }
  }

  @Test("Factors in half precision leave the least rest, plain and whitened, to 1 %")
  func factors() throws {
    let (m, n, rank) = (120, 160, 12)
    let weights = random(m, n, seed: 5)
    let plain = try LowRankFactors(of: weights, rank: rank)
    #expect(plain.up.elementType == .f16 && plain.up.shape == [m, rank])
    #expect(plain.down.elementType == .f16 && plain.down.shape == [rank, n])
    let full = try SingularValues(of: double(weights))
    let rest = try plain.remainder(of: weights)
    #expect(abs(rest.squaredNorm / tail(full.values, from: rank) - 1) < 0.01)

    // Inputs whose channels differ in power by a factor of about 10⁴.
    let mixing = random(n, n, seed: 6).array(of: Float.self).enumerated().map {
      Double($1) * (1 + Double($0 / n % 10) * 10)
    }
    let inputs = Tensor([n, n], mixing)
    let factor = try CholeskyFactor(of: Tensor([n, n], product(inputs, inputs, transposed: true)))
    let lower = Tensor([n, n], factor.lower.array(of: Double.self).map { Float($0) })
    let whitened = try LowRankFactors(
      of: weights.product(lower), rank: rank, whitening: factor)
    let best = tail(
      try SingularValues(of: double(weights.product(lower))).values, from: rank)
    let error = try whitened.remainder(of: weights).product(lower).squaredNorm
    #expect(abs(error / best - 1) < 0.01)
    #expect(try rest.product(lower).squaredNorm > 1.05 * best)
  }

  @Test("A rank as large as the matrix leaves what half precision rounds away", arguments: [8, 30])
  func complete(rank: Int) throws {
    let weights = random(8, 24, seed: 7)
    let factors = try LowRankFactors(of: weights, rank: rank)
    #expect(factors.values.count == 8)
    let rest = try factors.remainder(of: weights).squaredNorm
    #expect(rest < 1e-6 * weights.squaredNorm && rest > 0)
    let none = try LowRankFactors(of: Tensor(zeros: [8, 24], .f32), rank: 2)
    #expect(try none.remainder(of: weights).squaredNorm == weights.squaredNorm)
  }

  @Test("Equal bits for any number of threads, and for the same seed only")
  func deterministic() throws {
    let matrix = random(700, 600, seed: 8)
    let found = try [1, 3, 4].map { threads in
      Parallel.setThreads(threads)
      defer { Parallel.setThreads(nil) }
      return try TruncatedSVD(of: matrix, rank: 4, seed: 1)
    }
    for other in found.dropFirst() {
      #expect(other.left.array(of: Double.self) == found[0].left.array(of: Double.self))
      #expect(other.right.array(of: Double.self) == found[0].right.array(of: Double.self))
    }
    #expect(try TruncatedSVD(of: matrix, rank: 4, seed: 2).values != found[0].values)
  }

  @Test("Cholesky factors: C·Cᵀ is the matrix, X·C = B is solved, what has none is refused")
  func cholesky() throws {
    let n = 30
    let factor = double(random(n, n, seed: 9))
    let matrix = product(factor, factor, transposed: true)
    let cholesky = try CholeskyFactor(of: Tensor([n, n], matrix))
    #expect(distance(product(cholesky.lower, cholesky.lower, transposed: true), matrix) < 1e-12)
    #expect(cholesky.lower.array(of: Double.self)[1] == 0)
    let right = double(random(3, n, seed: 10))
    let solved = cholesky.solved(right)
    #expect(distance(product(solved, cholesky.lower), right.array(of: Double.self)) < 1e-9)
    let flat = Tensor([2, 2], [1, 1, 1, 1] as [Double])
    let error = #expect(throws: Diagnostic.self) { try CholeskyFactor(of: flat) }
    #expect(error?.id == "linear-algebra.not-positive")
    let damped = try CholeskyFactor(of: flat, damping: 0.5)
    #expect(
      distance(product(damped.lower, damped.lower, transposed: true), [1.5, 1, 1, 1.5]) < 1e-15)
  }

  @Test("What is not finite is refused with its place")
  func nonFinite() throws {
    var elements = [Float](repeating: 1, count: 200 * 200)
    elements[203] = .infinity
    for matrix in [Tensor([200, 200], elements), Tensor([40_000, 1], elements)] {
      let error = #expect(throws: Diagnostic.self) { try TruncatedSVD(of: matrix, rank: 1) }
      #expect(error?.id == "linear-algebra.non-finite")
      #expect(error?.message.contains("inf at [\(203 / matrix.shape[1]), ") == true)
    }
  }

  @Test("Rounding to half precision and back")
  func halves() {
    let numbers = Tensor([5], [0, -1.5, 65504, 1e-8, 1 + 0x1p-11] as [Float])
    #expect(numbers.roundedToHalf.widenedFromHalf.array(of: Float.self) == [0, -1.5, 65504, 0, 1])
  }
}
