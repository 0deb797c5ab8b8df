private import CBLAS
private import IRCSupport

/// The lower triangular C with C·Cᵀ = M of a symmetric, positive definite matrix M.
///
/// By LAPACK's dpotrf on the calling thread.
public struct CholeskyFactor: Sendable {
  /// C, f64 [n, n], zero above the diagonal.
  public let lower: Tensor

  /// Factors `matrix`, f64 [n, n]; only the part below the diagonal is read.
  ///
  /// - Parameter damping: multiple of the mean of the diagonal that is added to it, so that a matrix of lower rank can be factored too.
  /// - Throws: `Diagnostic` `linear-algebra.non-finite`, or `linear-algebra.not-positive`.
  public init(of matrix: Tensor, damping: Double = 0) throws {
    var elements = try squareMatrix(matrix)
    let n = matrix.shape[0]
    let mean = (0..<n).reduce(0) { $0 + elements[$1 * n + $1] } / Double(max(1, n))
    for i in 0..<n { elements[i * n + i] += damping * mean }
    if n > 0 {
      BLAS.prepare()
      var (size, information) = (Int32(n), Int32(0))
      // Rows for columns: the upper part is then what lies below the diagonal.
      unsafe dpotrf_("U", &size, &elements, &size, &information, 1)
      guard information == 0 else {
        throw Diagnostic(
          "linear-algebra.not-positive",
          "a \(n) × \(n) matrix is not positive definite (at row \(information - 1))",
          hint: "a second moment of too few rows has lower rank; measure more, or raise the damping"
        )
      }
    }
    for row in 0..<n {
      for column in (row + 1)..<max(row + 1, n) { elements[row * n + column] = 0 }
    }
    lower = Tensor([n, n], elements)
  }

  /// X with X·C = B, for B of f64 [k, n].
  public func solved(_ right: Tensor) -> Tensor {
    var elements = right.array(of: Double.self)
    let (k, n) = (right.shape[0], right.shape[1])
    precondition(n == lower.shape[0], "the width of \(right.shape) does not fit")
    guard k > 0, n > 0 else { return right }
    BLAS.prepare()
    unsafe lower.withElements(as: Double.self) { factor in
      unsafe cblas_dtrsm(
        CblasRowMajor, CblasRight, CblasLower, CblasNoTrans, CblasNonUnit, Int32(k), Int32(n), 1,
        factor.baseAddress, Int32(n), &elements, Int32(n))
    }
    return Tensor([k, n], elements)
  }
}
