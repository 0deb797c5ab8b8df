private import CKernels

extension Tensor {
  /// Largest magnitude and sum of squares of each column of a matrix of f32, [rows, n].
  public var columnMagnitudes: (peaks: [Float], squares: [Double]) {
    var peaks = [Float](repeating: 0, count: columns)
    var squares = [Double](repeating: 0, count: columns)
    unsafe withElements(as: Float.self) { source in
      unsafe irc_column_magnitude_f32(&peaks, &squares, source.baseAddress, rows, columns)
    }
    return (peaks, squares)
  }

  /// For each group of columns of a matrix of f32, [rows, n], the sum over the rows of the square of the largest |w · factor|.
  ///
  /// - Parameters:
  ///   - factors: one for each column.
  ///   - group: columns of a group; the last one may have fewer.
  public func scaledPeakSquares(factors: [Double], group: Int) -> [Double] {
    precondition(factors.count == columns && group > 0, "a factor for each of \(columns) columns")
    var sums = [Double](repeating: 0, count: (columns + group - 1) / group)
    unsafe withElements(as: Float.self) { source in
      unsafe irc_scaled_peak_squares_f32(&sums, source.baseAddress, factors, rows, columns, group)
    }
    return sums
  }
}
