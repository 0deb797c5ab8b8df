import CKernels
import IRCSupport
import IRCTensor
import Synchronization

/// Running sums of one group of values.
///
/// The work is cut into pieces that do not share anything, the same ones whatever the thread count: ranges and histograms are
/// one, and the upper half of XᵀX is cut into stripes of rows. Each piece takes in samples in the order in which it is given
/// them, so that its bits do not depend on who computes it when.
final class ChannelSums: Sendable {
  let request: StatisticRequest
  private let width: Int
  private let blocks: Int
  private let range: Mutex<RangeSums>
  private let stripes: [MomentStripe]

  /// - Parameter blocks: number of equal parts of the channels that the second moment keeps apart; it divides `width`.
  init(_ request: StatisticRequest, width: Int, blocks: Int = 1) {
    self.request = request
    self.width = width
    self.blocks = blocks
    range = Mutex(RangeSums(width: width, bins: request.contains(.quantiles)))
    let size = width / blocks
    stripes =
      request.contains(.secondMoment)
      ? (0..<blocks).flatMap { index in
        let block = index * size..<(index + 1) * size
        return stride(from: block.lowerBound, to: block.upperBound, by: MomentStripe.height).map {
          MomentStripe(
            $0..<min(block.upperBound, $0 + MomentStripe.height), of: block, width: width)
        }
      } : []
  }

  /// Number of pieces of work.
  var pieceCount: Int { 1 + stripes.count }

  /// Takes samples into one piece; pieces may run at the same time.
  func add(_ samples: [ChannelSample], to piece: Int) {
    if piece == 0 {
      range.withLock { sums in for sample in samples { sums.add(sample.all) } }
    } else {
      stripes[piece - 1].add(samples.map(\.finite))
    }
  }

  /// The statistics of everything taken in; the sums are gone afterwards, so that memory goes down group by group.
  func finish() -> ChannelStatistics {
    let sums = range.withLock { $0 }
    let counts = sums.skipped.map { sums.rows - Int($0) }
    let momentRows = stripes.first?.rows ?? 0
    let moment: Tensor? =
      stripes.isEmpty
      ? nil
      : unsafe Tensor(ChannelStatistics.momentShape(blocks, width: width), of: Double.self) {
        target in
        for stripe in stripes { unsafe stripe.finish(into: target) }
      }
    return ChannelStatistics(
      request: request, blocks: blocks, rows: sums.rows,
      nonFiniteCounts: sums.skipped.map(Int.init),
      minimum: zip(sums.low, counts).map { $1 == 0 ? 0 : $0 },
      maximum: zip(sums.high, counts).map { $1 == 0 ? 0 : $0 },
      mean: zip(sums.sum, counts).map { $1 == 0 ? 0 : $0 / Double($1) },
      meanSquare: zip(sums.squares, counts).map { $1 == 0 ? 0 : $0 / Double($1) },
      momentRows: momentRows, secondMoment: moment, bins: sums.bins)
  }
}

/// Rows of a value, f32 [rows, n], and those of them that are finite.
struct ChannelSample: Sendable {
  let all: Tensor
  let finite: Tensor

  /// The rows of one run's value.
  init(_ tensor: Tensor, _ request: StatisticRequest) {
    if request.contains(.eachElement) {
      all = tensor.reshaped([1, tensor.count])
    } else if request.contains(.outermostAxis) {
      let channels = tensor.shape.first ?? 1
      let rows = channels == 0 ? 0 : tensor.count / channels
      all = unsafe tensor.withElements(as: Float.self) { source in
        unsafe Tensor([rows, channels], of: Float.self) { target in
          for channel in 0..<channels {
            for row in 0..<rows {
              unsafe target[row * channels + channel] = source[channel * rows + row]
            }
          }
        }
      }
    } else {
      all = tensor.reshaped([tensor.rows, tensor.columns])
    }
    finite = request.contains(.secondMoment) ? all.finiteRows() : all
  }
}

/// Ranges, sums and histograms.
private struct RangeSums: Sendable {
  var rows = 0
  var low: [Float]
  var high: [Float]
  var sum: [Double]
  var squares: [Double]
  var skipped: [UInt64]
  var bins: [UInt32]

