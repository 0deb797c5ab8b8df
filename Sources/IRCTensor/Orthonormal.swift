private import CBLAS
import IRCSupport

extension Tensor {
  /// Orthonormal rows that span what the rows of a matrix do, f64 [k, n] with k ≤ n; by Householder reflections (LAPACK's dgeqrf
  /// and dorgqr) on the calling thread. Rows that depend on others give arbitrary directions beside them.
  func orthonormalRows() throws -> Tensor {
    var elements = array(of: Double.self)
    // Rows for columns: a vector in each run of n numbers.
    var (n, k) = (Int32(shape[1]), Int32(shape[0]))
    guard n > 0, k > 0 else { return self }
    BLAS.prepare()
    precondition(k <= n, "more vectors than dimensions")
    var factors = [Double](repeating: 0, count: Int(k))
    var work = [Double](repeating: 0, count: 64 * Int(k))
    var (lwork, information) = (Int32(work.count), Int32(0))
    unsafe dgeqrf_(&n, &k, &elements, &n, &factors, &work, &lwork, &information)
    unsafe dorgqr_(&n, &k, &k, &elements, &n, &factors, &work, &lwork, &information)
    return Tensor(shape, elements)
  }

  /// The elements of a tensor of f32 or f64 in double precision.
  var inDouble: Tensor { elementType == .f64 ? self : converted(to: Double.self) }

  /// The elements of a tensor of f32 or f64 as `Target`.
  func converted<Target: Real>(to target: Target.Type) -> Tensor {
    if elementType == Target.elementType { return self }
    return unsafe Tensor(shape, of: Target.self) { target in
      if elementType == .f32 {
        unsafe withElements(as: Float.self) { source in
          for index in 0..<source.count { unsafe target[index] = Target(source[index]) }
        }
      } else {
        unsafe withElements(as: Double.self) { source in
          for index in 0..<source.count { unsafe target[index] = Target(source[index]) }
        }
      }
    }
  }
}
