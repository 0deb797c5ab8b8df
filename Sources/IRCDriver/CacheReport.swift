import Foundation
package import IRCSupport

/// What the cache holds: what `irc cache` shows.
package struct CacheReport: Sendable {
  /// Entries of one kind.
  private struct Kind {
    var entries = 0
    var bytes = 0
    /// Nanoseconds since 1970 of the latest and the earliest last use.
    var newest = Int.min
    var oldest = Int.max

    mutating func add(_ file: ContentCache.File) {
      entries += 1
      bytes += file.bytes
      newest = max(newest, file.used)
      oldest = min(oldest, file.used)
    }
  }

  private let cache: ContentCache
  private var kinds: [String: Kind] = [:]
  private var all = Kind()
  private let now = Int(Date().timeIntervalSince1970)

  /// Looks at every entry.
  package init(of cache: ContentCache) {
    self.cache = cache
    for file in cache.files() {
      kinds[Self.kind(of: file), default: Kind()].add(file)
      all.add(file)
    }
  }

  /// What an entry says of itself, without the version.
  private static func kind(of file: ContentCache.File) -> String {
    if file.isPartial { return "unfinished" }
    guard let mapping = try? MappedFile(path: file.path),
      let kind = unsafe CacheEntryForm.kind(of: mapping.bytes.prefix(CacheEntryForm.headSize))
    else { return "unreadable" }
    let words = kind.split(separator: " ")
    return words.count > 1 && Int(words[words.count - 1]) != nil
      ? words.dropLast().joined(separator: " ") : kind
  }

  /// Keys are documented in `docs/commands.md`.
  package var json: JSON {
    .object([
      ("directory", .string(cache.directory)), ("limit", .integer(cache.limit)),
      ("entries", .integer(all.entries)), ("bytes", .integer(all.bytes)),
      (
        "kinds",
        .array(
          kinds.sorted { $0.key < $1.key }.map { name, kind in
            .object([
              ("kind", .string(name)), ("entries", .integer(kind.entries)),
              ("bytes", .integer(kind.bytes)), ("newest_age", .integer(age(kind.newest))),
              ("oldest_age", .integer(age(kind.oldest))),
            ])
          })
      ),
    ])
  }

  /// A table for people.
  package var text: String {
    var text =
      "\(cache.directory): \(all.entries) entries, \(ByteSize.text(all.bytes)) of at most \(ByteSize.text(cache.limit))\n"
    if kinds.isEmpty { return text }
    text += Self.line("kind", "entries", "size", "last used", "to")
    for (name, kind) in kinds.sorted(by: { $0.key < $1.key }) {
      text += Self.line(
        name, "\(kind.entries)", ByteSize.text(kind.bytes),
        "\(Duration.text(age(kind.newest))) ago", "\(Duration.text(age(kind.oldest))) ago")
    }
    return text
  }

  private static func line(
    _ kind: String, _ entries: String, _ size: String, _ newest: String, _ oldest: String
  ) -> String {
    func left(_ text: String, _ width: Int) -> String {
      text + String(repeating: " ", count: max(0, width - text.count))
    }
    func right(_ text: String, _ width: Int) -> String {
      String(repeating: " ", count: max(0, width - text.count)) + text
    }
    return
      "  \(left(kind, 20))  \(right(entries, 8))  \(right(size, 10))  \(right(newest, 12))  \(right(oldest, 12))\n"
  }

  private func age(_ used: Int) -> Int { max(0, now - used / 1_000_000_000) }
}

extension Duration {
  private static let units: [(letter: Character, seconds: Int)] = [
    ("w", 604_800), ("d", 86_400), ("h", 3600), ("m", 60), ("s", 1),
  ]

  /// Seconds in a span of time such as `7d`: a whole number and w, d, h, m or s; nil if it is none.
  package static func seconds(in text: String) -> Int? {
    guard let unit = units.first(where: { $0.letter == text.last }),
      text.dropLast().allSatisfy({ $0.isASCII && $0.isNumber }), let number = Int(text.dropLast())
    else { return nil }
    let (seconds, overflow) = number.multipliedReportingOverflow(by: unit.seconds)
    return overflow ? nil : seconds
  }

  /// Seconds in the largest unit that they fill, rounded down, as in `3d`.
  static func text(_ seconds: Int) -> String {
    let unit = units.dropFirst().first { seconds >= $0.seconds } ?? ("s", 1)
    return "\(seconds / unit.seconds)\(unit.letter)"
  }
}
