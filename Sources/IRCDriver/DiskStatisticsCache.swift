import IRCExecution
import IRCSupport

/// Keeps calibration statistics between runs of the program.
struct DiskStatisticsCache: StatisticsCache {
  let basis: ResultBasis

  func bytes(for key: String) -> [UInt8]? { basis.cache.get(contentKey(key)) }

  func store(_ bytes: [UInt8], for key: String) {
    basis.keep { try basis.cache.put(bytes, for: contentKey(key)) }
  }

  private func contentKey(_ key: String) -> ContentKey {
    ContentKey("channel-statistics 1", ["maker": basis.maker, "statistics": key])
  }
}
