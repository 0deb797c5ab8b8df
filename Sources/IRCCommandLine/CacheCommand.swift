import ArgumentParser
import Foundation
import IRCDriver
import IRCSupport

/// `irc cache`: what earlier runs left for later ones.
struct CacheCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "cache", abstract: "Show what earlier runs left for later ones, or clear it.",
    discussion: """
      Results are kept in IRC_CACHE_DIR, else in 'irc' under XDG_CACHE_HOME, else in ~/.cache/irc. IRC_CACHE_SIZE states how many \
      bytes they may take, as in 500M or 20G (5G); with 0 nothing is kept. Beyond it, what was not used for longest goes.
      """, subcommands: [CacheClearCommand.self])

  @OptionGroup var common: CommonOptions

  func run() throws {
    let report = CacheReport(of: try ContentCache.ofUser())
    try common.write(report.json, or: report.text)
  }
}

/// `irc cache clear`: removes entries.
struct CacheClearCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "clear", abstract: "Remove what earlier runs left.",
    discussion: "Runs that go on meanwhile are not disturbed: they compute what they miss.")

  @Option(
    name: .customLong("older-than"),
    help: "Only what was not used for so long, as in 7d: a number and w, d, h, m or s.")
  var age: String?
  @OptionGroup var common: CommonOptions

  func validate() throws {
    if let age, Duration.seconds(in: age) == nil {
      throw ValidationError("--older-than must be a number and w, d, h, m or s, as in 7d")
    }
  }

  func run() throws {
    let cache = try ContentCache.ofUser()
    let removed = cache.clear(olderThan: age.flatMap(Duration.seconds(in:)))
    try common.write(
      .object([
        ("directory", .string(cache.directory)), ("removed", .integer(removed.entries)),
        ("bytes", .integer(removed.bytes)),
      ]),
      or:
        "\(cache.directory): removed \(removed.entries) entries, \(ByteSize.text(removed.bytes))\n")
  }
}

extension ContentCache {
  /// The user's cache.
  ///
  /// - Throws: `Diagnostic` `cache.none` when there is none.
  fileprivate static func ofUser() throws -> ContentCache {
    if let cache = try standard(in: ProcessInfo.processInfo.environment) { return cache }
    throw Diagnostic(
      "cache.none", "nothing is kept: there is no folder for it, or IRC_CACHE_SIZE is 0",
      hint: "name a folder with IRC_CACHE_DIR")
  }
}
