import IRCExecution
import IRCSupport

/// Keeps calibration statistics between runs of the program.
struct DiskStatisticsCache: StatisticsCache {
  private let cache: ContentCache
  private let program: String

  /// Statistics of this very build; nil where there is no cache, or the program cannot be read.
  init?(_ cache: ContentCache?) {
    guard let cache, let digest = try? FileDigests.digestOfProgram() else { return nil }
    self.cache = cache
    program = digest.description
  }

  func bytes(for key: String) -> [UInt8]? { cache.get(contentKey(key)) }

  func store(_ bytes: [UInt8], for key: String) {
    // What cannot be stored is measured again.
    try? cache.put(bytes, for: contentKey(key))
  }

  private func contentKey(_ key: String) -> ContentKey {
    ContentKey("channel-statistics", ["program": program, "statistics": key])
  }
}