  init(width: Int, bins hasBins: Bool) {
    low = Array(repeating: .infinity, count: width)
    high = Array(repeating: -.infinity, count: width)
    sum = Array(repeating: 0, count: width)
    squares = sum
    skipped = Array(repeating: 0, count: width)
    bins = Array(repeating: 0, count: hasBins ? width * ChannelStatistics.binCount : 0)
  }

  mutating func add(_ sample: Tensor) {
    rows += sample.rows
    unsafe sample.withElements(as: Float.self) { elements in
      guard let start = elements.baseAddress else { return }
      unsafe irc_channel_range_f32(
        &low, &high, &sum, &squares, &skipped, start, sample.rows, sample.columns)
      if !bins.isEmpty {
        unsafe irc_channel_histogram_f32(&bins, start, sample.rows, sample.columns)
      }
    }
  }
}

/// Some rows of a block of XᵀX from the diagonal on, in double precision.
///
/// Products of floats are exact in double precision, so that the sum over any text is good to about 1e-13: summed in single
/// precision, directions 10⁷ times weaker than the strongest would drown, and a few strong channels beside many weak ones are
/// what calibration is for. It costs what a single-precision product of twice the size costs, of which symmetry saves half.
private final class MomentStripe: Sendable {
  /// Rows of a stripe: enough for a fast product, few enough that little is computed on both sides of the diagonal.
  static let height = 128
  /// Rows of X that are converted at a time.
  private static let batch = 256

  private let range: Range<Int>
  private let block: Range<Int>
  private let width: Int
  private let state: Mutex<(rows: Int, sums: [Double])>

  /// Rows `range` of the block of channels `block`, of `width` that there are.
  init(_ range: Range<Int>, of block: Range<Int>, width: Int) {
    self.range = range
    self.block = block
    self.width = width
    let count = range.count * (block.upperBound - range.lowerBound)
    state = Mutex((0, Array(repeating: 0, count: count)))
  }

  var rows: Int { state.withLock { $0.rows } }

  func add(_ samples: [Tensor]) {
    let columns = block.upperBound - range.lowerBound
    let height = range.count
    var scratch = [Double](repeating: 0, count: Self.batch * columns)
    state.withLock { state in
      for sample in samples {
        state.rows += sample.rows
        for start in stride(from: 0, to: sample.rows, by: Self.batch) {
          let rows = min(Self.batch, sample.rows - start)
          unsafe sample.withElements(as: Float.self) { elements in
            guard let source = elements.baseAddress else { return }
            unsafe irc_columns_f32_to_f64(
              &scratch, source + start * width + range.lowerBound, width, rows, columns)
          }
          unsafe scratch.withUnsafeBufferPointer { x in
            unsafe state.sums.withUnsafeMutableBufferPointer { sums in
              guard let x = x.baseAddress, let sums = sums.baseAddress else { return }
              unsafe Double.multiply(
                m: height, n: columns, k: rows, x, lda: columns, transposeA: true, x, ldb: columns,
                transposeB: false, beta: 1, sums, ldc: columns)
            }
          }
        }
      }
    }
  }

  /// Writes the stripe's mean, and its mirror image, into the blocks, and forgets the sums.
  func finish(into target: UnsafeMutableBufferPointer<Double>) {
    let (rows, sums) = state.withLock { state in
      let taken = state
      state = (0, [])
      return taken
    }
    let columns = block.upperBound - range.lowerBound
    let count = Double(max(rows, 1))
    // Rows of all blocks lie below each other, each as wide as a block.
    let (size, first) = (block.count, block.lowerBound)
    for row in range {
      for column in row..<block.upperBound {
        let place = (row - range.lowerBound) * columns + column - range.lowerBound
        unsafe target[row * size + column - first] = sums[place] / count
        unsafe target[column * size + row - first] = sums[place] / count
      }
    }
  }
}

extension Tensor {
  /// The rows of an f32 matrix that hold only finite numbers; the matrix itself if that is all of them.
  fileprivate func finiteRows() -> Tensor {
    unsafe withElements(as: Float.self) { elements in
      guard let start = elements.baseAddress, unsafe !irc_all_finite_f32(start, count) else {
        return self
      }
      let kept = (0..<rows).filter { unsafe irc_all_finite_f32(start + $0 * columns, columns) }
      return unsafe Tensor([kept.count, columns], of: Float.self) { target in
        guard let target = target.baseAddress else { return }
        for (index, row) in kept.enumerated() {
          unsafe (target + index * columns).update(from: start + row * columns, count: columns)
        }
      }
    }
  }
}
