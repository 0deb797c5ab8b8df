private import CBLAS
private import IRCSupport

/// The inverse of a general matrix, with a measure of how far it can be trusted.
///
/// By LU decomposition with pivoting (LAPACK's dgetrf and dgetri) on the calling thread.
public struct MatrixInverse: Sendable {
  /// The inverse, f64 [n, n].
  public let inverse: Tensor
  /// An estimate of 1 / (‖A‖∞·‖A⁻¹‖∞): about 1e-16 times its reciprocal is lost of each result's accuracy.
  public let reciprocalCondition: Double

  /// Inverts `matrix`, f64 [n, n].
  ///
  /// - Throws: `Diagnostic` `linear-algebra.non-finite`, or `linear-algebra.singular`.
  public init(of matrix: Tensor) throws {
    var elements = try squareMatrix(matrix)
    let n = matrix.shape[0]
    guard n > 0 else {
      inverse = matrix
      reciprocalCondition = 1
      return
    }
    BLAS.prepare()
    var (size, information) = (Int32(n), Int32(0))
    var pivots = [Int32](repeating: 0, count: n)
    var norm = (0..<n).reduce(0) { most, row in
      max(most, elements[row * n..<(row + 1) * n].reduce(0) { $0 + abs($1) })
    }
    // Rows for columns, so this is the transpose, and its inverse the transpose of the inverse.
    unsafe dgetrf_(&size, &size, &elements, &size, &pivots, &information)
    guard information == 0 else {
      throw Diagnostic(
        "linear-algebra.singular", "a \(n) × \(n) matrix has no inverse",
        hint: "two of its rows or columns are multiples of each other, or one is zero")
    }
    var work = [Double](repeating: 0, count: 4 * n)
    var integers = [Int32](repeating: 0, count: n)
    var condition = 0.0
    unsafe dgecon_(
      "1", &size, &elements, &size, &norm, &condition, &work, &integers, &information, 1)
    var lwork = Int32(64 * n)
    work = Array(repeating: 0, count: Int(lwork))
    unsafe dgetri_(&size, &elements, &size, &pivots, &work, &lwork, &information)
    inverse = Tensor([n, n], elements)
    reciprocalCondition = condition
  }
}
