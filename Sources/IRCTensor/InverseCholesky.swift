private import CBLAS
private import CKernels

/// The upper triangular R with RᵀR = (H + λ·1)⁻¹ of a second moment H: what GPTQ rounds with.
///
/// With H = U·Uᵀ for an upper triangular U, which is the Cholesky decomposition of H with rows and columns reversed, R is U⁻¹: one
/// decomposition and one triangular inverse (LAPACK's dpotrf and dtrtri, in double precision) and no inverse of H.
///
/// A channel whose mean square is 0 is dead: nothing is known of it and nothing depends on it, so it stands by itself.
public struct InverseCholesky: Sendable {
  /// R, f32 [n, n] row by row, with channels in the order `order`.
  public let upper: Tensor
  /// The channel at each place; nil: as they are.
  public let order: [UInt32]?
  /// Channels that are always zero.
  public let deadChannels: [Int]
  /// λ as a fraction of the mean of the diagonal.
  public let damping: Double

  /// Number of channels.
  public var width: Int { upper.columns }

  /// Decomposes a damped second moment.
  ///
  /// - Parameters:
  ///   - damping: λ as a fraction of the mean of the diagonal, over channels that are not dead. Where the sum has no decomposition
  ///     it is ten times as large, and so on up to 1.
  ///   - ordered: true to order channels by their mean square, largest first (of equal ones, the first first).
  /// - Returns: nil if all channels are dead, the matrix is not finite, or no damping made it positive definite.
  public init?(of moment: SecondMoment, damping: Double, ordered: Bool) throws {
    let n = moment.width
    let diagonal = moment.diagonal
    let live = diagonal.filter { $0 > 0 }
    let mean = live.reduce(0, +) / Double(max(1, live.count))
    guard !live.isEmpty, mean.isFinite else { return nil }
    BLAS.prepare()
    deadChannels = diagonal.indices.filter { !(diagonal[$0] > 0) }
    order =
      ordered
      ? diagonal.indices.sorted { (diagonal[$0], $1) > (diagonal[$1], $0) }.map(UInt32.init) : nil
    // The place of each channel, counted from the end.
    var places = [UInt32](repeating: 0, count: n)
    for place in 0..<n { places[Int(order?[place] ?? UInt32(place))] = UInt32(n - 1 - place) }
    var matrix = try moment.matrix(places: places)
    var pivots = [Double](repeating: 0, count: n)
    for channel in 0..<n {
      pivots[Int(places[channel])] = diagonal[channel] > 0 ? diagonal[channel] : mean
    }
    var level = damping
    while !Self.invert(&matrix, pivots, added: level * mean) {
      level *= 10
      guard level <= 1, level > 0 else { return nil }
      Self.restore(&matrix, n)
    }
    self.damping = level
    upper = unsafe Tensor([n, n], of: Float.self) { target in
      guard let target = target.baseAddress else { return }
      unsafe irc_reversed_upper_f32(target, matrix, n)
    }
  }

  /// Overwrites one triangle of `matrix` by the inverse of its Cholesky factor; false if it has none.
  ///
  /// Row by row, that is the triangle below the diagonal; the one above keeps the matrix, so that it can be tried again.
  private static func invert(
    _ matrix: inout [Double], _ pivots: [Double], added damping: Double
  ) -> Bool {
    let n = pivots.count
    for place in 0..<n { matrix[place * n + place] = pivots[place] + damping }
    var (size, information) = (Int32(n), Int32(0))
    unsafe dpotrf_("U", &size, &matrix, &size, &information, 1)
    guard information == 0 else { return false }
    unsafe dtrtri_("U", "N", &size, &matrix, &size, &information, 1, 1)
    return information == 0
  }

  /// Mirrors the triangle above the diagonal.
  private static func restore(_ matrix: inout [Double], _ n: Int) {
    unsafe matrix.withUnsafeMutableBufferPointer { elements in
      for row in 0..<n {
        for column in 0..<row { unsafe elements[row * n + column] = elements[column * n + row] }
      }
    }
  }
}
