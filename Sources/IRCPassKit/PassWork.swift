import IRCExecution

/// What running a pass takes, as far as sizes tell it before: `irc lower --dry-run` estimates time and memory from it.
public struct PassWork: Hashable, Sendable {
  /// Tokens that go through the whole network, those of all its runs together.
  public var networkTokens: Int
  /// Multiply-adds of products and decompositions of matrices, those of running the network left out.
  public var multiplyAdds = 0.0
  /// How often an element of a weight is rounded, or looked at in a similar way.
  public var roundings = 0.0
  /// Bytes that are held at a time, those of running the network left out.
  public private(set) var bytes = 0
  /// True if there is more to do, whose amount depends on data.
  public var isLeast: Bool

  /// Ranges that are tried where the one with the least rounding error is searched for.
  public static let triedRanges = 25.0

  /// Counts runs of the network.
  public init(networkTokens: Int = 0, isLeast: Bool = false) {
    self.networkTokens = networkTokens
    self.isLeast = isLeast
  }

  /// Says that so many bytes are held at a time.
  public mutating func hold(_ bytes: Int) { self.bytes = max(self.bytes, bytes) }

  /// Adds what measuring values with so many channels each takes, with their second moments or without: one run of the network over
  /// the calibration text, or as many as there are batches of second moments (`batches(size:)`).
  ///
  /// - Parameter bytesForPair: bytes for each pair of channels by which the pass makes its batches.
  public mutating func measure(
    _ channels: [Int], tokens: Int, moments: Bool = false, bytesForPair: Int = 8
  ) {
    if channels.isEmpty { return }
    let runs = moments ? channels.batches { bytesForPair * $0 * $0 } : [channels]
    networkTokens += runs.count * tokens
    for run in runs {
      let samples = run.reduce(0) { $0 + 4 * $1 * tokens }
      let squares = run.reduce(0) { $0 + $1 * $1 }
      if moments { multiplyAdds += Double(tokens) * Double(squares) }
      hold(min(samples, Calibration.sampleLimit) + (moments ? 12 * squares : 0))
    }
  }

  /// Adds the work of a part that runs by itself.
  public mutating func add(_ part: PassWork) {
    networkTokens += part.networkTokens
    multiplyAdds += part.multiplyAdds
    roundings += part.roundings
    isLeast = isLeast || part.isLeast
    hold(part.bytes)
  }

  /// Adds a decomposition of a matrix, with so many multiply-adds for each product of its sides and the shorter of them.
  public mutating func decompose(_ rows: Int, _ columns: Int, times factor: Double = 8) {
    let (rows, columns) = (Double(rows), Double(columns))
    multiplyAdds += factor * rows * columns * min(rows, columns)
  }
}
