import Foundation
import IRCGraph
import IRCOps
import IRCTensor

/// Seconds of the fastest of `runs` runs of each piece of work, taken in turn after one that warms up.
func fastest(of runs: Int, _ work: [() -> Void]) -> [Double] {
  var best = work.map { _ in Double.infinity }
  for run in 0...max(1, runs) {
    for (index, piece) in work.enumerated() {
      let start = DispatchTime.now().uptimeNanoseconds
      piece()
      let seconds = Double(DispatchTime.now().uptimeNanoseconds - start) / 1e9
      if run > 0 { best[index] = min(best[index], seconds) }
    }
  }
  return best
}

/// The transform of rows that are larger than any cache together, from one memory to another.
final class RowTransform {
  private let source: UnsafeMutableBufferPointer<Float>
  private let target: UnsafeMutableBufferPointer<Float>
  private let width: Int
  private let rotation: HadamardRotation

  /// Bytes of all rows.
  var bytes: Int { source.count * 4 }

  init(rows: Int, width: Int) throws {
    guard let rotation = HadamardRotation(order: width, seed: 1) else {
      throw OperatorError("there is no Hadamard matrix of order \(width)")
    }
    self.rotation = rotation
    self.width = width
    source = .allocate(capacity: rows * width)
    target = .allocate(capacity: rows * width)
    target.initialize(repeating: 0)
    let numbers = RandomNumbers(seed: 1)
    for index in 0..<source.count {
      source.initializeElement(at: index, to: Float(numbers.uniform(index) - 0.5))
    }
  }

  deinit {
    source.deallocate()
    target.deallocate()
  }

  func copy() {
    guard let from = source.baseAddress, let to = target.baseAddress else { return }
    memcpy(to, from, bytes)
  }

  func run() {
    rotation.transformRows(of: width, from: UnsafeBufferPointer(source), to: target)
  }
}

/// A weight that gets another basis, as emission folds it.
final class Folding {
  /// Extents of the weight.
  let shape: [Int]
  private let width: Int
  private let axis: Int
  private let x: Tensor
  private let matrix: Tensor
  private let context = EvaluationContext(precision: .single, parameters: NoParameters())

  /// A weight with `width` channels at `axis` and `rows` entries along the other.
  init(rows: Int, width: Int, axis: Int) {
    (self.width, self.axis) = (width, axis)
    shape = axis == 0 ? [width, rows] : [rows, width]
    let numbers = RandomNumbers(seed: 2)
    x = Tensor(shape, (0..<rows * width).map { Float(numbers.uniform($0) - 0.5) })
    matrix = Tensor(
      [1, width, width], (0..<width * width).map { Float(numbers.uniform($0) - 0.5) })
  }

  func run() {
    _ = try? ChannelMatmul(axis: axis).evaluate([x, matrix], in: context)
  }

  /// One call of the same product, into a tensor of its own.
  func plainProduct() {
    let rows = x.count / width
    _ = Tensor(shape, of: Float.self) { target in
      x.withElements(as: Float.self) { x in
        matrix.withElements(as: Float.self) { matrix in
          guard let x = x.baseAddress, let matrix = matrix.baseAddress, let y = target.baseAddress
          else { return }
          if axis == 0 {
            Float.multiply(
              m: width, n: rows, k: width, matrix, lda: width, transposeA: true, x, ldb: rows,
              transposeB: false, beta: 0, y, ldc: rows)
          } else {
            Float.multiply(
              m: rows, n: width, k: width, x, lda: width, transposeA: false, matrix, ldb: width,
              transposeB: false, beta: 0, y, ldc: width)
          }
        }
      }
    }
  }
}
