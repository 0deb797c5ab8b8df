import CBLAS
import Foundation
import IRCSupport
import IRCTensor

/// What the first 32 singular vectors of a weight cost: the randomised decomposition against LAPACK's full one in the same precision.
///
/// Both run on one thread and are measured in turn in the same run, so that a busy machine disturbs both alike; the fastest of
/// several runs counts. The errors are those of the approximation of rank 32.

let runs = CommandLine.arguments.dropFirst().first.flatMap(Int.init) ?? 3
let (size, rank) = (2048, 32)
Parallel.setThreads(1)
openblas_set_num_threads(1)

/// A matrix whose singular values fall off like those of weights, or not at all.
func matrix(fallingFrom peak: Double) throws -> Tensor {
  let random = RandomNumbers(seed: 1)
  func noise(_ rows: Int, _ columns: Int, _ start: Int, _ factor: (Int) -> Double) -> Tensor {
    Tensor([rows, columns], of: Float.self) { target in
      for index in target.indices {
        target[index] = Float(random.normal(start + index) * factor(index % columns))
      }
    }
  }
  let flat = noise(size, size, 0) { _ in 1 }
  let count = 256
  let left = noise(size, count, 1 << 24) { peak / Double(1 + $0) / Double(size).squareRoot() }
  return try left.product(noise(count, size, 1 << 25) { _ in 1 }, plus: flat)
}

/// Sum of the squares of the singular values beyond the first `rank`, by LAPACK's sgesdd.
func fullError(of matrix: Tensor) -> Double {
  var elements = matrix.array(of: Float.self)
  var (n, lwork, information) = (Int32(size), Int32(-1), Int32(0))
  var values = [Float](repeating: 0, count: size)
  var (u, vt) = (elements, elements)
  var work: [Float] = [0]
  var iwork = [Int32](repeating: 0, count: 8 * size)
  for _ in 0..<2 {
    sgesdd_(
      "S", &n, &n, &elements, &n, &values, &u, &n, &vt, &n, &work, &lwork, &iwork, &information, 1)
    if lwork < 0 {
      lwork = Int32(work[0])
      work = Array(repeating: 0, count: Int(lwork))
    }
  }
  return values.dropFirst(rank).reduce(0) { $0 + Double($1) * Double($1) }
}

/// |A − U·Σ·Vᵀ|² of the truncated decomposition, from the factors themselves.
func error(of factors: LowRankFactors, _ matrix: Tensor) throws -> Double {
  try factors.remainder(of: matrix).squaredNorm
}

print(
  "       \(size) x \(size), rank \(rank)   full, s   randomised, s   ratio   error of full one")
for (name, peak) in [("flat", 0.0), ("falling", 60.0)] {
  let weights = try matrix(fallingFrom: peak)
  var (full, fast) = (Double.infinity, Double.infinity)
  var (least, found) = (0.0, 0.0)
  for _ in 0..<max(1, runs) {
    let start = DispatchTime.now().uptimeNanoseconds
    least = fullError(of: weights)
    let middle = DispatchTime.now().uptimeNanoseconds
    let factors = try LowRankFactors(of: weights, rank: rank)
    let end = DispatchTime.now().uptimeNanoseconds
    found = try error(of: factors, weights)
    full = min(full, Double(middle - start) / 1e9)
    fast = min(fast, Double(end - middle) / 1e9)
  }
  print(
    String(
      format: "%24@ %9.3f %15.3f %7.1f %17.4f", name as NSString, full, fast, full / fast,
      (found / least).squareRoot()))
}
