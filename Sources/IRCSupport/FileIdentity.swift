import Foundation

/// Which file something was read from, and in which state the file was: enough to know its content again without reading it.
///
/// A change of content changes the time of the last change of the file's status, which no program can set back.
public struct FileIdentity: Hashable, Sendable, CustomStringConvertible {
  /// Number of the device that holds the file.
  public let device: UInt64
  /// Number of the file on its device.
  public let node: UInt64
  /// Bytes in the file.
  public let size: Int
  /// Nanoseconds since 1970 of the last change of the content.
  public let modified: Int
  /// Nanoseconds since 1970 of the last change of content, owner, name or times.
  public let changed: Int

  /// The file at a path, links followed; nil when there is none.
  public init?(path: String) {
    var status = stat()
    guard unsafe stat(path, &status) == 0 else { return nil }
    self.init(status)
  }

  init(_ status: stat) {
    device = UInt64(status.st_dev)
    node = UInt64(status.st_ino)
    size = Int(status.st_size)
    modified = status.st_mtim.nanoseconds
    changed = status.st_ctim.nanoseconds
  }

  /// False for a file that changed so lately that another change might leave the same times behind.
  public var isSettled: Bool {
    var now = timespec()
    guard unsafe clock_gettime(CLOCK_REALTIME, &now) == 0 else { return false }
    return now.nanoseconds - max(modified, changed) > Self.settlingTime
  }

  /// Two seconds: no file system of today keeps coarser times.
  private static let settlingTime = 2_000_000_000

  /// All parts as text.
  public var description: String { "\(device) \(node) \(size) \(modified) \(changed)" }
}

extension timespec {
  /// The time in nanoseconds.
  fileprivate var nanoseconds: Int { Int(tv_sec) * 1_000_000_000 + Int(tv_nsec) }
}
