import Foundation
import IRCSupport
import Synchronization

/// Results on disk under the hash of what they depend on, so that what was computed once is not computed again.
///
/// An entry is a file of its own that appears in one step, so processes may share the folder and may race: whoever is last wins,
/// with the same bytes. A damaged entry is as good as none.
package final class ContentCache: Sendable {
  /// Where the entries are.
  package let directory: String
  private let limit: Int
  /// Bytes in the folder, as far as this process knows; nil before they were counted.
  private let total = Mutex<Int?>(nil)

  /// Bytes of all entries together, by default.
  package static let standardLimit = 1 << 30
  private static let magic = Array("irc cache entry 1\n".utf8)

  /// Uses a folder, which is made when something is put into it.
  ///
  /// - Parameter limit: bytes of all entries together; beyond it, those that were not used for longest go.
  package init(directory: String, limit: Int = standardLimit) {
    self.directory = directory
    self.limit = limit
  }

  /// The user's folder: `IRC_CACHE_DIR`, else `irc` in `XDG_CACHE_HOME`, else in `~/.cache`; nil where there is none of them.
  package static func standardDirectory(in environment: [String: String]) -> String? {
    func value(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
    if let folder = value("IRC_CACHE_DIR") { return folder }
    // The XDG base directory specification says to ignore relative paths.
    if let folder = value("XDG_CACHE_HOME"), folder.hasPrefix("/") { return folder + "/irc" }
    return value("HOME").map { $0 + "/.cache/irc" }
  }

  /// The bytes that were put under a key; nil if there are none or they are damaged.
  package func get(_ key: ContentKey) -> [UInt8]? {
    let path = path(of: key)
    guard let file = try? MappedFile(path: path) else { return nil }
    let entry = unsafe [UInt8](file.bytes)
    let head = ContentCache.magic.count + 32
    guard entry.count >= head, entry.starts(with: ContentCache.magic) else { return nil }
    let bytes = Array(entry[head...])
    guard entry[ContentCache.magic.count..<head].elementsEqual(Self.seal(bytes, key)) else {
      return nil
    }
    // What is used stays longest. A folder that cannot be written to is no reason to compute again.
    _ = unsafe utimensat(AT_FDCWD, path, nil, 0)
    return bytes
  }

  /// Keeps bytes under a key, in place of what was there.
  ///
  /// - Throws: `Diagnostic` `output.unwritable`; results do not depend on it, so a caller may go on.
  package func put(_ bytes: [UInt8], for key: ContentKey) throws {
    let entry = ContentCache.magic + Self.seal(bytes, key) + bytes
    if entry.count > limit { return }
    let place = path(of: key) as NSString
    let files = OutputFiles(directory: place.deletingLastPathComponent)
    let file = try files.open(place.lastPathComponent)
    try unsafe entry.withUnsafeBytes { try unsafe file.append($0) }
    try file.close()
    try files.commit()
    let isOver = total.withLock { total in
      let sum = total.map { $0 + entry.count } ?? size(of: entries())
      total = sum
      return sum > limit
    }
    if isOver { trim() }
  }

  /// What vouches for an entry: it belongs to this key and is complete.
  private static func seal(_ bytes: [UInt8], _ key: ContentKey) -> [UInt8] {
    var hash = SHA256()
    hash.add(key.digest.bytes)
    hash.add(bytes)
    return hash.digest().bytes
  }

  private func path(of key: ContentKey) -> String {
    let name = key.digest.description
    return "\(directory)/\(name.prefix(2))/\(name.dropFirst(2))"
  }

  // MARK: - Size

  private struct Entry {
    var path: String
    var bytes: Int
    /// Nanoseconds since 1970 of the last use.
    var used: Int
  }

  /// The files of the folder that are entries by their names; whatever else lies there is not ours to count or remove.
  private func entries() -> [Entry] {
    func names(_ folder: String) -> [String] {
      ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted()
    }
    func isHexadecimal(_ name: Substring, _ count: Int) -> Bool {
      name.utf8.count == count && name.allSatisfy { $0.isHexDigit && !$0.isUppercase }
    }
    return names(directory).filter { isHexadecimal($0[...], 2) }.flatMap { folder in
      names("\(directory)/\(folder)").compactMap { name -> Entry? in
        // Half-written ones of processes that died have a dot in front and the process behind.
        let stem = name.hasPrefix(".") ? name.dropFirst().prefix { $0 != "." } : name[...]
        guard isHexadecimal(stem, 62) else { return nil }
        let path = "\(directory)/\(folder)/\(name)"
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { return nil }
        return Entry(path: path, bytes: Int(status.st_size), used: status.modified)
      }
    }
  }

  private func size(of entries: [Entry]) -> Int { entries.reduce(0) { $0 + $1.bytes } }

  /// Removes the entries that were not used for longest, until an eighth of the limit is free.
  private func trim() {
    total.withLock { total in
      let entries = entries().sorted { ($0.used, $0.path) < ($1.used, $1.path) }
      var sum = size(of: entries)
      for entry in entries where sum > limit - limit / 8 {
        // Another process may have been faster, which is as well.
        unsafe unlink(entry.path)
        sum -= entry.bytes
      }
      total = sum
    }
  }
}

extension stat {
  /// Nanoseconds since 1970 of the last change.
  var modified: Int { Int(st_mtim.tv_sec) * 1_000_000_000 + Int(st_mtim.tv_nsec) }
}
