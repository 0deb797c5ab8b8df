import CKernels
import IRCSupport
public import IRCTensor

/// What calibration learned about a run-time value X of n channels, seen as a matrix [rows, n]: one number for each channel.
///
/// Infinities and NaNs are counted and have no part in the rest.
public struct ChannelStatistics: Sendable {
  /// What was measured.
  public let request: StatisticRequest
  /// Equal parts of the channels that the second moment keeps apart.
  public let blocks: Int
  /// Number of rows seen.
  public let rows: Int
  /// Number of infinities and NaNs in each channel.
  public let nonFiniteCounts: [Int]
  /// Least value of each channel; 0 if none was finite.
  public let minimum: [Float]
  /// Greatest value of each channel; 0 if none was finite.
  public let maximum: [Float]
  /// Mean of each channel; 0 if none was finite.
  public let mean: [Double]
  /// Mean of the squares of each channel; 0 if none was finite.
  public let meanSquare: [Double]
  /// Rows without infinities and NaNs, which are those that `secondMoment` is made of; 0 if that was not asked for.
  public let momentRows: Int
  /// XᵀX / `momentRows`, f64 [n, n], exactly symmetric; nil if it was not asked for.
  ///
  /// With `blocks` b > 1 only the blocks on its diagonal, f64 [b, n/b, n/b].
  public let secondMoment: Tensor?
  /// How many magnitudes lie in each bin, [n, bins]; empty if that was not asked for.
  let bins: [UInt32]

  /// Number n of channels.
  public var width: Int { mean.count }

  /// Largest magnitude of each channel.
  public var absoluteMaximum: [Float] {
    zip(minimum, maximum).map { max(abs($0), abs($1)) }
  }

  /// Number of finite elements of a channel.
  func finiteCount(_ channel: Int) -> Int { rows - nonFiniteCounts[channel] }

  /// For each channel the magnitude that `percent` percent of its elements do not exceed: the smallest with that property, by
  /// nearest rank; nil if quantiles were not asked for.
  ///
  /// Never less than the true value, and for those from 2⁻²⁴ to 2¹⁶ at most 1/16 larger in relation to it; smaller ones may be
  /// given as up to 2⁻²³, and larger ones as the largest magnitude. Exact for 100 percent.
  public func percentile(_ percent: Double) -> [Float]? {
    guard request.contains(.quantiles) else { return nil }
    let share = min(max(percent, 0), 100) / 100
    return absoluteMaximum.enumerated().map { channel, largest in
      let count = finiteCount(channel)
      let rank = min(max(Int((Double(count) * share).rounded(.up)), 1), count)
      var seen = 0
      for bin in 0..<Self.binCount {
        seen += Int(bins[channel * Self.binCount + bin])
        if seen >= rank { return min(irc_channel_bin_edge(bin), largest) }
      }
      return largest
    }
  }

  /// Bins of each channel.
  static let binCount = Int(IRC_CHANNEL_BINS)
}

extension ChannelStatistics {
  /// The statistics of all rows of `parts`: what measuring them in one would have given, up to rounding of mean and second
  /// moment. The parts are added in their order, so that the same list gives the same bits.
  ///
  /// - Throws: `Diagnostic` when there are no parts, or they differ in width or in what was measured.
  public static func pooled(_ parts: [ChannelStatistics]) throws -> ChannelStatistics {
    guard var sum = parts.first else {
      throw Diagnostic(
        "calibration.cannot-pool", "there are no statistics to pool", hint: "give at least one")
    }
    for part in parts.dropFirst() { sum = try sum.adding(part) }
    return sum
  }

  private func adding(_ other: ChannelStatistics) throws -> ChannelStatistics {
    guard width == other.width, request == other.request, blocks == other.blocks else {
      throw Diagnostic(
        "calibration.cannot-pool",
        width == other.width
          ? "statistics that hold different things cannot be pooled"
          : "statistics of \(width) and of \(other.width) channels cannot be pooled",
        hint: "pool values of the same width that were measured with the same request")
    }
    let counts = (0..<width).map { (finiteCount($0), other.finiteCount($0)) }
    /// What two channels have together; one without any finite element has no say.
    func combined<Value>(
      _ path: KeyPath<ChannelStatistics, [Value]>,
      _ combine: (Value, Value, _ counts: (Int, Int)) -> Value
    ) -> [Value] {
      let (mine, others) = (self[keyPath: path], other[keyPath: path])
      return counts.indices.map { index in
        if counts[index].0 == 0 { return others[index] }
        if counts[index].1 == 0 { return mine[index] }
        return combine(mine[index], others[index], counts[index])
      }
    }
    return ChannelStatistics(
      request: request, blocks: blocks, rows: rows + other.rows,
      nonFiniteCounts: zip(nonFiniteCounts, other.nonFiniteCounts).map(+),
      minimum: combined(\.minimum) { a, b, _ in min(a, b) },
      maximum: combined(\.maximum) { a, b, _ in max(a, b) },
      mean: combined(\.mean) { weighted($0, $2.0, $1, $2.1) },
      meanSquare: combined(\.meanSquare) { weighted($0, $2.0, $1, $2.1) },
      momentRows: momentRows + other.momentRows, secondMoment: pooledMoment(other),
      bins: zip(bins, other.bins).map { a, b in
        let (sum, isFull) = a.addingReportingOverflow(b)
        return isFull ? .max : sum
      })
  }

  private func pooledMoment(_ other: ChannelStatistics) -> Tensor? {
    guard let mine = secondMoment, let others = other.secondMoment else { return nil }
    if momentRows == 0 { return others }
    if other.momentRows == 0 { return mine }
    return unsafe mine.withElements(as: Double.self) { a in
      unsafe others.withElements(as: Double.self) { b in
        unsafe Tensor(mine.shape, of: Double.self) { sum in
          for index in 0..<sum.count {
            unsafe sum[index] = weighted(a[index], momentRows, b[index], other.momentRows)
          }
        }
      }
    }
  }
}

/// The mean of two means, each of so many numbers.
private func weighted(_ a: Double, _ countA: Int, _ b: Double, _ countB: Int) -> Double {
  (a * Double(countA) + b * Double(countB)) / Double(countA + countB)
}
