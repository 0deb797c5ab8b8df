import Foundation
import Synchronization

/// A fresh folder that is removed when the value goes away.
public final class TemporaryFolder: Sendable {
  /// Where it is.
  public let path: String

  /// Makes the folder among the system's temporary files.
  public init() throws {
    let place = FileManager.default.temporaryDirectory
      .appendingPathComponent("irc-test-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
    path = place.path
  }

  /// A folder for what all tests of a process share; removed when that ends.
  public static func untilExit() throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    let isFirst = keptFolders.withLock { kept in
      kept.append(folder)
      return kept.count == 1
    }
    if isFirst { atexit { keptFolders.withLock { $0 = [] } } }
    return folder
  }

  deinit {
    try? FileManager.default.removeItem(atPath: path)
  }

  /// Path of `name` in the folder.
  public func file(_ name: String) -> String { "\(path)/\(name)" }

  /// Writes a file, making the folders above it, and returns its path.
  @discardableResult
  public func write(_ name: String, _ bytes: some Sequence<UInt8>) throws -> String {
    let place = URL(fileURLWithPath: file(name))
    try FileManager.default.createDirectory(
      at: place.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data(bytes).write(to: place)
    return place.path
  }

  /// Writes a text file and returns its path.
  @discardableResult
  public func write(_ name: String, _ text: String) throws -> String {
    try write(name, Array(text.utf8))
  }
}

private let keptFolders = Mutex<[TemporaryFolder]>([])
