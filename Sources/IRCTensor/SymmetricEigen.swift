private import CBLAS
private import IRCSupport

/// The eigenvalues and eigenvectors of a symmetric matrix, in an order and with signs that are always the same.
///
/// By divide and conquer (LAPACK's dsyevd) on the calling thread, so that no bit depends on a thread count.
public struct SymmetricEigen: Sendable {
  /// The eigenvalues, largest first.
  public let values: [Double]
  /// Orthonormal eigenvectors, f64 [n, n]: column k belongs to value k.
  ///
  /// Of each, the component of largest magnitude is positive; where several are as large up to rounding, the first of them.
  public let vectors: Tensor

  /// Decomposes `matrix`, f64 [n, n]; only the part below the diagonal is read.
  ///
  /// - Throws: `Diagnostic` `linear-algebra.non-finite`, or `linear-algebra.no-convergence`.
  public init(of matrix: Tensor) throws {
    var columns = try squareMatrix(matrix)
    let n = matrix.shape[0]
    var values = [Double](repeating: 0, count: n)
    if n > 0 { try SymmetricEigen.decompose(&columns, &values, n) }
    self.values = values.reversed()
    vectors = unsafe Tensor([n, n], of: Double.self) { target in
      for k in 0..<n {
        let start = (n - 1 - k) * n
        let sign = fixedSign(of: columns[start..<start + n])
        for i in 0..<n { unsafe target[i * n + k] = sign * columns[start + i] }
      }
    }
  }

  /// Ascending values, and a vector in each run of n numbers of `matrix`.
  private static func decompose(_ matrix: inout [Double], _ values: inout [Double], _ n: Int) throws
  {
    BLAS.prepare()
    var (size, information) = (Int32(n), Int32(0))
    var (lwork, liwork) = (Int32(-1), Int32(-1))
    var work = [0.0]
    var iwork = [Int32(0)]
    // The first call asks how much room is best. Rows for columns: the upper part is then what lies below the diagonal.
    for _ in 0..<2 {
      unsafe dsyevd_(
        "V", "U", &size, &matrix, &size, &values, &work, &lwork, &iwork, &liwork, &information, 1,
        1)
      if lwork < 0 {
        (lwork, liwork) = (Int32(work[0]), iwork[0])
        work = Array(repeating: 0, count: Int(lwork))
        iwork = Array(repeating: 0, count: Int(liwork))
      }
    }
    guard information == 0 else {
      throw Diagnostic(
        "linear-algebra.no-convergence",
        "the eigenvectors of a symmetric \(n) × \(n) matrix were not found",
        hint: "its numbers may be too far apart in size; add a small multiple of the identity")
    }
  }
}

/// The elements of a square matrix, f64 [n, n], all of them finite.
func squareMatrix(_ matrix: Tensor) throws -> [Double] {
  precondition(
    matrix.elementType == .f64 && matrix.shape.count == 2 && matrix.shape[0] == matrix.shape[1],
    "expected a square matrix of f64")
  try checkFinite(matrix)
  return matrix.array(of: Double.self)
}
