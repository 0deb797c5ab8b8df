/// A matrix of low rank near a weight W, as the product of two thin ones in half precision: W ≈ up·down.
///
/// The factors share the size of each component, so that neither leaves the range of half precision, and are rounded: whoever
/// takes the rest W − up·down takes what the rounding left too.
public struct LowRankFactors: Sendable {
  /// f16 [m, r].
  public let up: Tensor
  /// f16 [r, n].
  public let down: Tensor
  /// The singular values of what was decomposed, the largest r of them.
  public let values: [Double]

  /// The best factors of a rank.
  ///
  /// - Parameters:
  ///   - matrix: W of f32 [m, n], so that the sum of the squares of W − up·down is least; or, with `whitening`, W·C.
  ///   - rank: r, at least 1; no more than the shorter side of W is used.
  ///   - whitening: C with C·Cᵀ = E[x·xᵀ] for the inputs x of W. The factors then make the mean of |(W − up·down)·x|² least: the
  ///     decomposition U·Σ·Vᵀ of W·C gives up·down = U·Σ·Vᵀ·C⁻¹.
  ///   - seed: of the random panel of `TruncatedSVD`.
  /// - Throws: `Diagnostic` `linear-algebra.non-finite`, or `linear-algebra.no-convergence`.
  public init(
    of matrix: Tensor, rank: Int, whitening: CholeskyFactor? = nil, seed: UInt64 = 0
  ) throws {
    let decomposition = try TruncatedSVD(of: matrix, rank: rank, seed: seed)
    let right = whitening?.solved(decomposition.right) ?? decomposition.right
    let values = decomposition.values
    self.values = values
    let n = right.columns
    let (r, m) = (values.count, decomposition.left.rows)
    let norms = (0..<r).map { k in
      right.slice(rows: k..<k + 1).array(of: Double.self)
        .reduce(0) { $0 + $1 * $1 }.squareRoot()
    }
    up = unsafe decomposition.left.withElements(as: Double.self) { left in
      unsafe Tensor([m, r], of: Double.self) { target in
        let factors = zip(values, norms).map { ($0 * $1).squareRoot() }
        for row in 0..<m {
          for k in 0..<r { unsafe target[row * r + k] = left[row * r + k] * factors[k] }
        }
      }
    }.roundedToHalf
    down = unsafe right.withElements(as: Double.self) { right in
      unsafe Tensor([r, n], of: Double.self) { target in
        for k in 0..<r {
          let factor = norms[k] > 0 ? (values[k] / norms[k]).squareRoot() : 0
          for column in 0..<n { unsafe target[k * n + column] = right[k * n + column] * factor }
        }
      }
    }.roundedToHalf
  }

  /// W − up·down, f32 [m, n].
  public func remainder(of weights: Tensor) throws -> Tensor {
    let (left, right) = (up.widenedFromHalf, down.widenedFromHalf)
    return try left.product(right.adding(right, times: -2), plus: weights)
  }
}
