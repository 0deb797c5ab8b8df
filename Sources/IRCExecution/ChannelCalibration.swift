public import IRCGraph
public import IRCSupport
import IRCTensor
import Synchronization

/// Where statistics are kept between runs of the program.
///
/// Keys are 64 hexadecimal digits that stand for everything that the statistics depend on but the program itself: a cache that
/// outlives it has to mix in which build it was. What cannot be read counts as absent, and what cannot be stored is forgotten.
public protocol StatisticsCache: Sendable {
  /// What was stored, if it is still there.
  func bytes(for key: String) -> [UInt8]?
  /// Keeps bytes.
  func store(_ bytes: [UInt8], for key: String)
}

/// Measures values over one calibration text and remembers what it has measured.
///
/// Statistics are known by content: the operations that a value is computed from, the elements of their parameters, the token
/// ids and the request. So a graph that a pass changed elsewhere gives the statistics of before without running.
public final class ChannelCalibration: Sendable {
  private let windows: [[Int32]]
  private let cache: (any StatisticsCache)?
  private let progress: (@Sendable (_ done: Int, _ total: Int) -> Void)?
  /// Stands for the token ids and how they are cut.
  public let textFingerprint: SHA256.Digest
  private let fingerprints: ContentFingerprints
  private let memory: Mutex<Memory>

  /// Changes when the same content gives other statistics than before.
  private static let version = "irc channel statistics 3"

  /// Prepares to measure; nothing runs yet.
  ///
  /// - Parameters:
  ///   - windows: token ids, each window read from a fresh state.
  ///   - cache: where statistics are kept beyond this object.
  ///   - fingerprints: what is known of tensors already.
  ///   - memoryLimit: bytes of statistics that this object keeps; the oldest are forgotten first.
  ///   - progress: called after each window with how many have run and how many there are.
  public init(
    windows: [[Int32]], cache: (any StatisticsCache)? = nil,
    fingerprints: ContentFingerprints = ContentFingerprints(), memoryLimit: Int = 1 << 29,
    progress: (@Sendable (_ done: Int, _ total: Int) -> Void)? = nil
  ) {
    self.windows = windows
    self.cache = cache
    self.progress = progress
    self.fingerprints = fingerprints
    memory = Mutex(Memory(limit: memoryLimit))
    var hasher = SHA256()
    hasher.add(windows.count)
    for window in windows {
      hasher.add(window.count)
      unsafe window.withUnsafeBytes { unsafe hasher.add($0) }
    }
    textFingerprint = hasher.digest()
  }

  /// How often the text was run through a network so far.
  public var passCount: Int { memory.withLock { $0.passCount } }

  /// Statistics of groups of values, from one pass over the text at most; see `Calibration.collectChannels`.
  public func statistics(
    of groups: [StatisticGroup], in graph: Graph
  ) throws -> [ChannelStatistics] {
    var parameters: [[UInt8]: SHA256.Digest] = [:]
    let keys = try groups.map { try key(of: $0, in: graph, &parameters) }
    var found: [String: ChannelStatistics] = [:]
    var missing: [(key: String, group: StatisticGroup)] = []
    for (key, group) in zip(keys, groups) where found[key] == nil {
      if let known = known(key, group) {
        found[key] = known
      } else if !missing.contains(where: { $0.key == key }) {
        missing.append((key, group))
      }
    }
    if !missing.isEmpty {
      memory.withLock { $0.passCount += 1 }
      let measured = try Calibration.collectChannels(
        graph, groups: missing.map(\.group), windows: windows, progress: progress)
      for ((key, _), statistics) in zip(missing, measured) {
        found[key] = statistics
        memory.withLock { $0.keep(statistics, for: key) }
        cache?.store(statistics.serialized(), for: key)
      }
    }
    return keys.compactMap { found[$0] }
  }

  private func known(_ key: String, _ group: StatisticGroup) -> ChannelStatistics? {
    if let kept = memory.withLock({ $0[key] }) { return kept }
    guard let bytes = cache?.bytes(for: key),
      let stored = ChannelStatistics(serialized: bytes), stored.request == group.request,
      stored.blocks == group.blocks
    else { return nil }
    memory.withLock { $0.keep(stored, for: key) }
    return stored
  }

  private func key(
    of group: StatisticGroup, in graph: Graph, _ parameters: inout [[UInt8]: SHA256.Digest]
  ) throws -> String {
    var hasher = SHA256()
    hasher.add(Self.version)
    hasher.add(textFingerprint.bytes)
    hasher.add(Int(group.request.rawValue))
    hasher.add(group.blocks)
    try fingerprints.add(graph.part(computing: group.values), to: &hasher, seen: &parameters)
    return hasher.digest().description
  }

  /// Statistics at hand, in the order in which they came.
  private struct Memory: Sendable {
    let limit: Int
    var passCount = 0
    private var entries: [String: ChannelStatistics] = [:]
    private var order: [String] = []
    private var byteCount = 0

    init(limit: Int) {
      self.limit = limit
    }

    subscript(key: String) -> ChannelStatistics? { entries[key] }

    mutating func keep(_ statistics: ChannelStatistics, for key: String) {
      guard statistics.byteCount <= limit, entries.updateValue(statistics, forKey: key) == nil
      else { return }
      order.append(key)
      byteCount += statistics.byteCount
      while byteCount > limit, let oldest = order.first {
        order.removeFirst()
        byteCount -= entries.removeValue(forKey: oldest)?.byteCount ?? 0
      }
    }
  }
}

extension ChannelStatistics {
  /// Bytes of memory, about.
  fileprivate var byteCount: Int { width * 32 + (secondMoment?.byteCount ?? 0) + bins.count * 4 }
}
