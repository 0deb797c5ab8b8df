import Foundation
import IRCSupport
import Synchronization

/// Results on disk under the hash of what they depend on, so that what was computed once is not computed again.
///
/// An entry is a file of its own that appears in one step, so processes may share the folder and may race: whoever is last wins,
/// with the same bytes. A process may be killed at any moment; what it left half-written is never read. A damaged entry is as
/// good as none.
package final class ContentCache: Sendable {
  /// Where the entries are.
  package let directory: String
  /// Bytes of all entries together at most.
  package let limit: Int
  /// Bytes in the folder, as far as this process knows; nil before they were counted.
  private let total = Mutex<Total?>(nil)
  /// Receives a line for the user when something cannot be kept, the first time only.
  private let tell: @Sendable (String) -> Void
  private let isTold = Mutex(false)

  private struct Total {
    /// Bytes when the files were last looked at.
    var counted: Int
    /// Bytes that this process has added since. What others did shows only when the files are looked at again.
    var added = 0
  }

  /// Bytes of all entries together, by default: 5 GiB.
  package static let standardLimit = 5 << 30

  /// Uses a folder, which is made when something is put into it.
  ///
  /// - Parameters:
  ///   - limit: bytes of all entries together; beyond it, those that were not used for longest go.
  ///   - tell: receives a line for the user when something cannot be kept, the first time only.
  package init(
    directory: String, limit: Int = standardLimit,
    tell: @escaping @Sendable (String) -> Void = { _ in }
  ) {
    self.directory = directory
    self.limit = limit
    self.tell = tell
  }

  /// The entry that was put under a key; nil if there is none or it is damaged.
  package func entry(_ key: ContentKey) -> CacheEntry? {
    let path = path(of: key)
    guard let entry = CacheEntry(path, of: key) else { return nil }
    // What is used stays longest. A folder that cannot be written to is no reason to compute again.
    _ = unsafe utimensat(AT_FDCWD, path, nil, 0)
    return entry
  }

  /// The bytes that were put under a key; nil if there are none or they are damaged.
  package func get(_ key: ContentKey) -> [UInt8]? {
    unsafe entry(key)?.withBytes { unsafe [UInt8]($0) }
  }

  /// Keeps what `body` puts. Where that fails, the user is told once, and nothing else comes of it: results do not depend on it.
  package func keep(_ body: () throws -> Void) {
    do {
      try body()
    } catch {
      let isFirst = isTold.withLock { isTold in
        defer { isTold = true }
        return !isTold
      }
      let reason = (error as? Diagnostic)?.message ?? "\(error)"
      if isFirst { tell("results are not kept for later runs: \(reason)") }
    }
  }

  /// Keeps bytes under a key, in place of what was there.
  ///
  /// - Throws: `Diagnostic` `cache.unwritable`; see `keep`.
  package func put(_ bytes: [UInt8], for key: ContentKey) throws {
    try put(byteCount: bytes.count, for: key) { writer in
      try unsafe bytes.withUnsafeBytes { try unsafe writer.append($0) }
    }
  }

  /// Keeps under a key what `write` appends, in place of what was there; nothing happens if it is larger than the whole cache may be.
  ///
  /// - Parameter byteCount: bytes that will be appended, about.
  /// - Throws: `Diagnostic` `cache.unwritable`, and what `write` throws.
  package func put(
    byteCount: Int, for key: ContentKey, _ write: (inout CacheEntryWriter) throws -> Void
  ) throws {
    guard byteCount + CacheEntryForm.overhead <= limit,
      let head = CacheEntryForm.head(of: key.kind)
    else { return }
    let place = path(of: key)
    let folder = (place as NSString).deletingLastPathComponent
    do {
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    } catch {
      throw Diagnostic("cache.unwritable", "cannot make the folder '\(folder)'", hint: Self.hint)
    }
    let name = (place as NSString).lastPathComponent
    // Threads and processes of other machines may write the same entry at the same time.
    let temporary = "\(folder)/\(PartialFile.name(of: name))"
    let descriptor = unsafe open(temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw Self.unwritable(temporary, errno) }
    defer { close(descriptor) }
    do {
      var writer = CacheEntryWriter(descriptor, shownAs: temporary)
      try unsafe head.withUnsafeBytes { try unsafe writer.write($0) }
      try write(&writer)
      // What the disk has is what the seal vouches for.
      let file = try MappedFile(path: temporary)
      let content = unsafe UnsafeRawBufferPointer(rebasing: file.bytes.dropFirst(head.count))
      let seal = try unsafe CacheEntryForm.seal(content, key)
      try unsafe seal.withUnsafeBytes { try unsafe writer.write($0) }
      guard unsafe rename(temporary, place) == 0 else { throw Self.unwritable(place, errno) }
      count(writer.count + CacheEntryForm.overhead)
    } catch {
      unsafe unlink(temporary)
      throw error
    }
  }

  private static let hint = "choose another folder with IRC_CACHE_DIR, or free space"

  static func unwritable(_ path: String, _ code: Int32) -> Diagnostic {
    Diagnostic("cache.unwritable", "cannot write '\(path)': \(systemMessage(code))", hint: hint)
  }

  private func path(of key: ContentKey) -> String {
    let name = key.digest.description
    return "\(directory)/\(name.prefix(2))/\(name.dropFirst(2))"
  }

  // MARK: - Size

  /// Takes note of an entry that was added, and makes room if that was too much.
  ///
  /// Each process may add a sixteenth of the limit before it counts what others have added.
  private func count(_ bytes: Int) {
    let isOver = total.withLock { total in
      if var known = total, known.added + bytes <= limit / 16 {
        known.added += bytes
        total = known
        return known.counted + known.added > limit
      }
      let files = files()
      removeAbandoned(files)
      let sum = files.reduce(0) { $0 + $1.bytes }
      total = Total(counted: sum)
      return sum > limit
    }
    if isOver { trim() }
  }

  /// Removes the entries that were not used for longest, until an eighth of the limit is free.
  private func trim() {
    total.withLock { total in
      let files = files().sorted { ($0.used, $0.path) < ($1.used, $1.path) }
      var sum = files.reduce(0) { $0 + $1.bytes }
      for file in files where sum > limit - limit / 8 && !file.isBeingWritten {
        // Another process may have been faster, which is as well.
        unsafe unlink(file.path)
        sum -= file.bytes
      }
      total = Total(counted: sum)
    }
  }
}
