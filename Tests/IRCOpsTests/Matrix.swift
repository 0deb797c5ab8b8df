import IRCTensor

/// A square matrix for the tests of invariances: small, in double precision, row by row.
struct Matrix: Equatable {
  let size: Int
  var elements: [Double]

  init(_ size: Int, _ element: (Int, Int) -> Double) {
    self.size = size
    elements = (0..<size * size).map { element($0 / size, $0 % size) }
  }

  static func identity(_ size: Int) -> Matrix { Matrix(size) { $0 == $1 ? 1 : 0 } }

  subscript(row: Int, column: Int) -> Double {
    get { elements[row * size + column] }
    set { elements[row * size + column] = newValue }
  }

  var transpose: Matrix { Matrix(size) { self[$1, $0] } }

  /// By Gauss and Jordan with pivoting.
  var inverse: Matrix {
    var left = self
    var right = Matrix.identity(size)
    for column in 0..<size {
      let pivot = (column..<size).max { abs(left[$0, column]) < abs(left[$1, column]) } ?? column
      for other in 0..<size {
        (left[column, other], left[pivot, other]) = (left[pivot, other], left[column, other])
        (right[column, other], right[pivot, other]) = (right[pivot, other], right[column, other])
      }
      let factor = 1 / left[column, column]
      for other in 0..<size {
        left[column, other] *= factor
        right[column, other] *= factor
      }
      for row in 0..<size where row != column {
        let amount = left[row, column]
        for other in 0..<size {
          left[row, other] -= amount * left[column, other]
          right[row, other] -= amount * right[column, other]
        }
      }
    }
    return right
  }

  /// Rows and columns of a range.
  func block(_ range: Range<Int>) -> Matrix {
    Matrix(range.count) { self[range.lowerBound + $0, range.lowerBound + $1] }
  }

  /// Blocks on the diagonal.
  static func diagonal(_ blocks: [Matrix]) -> Matrix {
    var result = Matrix(blocks.reduce(0) { $0 + $1.size }) { _, _ in 0 }
    var start = 0
    for block in blocks {
      for row in 0..<block.size {
        for column in 0..<block.size { result[start + row, start + column] = block[row, column] }
      }
      start += block.size
    }
    return result
  }

  /// Columns made orthonormal by Gram and Schmidt.
  var orthonormalised: Matrix {
    var result = self
    for column in 0..<size {
      for _ in 0..<2 {
        for earlier in 0..<column {
          let dot = (0..<size).reduce(0) { $0 + result[$1, column] * result[$1, earlier] }
          for row in 0..<size { result[row, column] -= dot * result[row, earlier] }
        }
      }
      let length = (0..<size).reduce(0) { $0 + result[$1, column] * result[$1, column] }
        .squareRoot()
      for row in 0..<size { result[row, column] /= length }
    }
    return result
  }
}

extension Tensor {
  /// x·T along one axis; tensors of whole numbers stay such.
  func transformed(along axis: Int, by matrix: Matrix) -> Tensor {
    let extent = shape[axis]
    let inner = shape[(axis + 1)...].reduce(1, *)
    let source = values
    var result = [Double](repeating: 0, count: source.count)
    for index in result.indices {
      let column = index / inner % extent
      let base = index - column * inner
      for row in 0..<extent { result[index] += source[base + row * inner] * matrix[row, column] }
    }
    switch elementType {
    case .i8: return Tensor(shape, result.map { Int8($0) })
    case .i32: return Tensor(shape, result.map { Int32($0) })
    default: return Tensor(shape, result)
    }
  }
}
