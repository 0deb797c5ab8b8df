import Foundation
package import IRCPassManager
import IRCSupport

/// Compiles the sources in a folder into a plugin of the running program.
package struct PluginBuilder {
  /// The folder.
  private let folder: String
  /// Where the plugin goes.
  package let output: String
  let sources: PluginSources
  let name: PluginName
  private let compilers: Compilers

  /// Programs that make a library of the sources.
  enum Compilers {
    /// swiftc, and the clang beside it.
    case swift(String, clang: String)
    /// Commands with arguments that always come first; nil if there are no sources of C++.
    case c([String], cPlusPlus: [String]?)
    /// rustc.
    case rust(String)
  }

  /// True if the plugin belongs to one build of the program.
  package var isSwift: Bool { sources.language == .swift }

  /// Looks for sources and compilers.
  ///
  /// - Parameters:
  ///   - folder: has the source files in itself or in a folder `Sources`.
  ///   - output: file to write; nil: `build/NAME.so` in the folder, after the folder's name.
  /// - Throws: `Diagnostic` `plugin.no-sources`, `plugin.mixed-sources`, `plugin.name`, `plugin.no-compiler` or `cc.missing`.
  package init(_ folder: String, output: String? = nil) throws {
    let folder = folder.count > 1 && folder.hasSuffix("/") ? String(folder.dropLast()) : folder
    self.folder = folder
    let name = URL(fileURLWithPath: folder).standardizedFileURL.lastPathComponent
    self.output = output ?? "\(folder)/build/\(name).so"
    sources = try PluginSources(in: folder)
    self.name = try PluginName(name)
    compilers = try Self.compilers(of: sources.language)
  }

  private static func compilers(of language: PluginLanguage) throws -> Compilers {
    switch language {
    case .swift: return try swiftCompilers()
    case .c: return .c(try CCompiler.find().command, cPlusPlus: nil)
    case .cPlusPlus:
      return .c(try CCompiler.find().command, cPlusPlus: try cPlusPlusCompiler())
    case .rust:
      let chosen = ProcessInfo.processInfo.environment["RUSTC"] ?? "rustc"
      if let rustc = CCompiler.locate(chosen) { return .rust(rustc) }
      throw Diagnostic(
        "plugin.no-compiler", "no Rust compiler was found",
        hint: "put rustc on the path, or let RUSTC name it")
    }
  }

  private static func cPlusPlusCompiler() throws -> [String] {
    let chosen = (ProcessInfo.processInfo.environment["CXX"] ?? "").split(separator: " ")
      .map(String.init)
    let names = chosen.first.map { [$0] } ?? ["c++", "g++", "clang++"]
    if let path = names.lazy.compactMap({ CCompiler.locate($0) }).first {
      return [path] + chosen.dropFirst()
    }
    throw Diagnostic(
      "plugin.no-compiler", "no C++ compiler was found",
      hint: "put c++ on the path, or let CXX name it")
  }

  private static func swiftCompilers() throws -> Compilers {
    guard
      let swiftc = CCompiler.locate(ProcessInfo.processInfo.environment["SWIFTC"] ?? "swiftc")
    else {
      throw Diagnostic(
        "plugin.no-compiler", "no Swift compiler was found",
        hint: "put swiftc on the path, or let SWIFTC name it")
    }
    // A toolchain has both; another clang would be another compiler.
    let resolved = URL(fileURLWithPath: swiftc).resolvingSymlinksInPath().path
    let places = [swiftc, resolved].map { ($0 as NSString).deletingLastPathComponent + "/clang" }
    guard let clang = places.compactMap({ CCompiler.locate($0) }).first else {
      throw Diagnostic(
        "plugin.no-compiler", "there is no clang beside '\(swiftc)'",
        hint: "use the whole toolchain from swift.org")
    }
    return .swift(swiftc, clang: clang)
  }

  /// Compiles, loads what came out, and moves it into place.
  ///
  /// An earlier file stays as it is until the new one is known to be good.
  ///
  /// - Parameters:
  ///   - kit: what to compile against.
  ///   - registry: passes that the plugin's go with.
  /// - Returns: the plugin, and what the compiler said about its sources.
  /// - Throws: `Diagnostic` `plugin.build-failed` with what a compiler said, or what loading throws.
  package func build(
    with kit: PluginKit, beside registry: PassRegistry
  ) throws -> (plugin: LoadedPlugin, warnings: String) {
    let scratch = try ScratchFolder()
    let warnings: String
    switch compilers {
    case .swift(let swiftc, let clang):
      warnings = try compileSwift(swiftc, clang, kit, in: scratch.path)
    case .c(let c, let cPlusPlus):
      warnings = try compileC(c, cPlusPlus, kit, in: scratch.path)
    case .rust(let rustc): warnings = try compileRust(rustc, in: scratch.path)
    }
    let library = "\(scratch.path)/plugin.so"
    let plugin = try PluginHost.load(library, as: output)
    _ = try registry.adding(plugin)
    let name = (output as NSString).lastPathComponent
    let place = (output as NSString).deletingLastPathComponent
    let result = OutputFiles(directory: place.isEmpty ? "." : place)
    try result.copy(library, as: name)
    try result.commit()
    return (plugin, warnings)
  }

  private func compileSwift(
    _ swiftc: String, _ clang: String, _ kit: PluginKit, in scratch: String
  ) throws -> String {
    let files = OutputFiles(directory: scratch)
    try files.write("PluginEntry.swift", Self.entry)
    try files.write(
      "table.c",
      """
      #include "irc_plugin.h"
      void irc_plugin_swift_plugins(void *plugins);
      IRC_SWIFT_PLUGIN("\(PluginHost.fingerprint)", irc_plugin_swift_plugins)

      """)
    try files.commit()
    // All paths that are not the sources' are relative: objects carry a hash of what they were made with.
    _ = try run(
      clang,
      ["-std=c11", "-O2", "-fPIC", "-I", kit.headerFolder, "-c", "-o", "table.o", "table.c"],
      in: scratch)
    let warnings = try run(
      swiftc,
      ["-parse-as-library", "-O", "-wmo", "-swift-version", "6", "-module-name", name.type]
        + kit.arguments(scratch: scratch) + ["-c", "-o", "plugin.o"]
        + sources.files.map { URL(fileURLWithPath: $0).path } + ["PluginEntry.swift"],
      in: scratch)
    _ = try run(
      swiftc,
      ["-emit-library", "-module-name", name.type, "-Xlinker", "-soname=\(name.type)"]
        + ["-o", "plugin.so", "plugin.o", "table.o"],
      in: scratch)
    return warnings
  }

  /// The one function that is called from outside; `plugins` is the plugin's own.
  private static let entry = """
    import IRCPassKit

    @c(irc_plugin_swift_plugins)
    public func pluginContents(_ list: UnsafeMutableRawPointer) {
      list.assumingMemoryBound(to: [any Plugin.Type].self).pointee = plugins
    }

    """

  /// Runs a compiler, and returns what it said.
  func run(
    _ program: String, _ arguments: [String], in folder: String
  ) throws -> String {
    let process = Process()
    process.currentDirectoryURL = URL(fileURLWithPath: folder)
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = arguments
    let output = Pipe()
    process.standardError = output
    process.standardOutput = output
    process.standardInput = FileHandle.nullDevice
    do {
      try process.run()
    } catch {
      throw Diagnostic(
        "plugin.no-compiler", "'\(program)' cannot be run: \(error.localizedDescription)")
    }
    let bytes = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    let said = String(decoding: bytes, as: UTF8.self)
    if process.terminationStatus == 0 { return said }
    let lines = said.split(separator: "\n").map(String.init)
    throw Diagnostic(
      "plugin.build-failed", "the plugin in '\(self.folder)' does not compile",
      hint: Self.hint(said),
      notes: lines.prefix(40) + (lines.count > 40 ? ["and \(lines.count - 40) lines more"] : []))
  }

  /// What to do about the errors that do not tell it themselves.
  private static func hint(_ said: String) -> String? {
    if said.contains("cannot find 'plugins' in scope") {
      return "say what it adds: 'let plugins: [any Plugin.Type] = [MyPass.self]'"
    }
    if said.contains("missing required module 'CBLAS'") || said.contains("cblas.h") {
      return "the kit needs the headers of OpenBLAS: 'apt-get install libopenblas-dev'"
    }
    if said.contains(/module compiled with Swift|was created by (a different|an older|a newer)/) {
      return "use the Swift toolchain that built irc"
    }
    return nil
  }
}
