import Foundation
import IRCSupport

extension ContentCache {
  /// One file of the folder that belongs to the cache.
  package struct File: Sendable {
    /// Where it is.
    package let path: String
    /// Its size.
    package let bytes: Int
    /// Nanoseconds since 1970 of the last use.
    package let used: Int
    /// True for an entry that is being written, or was when its process was killed.
    package let isPartial: Bool

    /// Seconds since the last use.
    fileprivate var age: Int { Int(Date().timeIntervalSince1970) - used / 1_000_000_000 }

    /// True for what somebody may still be writing, who would fail without it. Nobody writes an entry for an hour. Asking for the process
    /// would not do: it may be one of another machine.
    var isBeingWritten: Bool { isPartial && age <= PartialFile.patience }
  }

  /// The files of the folder that are entries by their names, half-written ones included; whatever else lies there is not ours to
  /// count or remove.
  package func files() -> [File] {
    func names(_ folder: String) -> [String] {
      ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted()
    }
    func isHexadecimal(_ name: Substring, _ count: Int) -> Bool {
      name.utf8.count == count && name.allSatisfy { $0.isHexDigit && !$0.isUppercase }
    }
    return names(directory).filter { isHexadecimal($0[...], 2) }.flatMap { folder in
      names("\(directory)/\(folder)").compactMap { name -> File? in
        // Half-written ones have a dot in front, and more behind.
        let stem = name.hasPrefix(".") ? name.dropFirst().prefix { $0 != "." } : name[...]
        let path = "\(directory)/\(folder)/\(name)"
        guard isHexadecimal(stem, 62), let file = FileIdentity(path: path) else { return nil }
        return File(
          path: path, bytes: file.size, used: file.modified, isPartial: name.hasPrefix("."))
      }
    }
  }

  /// Removes what processes left that were killed while they wrote, from among files of the folder.
  func removeAbandoned(_ files: [File]) {
    for file in files where file.isPartial && !file.isBeingWritten {
      unsafe unlink(file.path)
    }
  }

  /// Removes entries; what is being written stays.
  ///
  /// - Parameter age: seconds since the last use that an entry must have to be removed; nil for all entries.
  /// - Returns: what was removed.
  package func clear(olderThan age: Int? = nil) -> (entries: Int, bytes: Int) {
    var removed = (entries: 0, bytes: 0)
    for file in files() where !file.isBeingWritten {
      if let age, file.age < age { continue }
      guard unsafe unlink(file.path) == 0 else { continue }
      removed.entries += 1
      removed.bytes += file.bytes
    }
    return removed
  }

  /// The user's folder: `IRC_CACHE_DIR`, else `irc` in `XDG_CACHE_HOME`, else in `~/.cache`; nil where there is none of them.
  package static func standardDirectory(in environment: [String: String]) -> String? {
    func value(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
    if let folder = value("IRC_CACHE_DIR") { return folder }
    // The XDG base directory specification says to ignore relative paths.
    if let folder = value("XDG_CACHE_HOME"), folder.hasPrefix("/") { return folder + "/irc" }
    return value("HOME").map { $0 + "/.cache/irc" }
  }

  /// The user's cache: in `standardDirectory`, with the limit that `IRC_CACHE_SIZE` states; nil where that is 0 or there is no folder.
  ///
  /// - Parameter tell: receives a line for the user when something cannot be kept, the first time only.
  /// - Throws: `Diagnostic` `cache.size` when the limit is no size.
  package static func standard(
    in environment: [String: String], tell: @escaping @Sendable (String) -> Void = { _ in }
  ) throws -> ContentCache? {
    var limit = standardLimit
    if let text = environment["IRC_CACHE_SIZE"], !text.isEmpty {
      guard let size = ByteSize(text) else {
        throw Diagnostic(
          "cache.size", "IRC_CACHE_SIZE is '\(text)', which is no size",
          hint:
            "give a number of bytes, or one with K, M, G or T behind it, as in 500M; 0 for no cache"
        )
      }
      limit = size.bytes
    }
    guard limit > 0, let directory = standardDirectory(in: environment) else { return nil }
    return ContentCache(directory: directory, limit: limit, tell: tell)
  }
}

/// A number of bytes as people write it.
package struct ByteSize: Hashable, Sendable {
  /// The number.
  package let bytes: Int

  /// Reads a whole number, with K, M, G or T behind it for 2¹⁰, 2²⁰, 2³⁰ or 2⁴⁰ bytes; nil if it is none, or does not fit.
  package init?(_ text: String) {
    let shifts: [Character: Int] = ["K": 10, "M": 20, "G": 30, "T": 40]
    let unit = text.last.flatMap { shifts[Character($0.uppercased())] }
    let digits = unit == nil ? text[...] : text.dropLast()
    guard digits.allSatisfy({ $0.isASCII && $0.isNumber }), let number = Int(digits) else {
      return nil
    }
    let (bytes, overflow) = number.multipliedReportingOverflow(by: 1 << (unit ?? 0))
    if overflow { return nil }
    self.bytes = bytes
  }

  /// The number in the largest of these units that it fills, with one decimal.
  package static func text(_ bytes: Int) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"]
    var (value, unit) = (Double(bytes), 0)
    while value >= 1024, unit + 1 < units.count { (value, unit) = (value / 1024, unit + 1) }
    return unit == 0 ? "\(bytes) B" : "\(fixed(value, 1)) \(units[unit])"
  }
}
