import CKernels
private import IRCSupport

/// XᵀRX / Σr over the rows X of some matrices, with a weight r for each row: what the inputs of a linear layer say about which
/// errors of its weights matter.
///
/// Products are taken in single precision over about a thousand rows, and those sums added up in double precision. An element
/// is thus good to about 1e-6 of the largest, which is at most the width times the mean of the diagonal; damping, without which
/// nobody inverts such a matrix, adds a hundredth of that mean. Only the upper half is computed and kept, in stripes of rows that
/// do not depend on the number of threads; each takes in the rows in their order.
public struct SecondMoment: Sendable {
  /// Number of channels.
  public let width: Int
  /// Rows that were taken in.
  public let rows: Int
  /// Rows that were left out, since they hold infinities or NaNs.
  public let skippedRows: Int
  private let stripes: [[Double]]
  private let factor: Double

  /// Rows of a stripe: enough for a fast product, few enough that little is computed on both sides of the diagonal.
  private static let height = 128
  /// Rows of X that are multiplied at a time, and those that are added up in single precision, about.
  private static let block = 512
  private static let flush = 1024

  /// Measures rows of equally many channels.
  ///
  /// - Parameters:
  ///   - parts: f32 [rows, width] each, at least one.
  ///   - weights: a weight of 0 or more for each row of each part; nil if all count alike.
  /// - Precondition: there are as many weights as rows.
  public init(of parts: [Tensor], weights: [[Float]]? = nil) throws {
    let width = parts.first?.columns ?? 0
    precondition(parts.allSatisfy { $0.columns == width }, "parts differ in width")
    if let weights {
      precondition(weights.map(\.count) == parts.map(\.rows), "weights do not fit the rows")
    }
    let sources = try Parallel.map(parts.count) { Source(parts[$0], weights?[$0]) }
    self.width = width
    rows = sources.reduce(0) { $0 + $1.x.rows }
    skippedRows = parts.reduce(0) { $0 + $1.rows } - rows
    let total = sources.reduce(0.0) { sum, source in
      sum + (source.weights?.reduce(0) { $0 + Double($1) } ?? Double(source.x.rows))
    }
    factor = total > 0 ? 1 / total : 0
    let count = (width + Self.height - 1) / Self.height
    stripes = try Parallel.map(count) { index in
      let first = index * Self.height
      return Self.stripe(first..<min(width, first + Self.height), width, sources)
    }
  }

  /// A second moment that is known, f64 [width, width].
  public init(matrix: Tensor, rows: Int) {
    width = matrix.columns
    self.rows = rows
    skippedRows = 0
    factor = 1
    let elements = matrix.array(of: Double.self)
    stripes = stride(from: 0, to: width, by: Self.height).map { [width] first in
      (first..<min(width, first + Self.height)).flatMap { row in
        elements[row * width + first..<(row + 1) * width]
      }
    }
  }

  /// The mean square of each channel.
  public var diagonal: [Double] {
    (0..<width).map { channel in
      let (stripe, row) = channel.quotientAndRemainder(dividingBy: Self.height)
      let columns = width - stripe * Self.height
      return stripes[stripe][row * columns + row] * factor
    }
  }

  /// The whole matrix, row by row, with channel i at place `places[i]` in both directions; nil: as it is.
  func matrix(places: [UInt32]?) throws -> [Double] {
    var result = [Double](repeating: 0, count: width * width)
    try unsafe result.withUnsafeMutableBufferPointer { result in
      guard let start = result.baseAddress else { return }
      let target = unsafe SharedMutablePointer(start)
      try Parallel.forEach(stripes.count) { index in
        let first = index * Self.height
        unsafe irc_place_symmetric_f64(
          target.start, stripes[index], first, min(width - first, Self.height), width, places,
          factor)
      }
    }
    return result
  }

  /// Rows without infinities and NaNs, with their weights.
  private struct Source: Sendable {
    let x: Tensor
    let weights: [Float]?

    init(_ part: Tensor, _ weights: [Float]?) {
      let matrix = part.reshaped([part.rows, part.columns])
      guard let kept = matrix.finiteRowIndices else {
        x = matrix
        self.weights = weights
        return
      }
      x = matrix.rows(kept)
      self.weights = weights.map { weights in kept.map { weights[$0] } }
    }
  }

  /// Rows `range` of the sums, from the diagonal block on.
  private static func stripe(_ range: Range<Int>, _ width: Int, _ sources: [Source]) -> [Double] {
    let (height, columns) = (range.count, width - range.lowerBound)
    var sums = [Double](repeating: 0, count: height * columns)
    var product = [Float](repeating: 0, count: height * columns)
    var left = [Float](repeating: 0, count: block * height)
    var pending = 0
    for source in sources {
      for start in stride(from: 0, to: source.x.rows, by: block) {
        let rows = min(block, source.x.rows - start)
        unsafe source.x.withElements(as: Float.self) { elements in
          guard let base = elements.baseAddress else { return }
          let x = unsafe base + start * width + range.lowerBound
          if let weights = source.weights {
            unsafe weights.withUnsafeBufferPointer { weights in
              unsafe irc_scale_rows_f32(
                &left, x, width, weights.baseAddress.map { unsafe $0 + start }, rows, height)
            }
          } else {
            unsafe irc_scale_rows_f32(&left, x, width, nil, rows, height)
          }
          unsafe Float.multiply(
            m: height, n: columns, k: rows, left, lda: height, transposeA: true, x, ldb: width,
            transposeB: false, beta: pending == 0 ? 0 : 1, &product, ldc: columns)
        }
        pending += rows
        if pending >= flush {
          unsafe irc_accumulate_f64(&sums, product, sums.count)
          pending = 0
        }
      }
    }
    if pending > 0 { unsafe irc_accumulate_f64(&sums, product, sums.count) }
    return sums
  }
}

extension Tensor {
  /// Indices of the rows of an f32 matrix that hold only finite numbers; nil if all do.
  fileprivate var finiteRowIndices: [Int]? {
    unsafe withElements(as: Float.self) { elements in
      guard let start = elements.baseAddress, unsafe !irc_all_finite_f32(start, count) else {
        return nil
      }
      return (0..<rows).filter { unsafe irc_all_finite_f32(start + $0 * columns, columns) }
    }
  }

  /// Some rows of an f32 matrix.
  fileprivate func rows(_ indices: [Int]) -> Tensor {
    unsafe withElements(as: Float.self) { source in
      unsafe Tensor([indices.count, columns], of: Float.self) { target in
        guard let from = source.baseAddress, let to = target.baseAddress else { return }
        for (place, row) in indices.enumerated() {
          unsafe (to + place * columns).update(from: from + row * columns, count: columns)
        }
      }
    }
  }
}
