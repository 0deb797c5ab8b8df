import Foundation
import IRCSupport
import IRCTestSupport

/// `irc` as 'make install' puts it somewhere, with a plugin that was built by it far from the repository.
struct Installation: Sendable {
  private let folder: TemporaryFolder
  /// The installed program.
  let irc: String
  /// Folder that the plugins' sources are in.
  var plugins: String { folder.file("plugins") }
  /// The plugin made of `Tests/PluginABI/probes`.
  let probes: String

  /// What a run gave that had to work.
  struct Broken: Error, CustomStringConvertible {
    let description: String
  }

  /// The program of `examples/own-compiler`, built with the tests.
  static let ownCompiler =
    URL(fileURLWithPath: Program.path).deletingLastPathComponent().path + "/own-compiler"

  /// Made once for all tests, since installing and building take seconds.
  static let shared = Result { try Installation() }

  private init() throws {
    folder = try TemporaryFolder()
    let prefix = folder.file("prefix")
    irc = prefix + "/bin/irc"
    probes = folder.file("plugins/probes/build/probes.so")
    let made = try Program.run(
      [
        "-C", Workbench.repository, "--no-print-directory", "install-built", "PREFIX=\(prefix)",
        "DESTDIR=", "IRC=\(Program.path)",
      ], executable: "/usr/bin/make", environment: ["MAKEFLAGS": "", "MAKELEVEL": ""])
    if made.code != 0 { throw Broken(description: made.errors) }
    let source = try String(
      contentsOfFile: Workbench.repository + "/Tests/PluginABI/probes/Probes.swift",
      encoding: .utf8)
    try folder.write("plugins/probes/Probes.swift", source)
    let built = try run("plugin", "build", plugins + "/probes")
    if built.code != 0 { throw Broken(description: built.errors) }
  }

  /// Runs the installed program.
  func run(_ arguments: [String], environment: [String: String] = [:]) throws -> Program.Outcome {
    try Program.run(arguments, executable: irc, environment: environment)
  }

  func run(_ arguments: String...) throws -> Program.Outcome { try run(arguments) }

  /// Writes a file beside the plugins' folders.
  func write(_ name: String, _ text: String) throws -> String {
    try folder.write("plugins/" + name, text)
  }

  /// Makes a shared library of C.
  func library(_ name: String, _ source: String) throws -> String {
    let file = try write(name + ".c", source)
    let path = plugins + "/\(name).so"
    let made = try Program.run(
      [
        "-shared", "-fPIC", "-I", Workbench.repository + "/Sources/CIRCPlugin/include", "-o", path,
        file,
      ], executable: "/usr/bin/cc")
    if made.code != 0 { throw Broken(description: made.errors) }
    return path
  }
}
