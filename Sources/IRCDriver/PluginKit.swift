import Foundation
import IRCPassManager
import IRCSupport

/// What plugins are compiled against: the modules that a pass sees, the C modules that these are made of, and `irc_plugin.h`.
///
/// It belongs to one build of the program, the one that loads the plugins. An installed program has it in `../lib/irc`; from a build
/// folder it is taken where the build put it.
package struct PluginKit: Sendable {
  /// The modules, in which everything lies that `IRCPassKit` gives to a pass.
  package static let moduleNames = [
    "IRCCodegen", "IRCExecution", "IRCGraph", "IRCOps", "IRCPassKit", "IRCQuant", "IRCSupport",
    "IRCTensor",
  ]
  /// Folders with a module map and headers.
  static let cModules = ["CBLAS", "CKernels/include", "CSHA256/include", "CIRCPlugin/include"]

  /// Folder with `*.swiftmodule`.
  let modules: String
  /// Folder with the folders of `cModules`.
  let headers: String

  /// Finds the kit of the running program.
  ///
  /// - Parameter executable: path of the program.
  /// - Throws: `Diagnostic` `plugin.no-kit` when there is none, `plugin.other-kit` when what is there belongs to another build.
  package init(executable: String) throws {
    let program = URL(fileURLWithPath: executable).resolvingSymlinksInPath()
    let folder = program.deletingLastPathComponent()
    let installed = folder.appendingPathComponent("../lib/irc").standardizedFileURL.path
    if FileManager.default.fileExists(atPath: installed + "/kit.json") {
      let kit = try JSONValue(reading: installed + "/kit.json")
      guard try kit["fingerprint"].string() == PluginHost.fingerprint else {
        throw Diagnostic(
          "plugin.other-kit", "what is in '\(installed)' belongs to another build of irc",
          hint: "install irc again, with everything that 'make install' copies")
      }
      modules = installed + "/modules"
      headers = installed + "/include"
      return
    }
    modules = folder.path + "/Modules"
    // The sources that this file was compiled from: a build folder may lie anywhere.
    headers =
      URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().path
    guard isThere else {
      throw Diagnostic(
        "plugin.no-kit", "there is nothing to compile plugins against beside '\(program.path)'",
        hint: "'make install' puts it into lib/irc")
    }
    try checkModules(areNotNewerThan: program.path)
  }

  private var isThere: Bool {
    (Self.moduleNames.map(modulePath) + Self.cModules.map { "\(headers)/\($0)" })
      .allSatisfy { FileManager.default.fileExists(atPath: $0) }
  }

  private func modulePath(_ name: String) -> String { "\(modules)/\(name).swiftmodule" }

  /// A module that was compiled after the program was linked is not what the program is made of.
  private func checkModules(areNotNewerThan program: String) throws {
    func time(_ path: String) throws -> Int {
      guard let identity = FileIdentity(path: path) else {
        throw Diagnostic("file.unreadable", "cannot read '\(path)': \(systemMessage(errno))")
      }
      return identity.modified
    }
    let linked = try time(program)
    for path in Self.moduleNames.map(modulePath) where try time(path) > linked {
      throw Diagnostic(
        "plugin.other-kit", "'\(path)' is newer than the program '\(program)'",
        hint: "build irc again, so that both belong together")
    }
  }

  /// Copies the kit into a folder, for an installation.
  ///
  /// - Throws: `Diagnostic` `output.unwritable`.
  package func export(to folder: String) throws {
    let copied = OutputFiles(directory: folder + "/modules")
    for name in Self.moduleNames { try copied.copy(modulePath(name), as: "\(name).swiftmodule") }
    try copied.commit()
    for module in Self.cModules {
      let output = OutputFiles(directory: "\(folder)/include/\(module)")
      let source = "\(headers)/\(module)"
      for name in try FileManager.default.contentsOfDirectory(atPath: source).sorted()
      where name.hasSuffix(".h") || name.hasSuffix(".rs") || name == "module.modulemap" {
        try output.copy("\(source)/\(name)", as: name)
      }
      try output.commit()
    }
    // Last, since it vouches for the rest.
    let output = OutputFiles(directory: folder)
    let description = JSON.object([
      ("irc", .string(CompilerEnvironment.version)),
      ("fingerprint", .string(PluginHost.fingerprint)),
    ])
    try output.write("kit.json", description.serialized(indent: 2) + "\n")
    try output.commit()
  }

  /// Arguments by which the Swift compiler finds the kit and nothing else of the compiler.
  ///
  /// - Parameter scratch: the folder that the compiler runs in, for links to the modules.
  func arguments(scratch: String) throws -> [String] {
    let folder = scratch + "/modules"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    for name in Self.moduleNames {
      try FileManager.default.createSymbolicLink(
        atPath: "\(folder)/\(name).swiftmodule", withDestinationPath: modulePath(name))
    }
    return ["-I", "modules"] + Self.cModules.dropLast().flatMap { ["-I", "\(headers)/\($0)"] }
  }

  /// Folder with `irc_plugin.h` and `irc_plugin.rs`.
  package var headerFolder: String { "\(headers)/CIRCPlugin/include" }
}

extension OutputFiles {
  /// Stages a copy of a file.
  ///
  /// - Throws: `Diagnostic` when it cannot be read or written.
  func copy(_ source: String, as name: String) throws {
    let original = try MappedFile(path: source)
    defer { withExtendedLifetime(original) {} }
    let file = try open(name)
    try unsafe file.append(original.bytes)
    try file.close()
  }
}
