import IRCSupport

/// The first few singular values and vectors of a matrix: A ≈ U·diag(values)·Vᵀ, the best approximation of that rank.
///
/// By a randomised range finder with power iterations (Halko, Martinsson, Tropp, arXiv 0909.4061, algorithms 4.4 and 5.1):
/// products of A with a panel of `rank + oversampling` vectors that are made orthonormal after each, and a small exact
/// decomposition at the end. Its error is the best one up to a fraction that each power iteration makes smaller. Where the
/// panel would be half as wide as the matrix, the exact decomposition of all takes its place.
///
/// The same seed gives the same bits for any number of threads. Memory: the matrix is read where it is; a panel of 8 bytes for
/// each of its numbers, for either side.
public struct TruncatedSVD: Sendable {
  /// The largest singular values, in falling order; `rank` of them, or as many as there are.
  public let values: [Double]
  /// Orthonormal columns, f64 [m, k].
  public let left: Tensor
  /// Orthonormal rows, f64 [k, n], with signs as in `SingularValues`.
  public let right: Tensor

  /// Decomposes a matrix.
  ///
  /// - Parameters:
  ///   - matrix: f32 or f64 [m, n].
  ///   - rank: how many singular values to find; at least 1.
  ///   - seed: of the random panel.
  ///   - oversampling: vectors of the panel beyond `rank`.
  ///   - powerIterations: how often the panel goes through A and Aᵀ once more.
  /// - Throws: `Diagnostic` `linear-algebra.non-finite`, or `linear-algebra.no-convergence`.
  public init(
    of matrix: Tensor, rank: Int, seed: UInt64 = 0, oversampling: Int = 16,
    powerIterations: Int = 4
  ) throws {
    precondition(rank > 0 && matrix.shape.count == 2, "expected a matrix and a positive rank")
    let width = rank + oversampling
    if 2 * width >= min(matrix.shape[0], matrix.shape[1]) {
      let all = try SingularValues(of: matrix.inDouble)
      self.init(first: rank, all.values, left: all.left, right: all.right)
      return
    }
    try checkFinite(matrix)
    let panel =
      switch matrix.elementType {
      case .f32:
        try RangeFinder<Float>(matrix, width, seed, powerIterations).range
      default:
        try RangeFinder<Double>(matrix, width, seed, powerIterations).range
      }
    // A ≈ Q·(QᵀA), and the small factor is decomposed exactly.
    let small = try SingularValues(of: panel.product)
    let m = matrix.shape[0]
    let left = unsafe Tensor([m, width], of: Double.self) { target in
      unsafe panel.basis.withElements(as: Double.self) { basis in
        unsafe small.left.withElements(as: Double.self) { turn in
          guard let basis = basis.baseAddress, let turn = turn.baseAddress,
            let target = target.baseAddress
          else { return }
          unsafe Double.multiply(
            m: m, n: width, k: width, basis, lda: m, transposeA: true, turn, ldb: width,
            transposeB: false, beta: 0, target, ldc: width)
        }
      }
    }
    self.init(first: rank, small.values, left: left, right: small.right)
  }

  /// The first `rank` of what was found.
  private init(first rank: Int, _ values: [Double], left: Tensor, right: Tensor) {
    let kept = min(rank, values.count)
    self.values = Array(values.prefix(kept))
    self.right = right.slice(rows: 0..<kept)
    let (rows, width) = (left.rows, left.columns)
    self.left = unsafe left.withElements(as: Double.self) { source in
      unsafe Tensor([rows, kept], of: Double.self) { target in
        for row in 0..<rows {
          for column in 0..<kept {
            unsafe target[row * kept + column] = source[row * width + column]
          }
        }
      }
    }
  }
}

/// Finds vectors that span nearly all of what a matrix makes. Panels are kept as rows, one vector each.
private struct RangeFinder<Scalar: Real> {
  private let matrix: Tensor
  private let width: Int
  /// Q as [width, m] and QᵀA as [width, n], both of f64.
  private(set) var range: (basis: Tensor, product: Tensor)

  init(_ matrix: Tensor, _ width: Int, _ seed: UInt64, _ powerIterations: Int) throws {
    self.matrix = matrix
    self.width = width
    let random = RandomNumbers(seed: seed)
    let start = unsafe Tensor([width, matrix.shape[1]], of: Double.self) { target in
      for index in target.indices { unsafe target[index] = random.normal(index) }
    }
    range = (start, start)
    var basis = try RangeFinder.forward(matrix, start).orthonormalRows()
    for _ in 0..<powerIterations {
      let back = try RangeFinder.backward(matrix, basis).orthonormalRows()
      basis = try RangeFinder.forward(matrix, back).orthonormalRows()
    }
    range = (basis, try RangeFinder.backward(matrix, basis))
  }

  /// Panel·Aᵀ: [width, n] becomes [width, m], some rows of A at a time, the same ones for any number of threads.
  private static func forward(_ a: Tensor, _ panel: Tensor) throws -> Tensor {
    let (m, n, width) = (a.shape[0], a.shape[1], panel.shape[0])
    return try unsafe multiply(panel, a, columns: m) { panel, a, target, range in
      unsafe Scalar.multiply(
        m: width, n: range.count, k: n, panel, lda: n, transposeA: false,
        a + range.lowerBound * n, ldb: n, transposeB: true, beta: 0,
        target + range.lowerBound, ldc: m)
    }
  }

  /// Panel·A: [width, m] becomes [width, n], some columns of A at a time.
  private static func backward(_ a: Tensor, _ panel: Tensor) throws -> Tensor {
    let (m, n, width) = (a.shape[0], a.shape[1], panel.shape[0])
    return try unsafe multiply(panel, a, columns: n) { panel, a, target, range in
      unsafe Scalar.multiply(
        m: width, n: range.count, k: m, panel, lda: m, transposeA: false, a + range.lowerBound,
        ldb: n, transposeB: false, beta: 0, target + range.lowerBound, ldc: n)
    }
  }

  private static func multiply(
    _ panel: Tensor, _ a: Tensor, columns: Int,
    _ body:
      @Sendable (
        UnsafePointer<Scalar>, UnsafePointer<Scalar>, UnsafeMutablePointer<Scalar>, Range<Int>
      ) -> Void
  ) throws -> Tensor {
    let product = try unsafe Tensor([panel.shape[0], columns], of: Scalar.self) { target in
      try unsafe panel.converted(to: Scalar.self).withElements(as: Scalar.self) { panel in
        try unsafe a.withElements(as: Scalar.self) { a in
          guard let panel = panel.baseAddress, let a = a.baseAddress,
            let target = target.baseAddress
          else { return }
          let (left, right) = unsafe (SharedPointer(panel), SharedPointer(a))
          let product = unsafe SharedMutablePointer(target)
          try Parallel.forChunks(of: columns, chunk: 512) { range in
            unsafe body(left.start, right.start, product.start, range)
          }
        }
      }
    }
    return product.inDouble
  }
}
