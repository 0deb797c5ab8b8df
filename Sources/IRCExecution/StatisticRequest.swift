public import IRCGraph

/// What to measure of a run-time value, channel by channel.
public struct StatisticRequest: OptionSet, Hashable, Sendable {
  public let rawValue: UInt8

  public init(rawValue: UInt8) {
    self.rawValue = rawValue
  }

  /// Least and greatest value, largest magnitude, mean: always measured, since they cost next to nothing.
  public static let range: StatisticRequest = []
  /// XᵀX over the rows X of the value, divided by their number: n² numbers in double precision.
  public static let secondMoment = StatisticRequest(rawValue: 1)
  /// How magnitudes are spread: 2560 bytes for each channel.
  public static let quantiles = StatisticRequest(rawValue: 2)
  /// The channels are the outermost axis instead of the innermost, as those of a recurrent state [channels, states].
  public static let outermostAxis = StatisticRequest(rawValue: 4)
  /// Every element is a channel of its own, and each run of the model one row; for values of a fixed shape.
  public static let eachElement = StatisticRequest(rawValue: 8)
}

/// Values of equally many channels that are measured as one, as if their rows lay below each other.
public struct StatisticGroup: Hashable, Sendable {
  /// The values.
  public var values: [ValueID]
  /// What to measure.
  public var request: StatisticRequest
  /// Equal parts of the channels that a second moment keeps apart; 1 for all channels with all.
  public var blocks: Int

  /// Pools `values`.
  public init(_ values: [ValueID], _ request: StatisticRequest = .range, blocks: Int = 1) {
    self.values = values
    self.request = request
    self.blocks = blocks
  }
}

extension StatisticRequest {
  /// Number of channels of a value; nil if it is not fixed.
  func width(of type: TensorType) -> Int? {
    if contains(.eachElement) { return type.fixedShape?.reduce(1, *) }
    return (contains(.outermostAxis) ? type.shape.first : type.shape.last)?.fixed
  }
}
