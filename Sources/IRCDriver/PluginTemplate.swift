import Foundation
import IRCPassManager
import IRCSupport

/// The name of a plugin, as files and passes have it, and as Swift has it.
package struct PluginName: Sendable {
  /// In kebab-case.
  package let kebab: String
  /// The same in the way of Swift's types: `my-pass` is `MyPass`.
  package let type: String

  /// Checks a name.
  ///
  /// - Throws: `Diagnostic` `plugin.name`.
  package init(_ text: String) throws {
    let words = text.split(whereSeparator: { $0 == "-" || $0 == "_" || $0 == "." })
    let isPlain = text.unicodeScalars.allSatisfy {
      $0.isASCII
        && ($0.properties.isAlphabetic || ("0"..."9").contains($0) || "-_.".contains(Character($0)))
    }
    let type = words.map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined()
    guard isPlain, type.first?.isLetter == true, text.utf8.count <= 100,
      !PluginKit.moduleNames.contains(type)
    else {
      throw Diagnostic(
        "plugin.name", "'\(text)' cannot name a plugin",
        hint: "use small letters, digits and '-', a letter first, as in 'my-pass'")
    }
    self.type = type
    kebab = words.joined(separator: "-").lowercased()
  }
}

/// A folder with a plugin to begin with: a pass that works, a test and how to go on.
package struct PluginTemplate {
  let name: PluginName
  private let folder: String
  let language: PluginLanguage
  /// What 'irc plugin build' calls the file, after the folder.
  var folderName: String { URL(fileURLWithPath: folder).standardizedFileURL.lastPathComponent }

  /// Prepares a plugin of that name.
  ///
  /// - Parameter folder: where to put it; nil: a folder of that name.
  /// - Throws: `Diagnostic` `plugin.name` or, when there is something already, `plugin.exists`.
  package init(
    _ name: String, folder: String? = nil, language: PluginLanguage = .swift
  ) throws {
    self.language = language
    self.name = try PluginName(name)
    if self.name.kebab != name {
      throw Diagnostic(
        "plugin.name", "'\(name)' cannot name a pass", hint: "name it '\(self.name.kebab)'")
    }
    self.folder = folder ?? name
    let present = try? FileManager.default.contentsOfDirectory(atPath: self.folder)
    if present?.isEmpty == false
      || (present == nil && FileManager.default.fileExists(atPath: self.folder))
    {
      throw Diagnostic(
        "plugin.exists", "'\(self.folder)' is there already and not empty",
        hint: "name another folder with -o")
    }
  }

  /// Writes the files.
  ///
  /// - Parameter executable: path of the program, whose interface a plugin in Rust has a copy of.
  /// - Returns: their paths.
  /// - Throws: `Diagnostic` `output.unwritable`, or of a kit that is not there.
  package func write(executable: String) throws -> [String] {
    let top = OutputFiles(directory: folder)
    let tests = OutputFiles(directory: folder + "/tests")
    for (name, text) in topFiles { try top.write(name, text) }
    for (name, text) in testFiles { try tests.write(name, text) }
    if language == .rust {
      let headers = try PluginKit(executable: executable).headerFolder
      try top.copy(headers + "/irc_plugin.rs", as: "irc_plugin.rs")
    }
    return try top.commit().map { "\(folder)/\($0)" }
      + tests.commit().map { "\(folder)/tests/\($0)" }
  }

  /// The file with the pass.
  var sourceName: String {
    switch language {
    case .swift: "\(name.type).swift"
    case .c: "\(name.kebab).c"
    case .cPlusPlus: "\(name.kebab).cpp"
    case .rust: "lib.rs"
    }
  }

  private var topFiles: [(String, String)] {
    let source =
      switch language {
      case .swift: pass
      case .c, .cPlusPlus: cPass
      case .rust: rustPass
      }
    return [
      (sourceName, source), ("README.md", readme),
      ("test.sh", script), (".gitignore", "build/\n"),
    ]
  }

  private var testFiles: [(String, String)] {
    language == .swift
      ? [("before.irc", Self.before), ("after.irc", after)]
      : [("before.irc", Self.cBefore), ("after.irc", cAfter)]
  }
}
