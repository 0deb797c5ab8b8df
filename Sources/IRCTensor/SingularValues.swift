private import CBLAS
private import IRCSupport

/// The singular value decomposition A = U·diag(values)·Vᵀ of a matrix, thin: as many values as its shorter side is long.
///
/// By divide and conquer (LAPACK's dgesdd) on the calling thread, so that no bit depends on a thread count. It takes
/// O(m·n·min(m, n)) steps; `TruncatedSVD` finds the first few of a large matrix much sooner.
public struct SingularValues: Sendable {
  /// The singular values, largest first.
  public let values: [Double]
  /// Orthonormal columns, f64 [m, k]: column i belongs to value i.
  public let left: Tensor
  /// Orthonormal rows, f64 [k, n]: row i belongs to value i.
  ///
  /// Of each, the component of largest magnitude is positive; where several are as large up to rounding, the first of them.
  public let right: Tensor

  /// Decomposes `matrix`, f64 [m, n].
  ///
  /// - Throws: `Diagnostic` `linear-algebra.non-finite`, or `linear-algebra.no-convergence`.
  public init(of matrix: Tensor) throws {
    precondition(
      matrix.elementType == .f64 && matrix.shape.count == 2, "expected a matrix of f64")
    try checkFinite(matrix)
    let (m, n) = (matrix.shape[0], matrix.shape[1])
    let k = min(m, n)
    var values = [Double](repeating: 0, count: k)
    var left = [Double](repeating: 0, count: m * k)
    var right = [Double](repeating: 0, count: k * n)
    if k > 0 {
      var elements = matrix.array(of: Double.self)
      try SingularValues.decompose(&elements, m, n, &values, &left, &right)
    }
    for i in 0..<k {
      guard fixedSign(of: right[i * n..<(i + 1) * n]) < 0 else { continue }
      for j in i * n..<(i + 1) * n { right[j] = -right[j] }
      for j in 0..<m { left[j * k + i] = -left[j * k + i] }
    }
    self.values = values
    self.left = Tensor([m, k], left)
    self.right = Tensor([k, n], right)
  }

  /// Rows for columns: LAPACK sees Aᵀ = V·diag(values)·Uᵀ, so its right vectors are ours to the left.
  private static func decompose(
    _ matrix: inout [Double], _ m: Int, _ n: Int, _ values: inout [Double],
    _ left: inout [Double], _ right: inout [Double]
  ) throws {
    BLAS.prepare()
    var (rows, columns, size) = (Int32(n), Int32(m), Int32(min(m, n)))
    var (lwork, information) = (Int32(-1), Int32(0))
    var work = [0.0]
    var iwork = [Int32](repeating: 0, count: 8 * min(m, n))
    // The first call asks how much room is best.
    for _ in 0..<2 {
      unsafe dgesdd_(
        "S", &rows, &columns, &matrix, &rows, &values, &right, &rows, &left, &size, &work, &lwork,
        &iwork, &information, 1)
      if lwork < 0 {
        lwork = Int32(work[0])
        work = Array(repeating: 0, count: Int(lwork))
      }
    }
    guard information == 0 else {
      throw Diagnostic(
        "linear-algebra.no-convergence",
        "the singular vectors of a \(m) × \(n) matrix were not found",
        hint: "its numbers may be too far apart in size")
    }
  }
}

/// −1 if the first of the components of largest magnitude is negative.
func fixedSign(of vector: ArraySlice<Double>) -> Double {
  let largest = vector.reduce(0) { max($0, abs($1)) }
  return (vector.first { abs($0) >= largest * (1 - 1e-8) } ?? 1) < 0 ? -1 : 1
}

/// Refuses a matrix of f32 or f64 with an infinity or NaN.
///
/// - Throws: `Diagnostic` `linear-algebra.non-finite` with the place of the first.
func checkFinite(_ matrix: Tensor) throws {
  let found: (index: Int, value: String)?
  if matrix.elementType == .f32 {
    found = unsafe matrix.withElements(as: Float.self) { elements in
      unsafe elements.firstIndex { !$0.isFinite }.map { unsafe ($0, "\(elements[$0])") }
    }
  } else {
    found = unsafe matrix.withElements(as: Double.self) { elements in
      unsafe elements.firstIndex { !$0.isFinite }.map { unsafe ($0, "\(elements[$0])") }
    }
  }
  guard let found else { return }
  let (m, n) = (matrix.shape[0], matrix.shape[1])
  throw Diagnostic(
    "linear-algebra.non-finite",
    "a \(m) × \(n) matrix has the value \(found.value) at [\(found.index / n), \(found.index % n)]",
    hint: "look for overflow in what it was computed from, such as calibration statistics")
}
