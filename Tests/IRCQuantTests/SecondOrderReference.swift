import IRCQuant

/// Optimal brain surgery, column by column in double precision, with the explicit inverse of what is left: what GPTQ computes
/// with a Cholesky factor in blocks. Shares no code with it, the rules of the formats included.
struct SecondOrderReference {
  let spec: QuantizationSpec
  /// Mean of x·xᵀ, damped.
  private var inverse: [[Double]]
  private let order: [Int]
  private let dead: [Bool]

  /// - Parameter rows: the inputs of the layer, weighed by `weights` if there are any.
  init(
    _ spec: QuantizationSpec, rows: [[Double]], weights: [Double]? = nil, damping: Double,
    ordered: Bool
  ) {
    self.spec = spec
    let n = rows[0].count
    var h = [[Double]](repeating: Array(repeating: 0, count: n), count: n)
    let total = weights?.reduce(0, +) ?? Double(rows.count)
    for (index, row) in rows.enumerated() {
      let weight = (weights?[index] ?? 1) / total
      for i in 0..<n { for j in 0..<n { h[i][j] += weight * row[i] * row[j] } }
    }
    let diagonal = (0..<n).map { h[$0][$0] }
    let live = diagonal.filter { $0 > 0 }
    let mean = live.reduce(0, +) / Double(live.count)
    dead = diagonal.map { $0 == 0 }
    for i in 0..<n { h[i][i] = (dead[i] ? mean : h[i][i]) + damping * mean }
    order =
      ordered
      ? (0..<n).sorted { diagonal[$0] != diagonal[$1] ? diagonal[$0] > diagonal[$1] : $0 < $1 }
      : Array(0..<n)
    inverse = Self.inverse(of: h)
  }

  /// The codes of weights [out, in], row by row.
  ///
  /// - Parameter ties: where a weight lies in the middle between two codes, up to a ten-thousandth of a step, both are right, and
  ///   it goes on with the one that is here. The most negative weight of a symmetric grid of few bits lies there by construction.
  func round(_ weights: [[Double]], ties: [[Int]]) -> [[Int]] {
    var w = weights.map { row in row.indices.map { dead[$0] ? 0 : row[$0] } }
    let n = w[0].count
    var remaining = inverse
    let width = groupWidth(n)
    var grids = [[Grid]](
      repeating: Array(repeating: Grid(scale: 0, zero: 0), count: (n + width - 1) / width),
      count: w.count)
    let isStatic = order != Array(0..<n)
    for row in w.indices {
      for group in grids[row].indices {
        let range = group * width..<min(n, (group + 1) * width)
        grids[row][group] =
          spec.granularity == .tensor ? grid(w.flatMap { $0 }) : grid(Array(w[row][range]))
      }
    }
    var codes = w.map { $0.map { _ in 0 } }
    for column in order {
      for row in w.indices {
        if case .group = spec.granularity, !isStatic, column.isMultiple(of: width) {
          grids[row][column / width] = grid(Array(w[row][column..<min(n, column + width)]))
        }
        let grid = grids[row][column / width]
        var code = grid.code(of: w[row][column], spec)
        if abs(code - ties[row][column]) == 1, grid.isTie(w[row][column]) {
          code = ties[row][column]
        }
        codes[row][column] = code
        let error = (w[row][column] - grid.value(of: code)) / remaining[column][column]
        for other in 0..<n { w[row][other] -= error * remaining[column][other] }
      }
      // The inverse without this column: one step of elimination.
      let pivot = remaining[column]
      for i in 0..<n where remaining[i][column] != 0 && i != column {
        let factor = remaining[i][column] / pivot[column]
        for j in 0..<n { remaining[i][j] -= factor * pivot[j] }
      }
      for i in 0..<n {
        remaining[i][column] = 0
        remaining[column][i] = 0
      }
    }
    return codes
  }

  private func groupWidth(_ n: Int) -> Int {
    if case .group(let size) = spec.granularity { min(size, n) } else { n }
  }

  /// A scale and a zero point by the rules of `irc_kernels.h`.
  private struct Grid {
    var scale: Double
    var zero: Double

    func code(of x: Double, _ spec: QuantizationSpec) -> Int {
      let half = 1 << (spec.format.bits - 1)
      let low = spec.isSymmetric && spec.format.bits == 8 ? -127 : -half
      if scale == 0 { return Int(zero) }
      let code = (x / scale).rounded(.toNearestOrEven) + zero
      return Int(min(max(code, Double(low)), Double(half - 1)))
    }

    func isTie(_ x: Double) -> Bool {
      let place = x / scale
      return abs(abs(place - place.rounded(.down)) - 0.5) < 1e-4
    }

    func value(of code: Int) -> Double { (Double(code) - zero) * scale }
  }

  private func grid(_ w: [Double]) -> Grid {
    func stored(_ scale: Double) -> Double {
      spec.scaleFormat == .f16 ? Double(Float16(Float(scale))) : Double(Float(scale))
    }
    let bits = spec.format.bits
    let half = Double(1 << (bits - 1))
    if spec.isSymmetric {
      return Grid(scale: stored(w.map(abs).max()! / (bits == 8 ? 127 : half - 0.5)), zero: 0)
    }
    let (low, high) = (min(0, w.min()!), max(0, w.max()!))
    let scale = stored((high - low) / (2 * half - 1))
    if scale == 0 { return Grid(scale: 0, zero: 0) }
    let zero = min(max(-half - low / scale, -half), half - 1).rounded(.toNearestOrEven)
    return Grid(scale: scale, zero: zero)
  }

  /// Gauss and Jordan, with the largest pivot of each column.
  private static func inverse(of matrix: [[Double]]) -> [[Double]] {
    let n = matrix.count
    var a = matrix.enumerated().map { index, row in
      row + (0..<n).map { $0 == index ? 1 : 0 }
    }
    for column in 0..<n {
      let pivot = (column..<n).max { abs(a[$0][column]) < abs(a[$1][column]) }!
      a.swapAt(column, pivot)
      let scale = a[column][column]
      a[column] = a[column].map { $0 / scale }
      for row in 0..<n where row != column && a[row][column] != 0 {
        let factor = a[row][column]
        for j in 0..<2 * n { a[row][j] -= factor * a[column][j] }
      }
    }
    return a.map { Array($0[n...]) }
  }
}
