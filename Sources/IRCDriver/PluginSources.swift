import Foundation
import IRCSupport

/// What plugins can be written in.
package enum PluginLanguage: String, CaseIterable, Sendable {
  case swift, c
  case cPlusPlus = "c++"
  case rust

  /// Ends of the names of source files.
  var suffixes: [String] {
    switch self {
    case .swift: [".swift"]
    case .c: [".c"]
    case .cPlusPlus: [".cpp", ".cc", ".cxx"]
    case .rust: [".rs"]
    }
  }
}

/// The source files of a plugin: those in a folder and below its folder `Sources`.
struct PluginSources {
  /// Paths, sorted.
  let files: [String]
  /// What they are written in; C++ if some of them are C.
  let language: PluginLanguage

  /// Looks for sources.
  ///
  /// - Throws: `Diagnostic` `plugin.no-sources`, or `plugin.mixed-sources` when there are some of languages that do not go together.
  init(in folder: String) throws {
    guard isDirectory(folder) else {
      throw Diagnostic(
        "plugin.no-sources", "there is no folder '\(folder)'",
        hint: "'irc plugin new NAME' makes one with a plugin in it")
    }
    let own = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    let below = (try? FileManager.default.subpathsOfDirectory(atPath: folder + "/Sources")) ?? []
    let names = (own + below.map { "Sources/\($0)" }).filter { $0 != "Package.swift" }.sorted()
    var found: [(language: PluginLanguage, files: [String])] = []
    for language in PluginLanguage.allCases {
      let files = names.filter { name in language.suffixes.contains { name.hasSuffix($0) } }
      if !files.isEmpty { found.append((language, files.map { "\(folder)/\($0)" })) }
    }
    guard let last = found.last else {
      throw Diagnostic(
        "plugin.no-sources",
        "there are no files of Swift, C, C++ or Rust in '\(folder)', nor in its folder 'Sources'",
        hint: "'irc plugin new NAME' makes a folder with a plugin in it")
    }
    if found.count > 1, found.map(\.language) != [.c, .cPlusPlus] {
      throw Diagnostic(
        "plugin.mixed-sources",
        "'\(folder)' has sources of \(found.map(\.language.rawValue).joined(separator: " and of "))",
        hint: "keep sources of one language in it, or of C and C++")
    }
    language = last.language
    files = found.flatMap(\.files)
  }
}
