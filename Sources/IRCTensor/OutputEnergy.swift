private import CBLAS
import CKernels
private import IRCSupport

/// The mean of ‖W·x‖² over inputs x of known second moment H, which is tr(W·H·Wᵀ): of errors of weights, the error of the outputs.
///
/// In single precision, added up in double precision in an order that does not depend on the number of threads.
public struct OutputEnergy: Sendable {
  private let moment: Tensor

  /// Output channels that go together.
  private static let run = 256

  /// Takes a second moment, f64 [n, n].
  public init(moment: Tensor) {
    precondition(moment.elementType == .f64, "expected a second moment in double precision")
    let elements = moment.array(of: Double.self)
    self.moment = Tensor(moment.shape, elements.map(Float.init))
  }

  /// The energy of the outputs of `weights`, f32 [out, n].
  public func of(_ weights: Tensor) throws -> Double {
    let (rows, n) = (weights.rows, weights.columns)
    precondition(n == moment.columns && weights.elementType == .f32, "widths differ")
    let parts = try Parallel.map((rows + Self.run - 1) / Self.run) { index -> Double in
      let first = index * Self.run
      let count = min(rows, first + Self.run) - first
      var product = [Float](repeating: 0, count: count * n)
      return unsafe weights.withElements(as: Float.self) { w -> Double in
        unsafe moment.withElements(as: Float.self) { h -> Double in
          guard let w = w.baseAddress, let h = h.baseAddress else { return 0 }
          unsafe Float.multiply(
            m: count, n: n, k: n, w + first * n, lda: n, transposeA: false, h, ldb: n,
            transposeB: false, beta: 0, &product, ldc: n)
          return (0..<count).reduce(0.0) { sum, row in
            unsafe product.withUnsafeBufferPointer { product in
              guard let product = product.baseAddress else { return sum }
              return unsafe sum
                + cblas_dsdot(Int32(n), product + row * n, 1, w + (first + row) * n, 1)
            }
          }
        }
      }
    }
    return parts.reduce(0, +)
  }
}

extension Tensor {
  /// An f32 matrix with each column multiplied by a factor.
  public func scalingColumns(by factors: [Float]) -> Tensor {
    precondition(factors.count == columns, "one factor a column")
    return unsafe withElements(as: Float.self) { source in
      unsafe Tensor(shape, of: Float.self) { target in
        guard let from = source.baseAddress, let to = target.baseAddress else { return }
        unsafe irc_mul_columns_f32(to, from, factors, rows, columns)
      }
    }
  }
}
