import CBLAS
import CKernels
private import IRCSupport

/// tr(D M Dᵀ) of D = A − B in double precision: how much a change D of a weight moves a layer's output, M being the second moment of
/// its input.
///
/// - Parameters:
///   - a, b: f32 [rows, n]; b nil for zeros.
///   - moment: f64 [n, n], symmetric.
///   - isDiagonal: takes the mean of M's diagonal times the identity in place of M.
/// - Throws: `Diagnostic` when there is no memory for blocks of rows.
/// - Precondition: the extents agree.
public func quadraticForm(
  _ a: Tensor, minus b: Tensor?, _ moment: Tensor, isDiagonal: Bool = false
) throws -> Double {
  let width = a.columns
  precondition(moment.shape == [width, width] && b?.shape ?? a.shape == a.shape)
  let block = 256
  let parts = try Parallel.map((a.rows + block - 1) / block) { index in
    let rows = index * block..<min(a.rows, (index + 1) * block)
    var difference = widened(a, rows)
    if let b {
      let other = widened(b, rows)
      unsafe cblas_daxpy(Int32(other.count), -1, other, 1, &difference, 1)
    }
    if isDiagonal {
      return unsafe cblas_ddot(Int32(difference.count), difference, 1, difference, 1)
    }
    let product = unsafe [Double](unsafeUninitializedCapacity: difference.count) { product, count in
      count = difference.count
      guard let target = product.baseAddress else { return }
      unsafe moment.withElements(as: Double.self) { moment in
        guard let moment = moment.baseAddress else { return }
        unsafe Double.multiply(
          m: rows.count, n: width, k: width, difference, lda: width, transposeA: false, moment,
          ldb: width, transposeB: false, beta: 0, target, ldc: width)
      }
    }
    return unsafe cblas_ddot(Int32(difference.count), difference, 1, product, 1)
  }
  let sum = parts.reduce(0, +)
  guard isDiagonal, width > 0 else { return sum }
  let trace = unsafe moment.withElements(as: Double.self) { moment in
    (0..<width).reduce(0) { unsafe $0 + moment[$1 * width + $1] }
  }
  return sum * trace / Double(width)
}

/// Some rows of a matrix of f32 in double precision.
private func widened(_ matrix: Tensor, _ rows: Range<Int>) -> [Double] {
  let part = matrix.slice(rows: rows)
  return unsafe [Double](unsafeUninitializedCapacity: part.count) { target, count in
    count = part.count
    unsafe part.withElements(as: Float.self) { source in
      guard let to = target.baseAddress, let from = source.baseAddress else { return }
      unsafe irc_columns_f32_to_f64(to, from, part.columns, part.rows, part.columns)
    }
  }
}
