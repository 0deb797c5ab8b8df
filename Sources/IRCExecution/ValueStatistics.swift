/// What calibration learned about one run-time value: the range of its elements and how their magnitudes are spread.
public struct ValueStatistics: Sendable, Hashable {
  /// Number of finite elements seen.
  public let count: Int
  /// Number of infinities and NaNs seen; they have no part in the rest.
  public let nonFiniteCount: Int
  /// Smallest element; 0 if none was seen.
  public let minimum: Float
  /// Largest element; 0 if none was seen.
  public let maximum: Float
  /// How many magnitudes lie in each bin.
  private let histogram: MagnitudeHistogram

  init(_ histogram: MagnitudeHistogram) {
    self.histogram = histogram
    count = histogram.count
    nonFiniteCount = histogram.nonFiniteCount
    minimum = histogram.count == 0 ? 0 : histogram.minimum
    maximum = histogram.count == 0 ? 0 : histogram.maximum
  }

  /// Stands for statistics that nobody has measured: a value of 1 and one of -1.
  package static let standIn: ValueStatistics = {
    var histogram = MagnitudeHistogram()
    unsafe [-1, 1].withUnsafeBufferPointer { unsafe histogram.add($0) }
    return ValueStatistics(histogram)
  }()

  /// Largest magnitude.
  public var absoluteMaximum: Float { max(abs(minimum), abs(maximum)) }

  /// The magnitude that `percent` percent of the elements do not exceed: the smallest with that property, by nearest rank.
  ///
  /// Never less than the true value, and at most 1/256 larger in relation to it for magnitudes from 2⁻⁴⁰ to 2²⁴; exact for
  /// 100 percent.
  public func percentile(_ percent: Double) -> Float {
    min(histogram.magnitude(atPercent: percent), absoluteMaximum)
  }
}

/// Counts of magnitudes in 256 bins for each power of two: the bins are the same for every text, so that counts add up the
/// same in any order.
struct MagnitudeHistogram: Sendable, Hashable {
  private static let lowestExponent = -40
  private static let octaves = 64
  private static let binsPerOctave = 256
  /// Bits of a float that do not tell bins apart.
  private static let dropped: UInt32 = 15
  private static let offset = (127 + lowestExponent) * binsPerOctave

  private(set) var count = 0
  private(set) var nonFiniteCount = 0
  private(set) var minimum = Float.infinity
  private(set) var maximum = -Float.infinity
  private var bins = [UInt64](repeating: 0, count: octaves * binsPerOctave)

  /// Counts elements.
  mutating func add(_ elements: UnsafeBufferPointer<Float>) {
    var (low, high, skipped) = (minimum, maximum, 0)
    let last = bins.count - 1
    unsafe bins.withUnsafeMutableBufferPointer { bins in
      for index in 0..<elements.count {
        let element = unsafe elements[index]
        guard element.isFinite else {
          skipped += 1
          continue
        }
        low = min(low, element)
        high = max(high, element)
        let bin = Int(element.magnitude.bitPattern >> Self.dropped) - Self.offset
        unsafe bins[min(max(bin, 0), last)] += 1
      }
    }
    minimum = low
    maximum = high
    nonFiniteCount += skipped
    count += elements.count - skipped
  }

  /// The upper edge of the bin of the magnitude that `percent` percent do not exceed.
  func magnitude(atPercent percent: Double) -> Float {
    guard count > 0 else { return 0 }
    let share = min(max(percent, 0), 100) / 100
    let rank = min(max(UInt64((Double(count) * share).rounded(.up)), 1), UInt64(count))
    var seen: UInt64 = 0
    for (index, bin) in bins.enumerated() {
      seen += bin
      if seen >= rank {
        return index == bins.count - 1
          ? .infinity : Float(bitPattern: UInt32(index + 1 + Self.offset) << Self.dropped)
      }
    }
    return .infinity
  }
}
