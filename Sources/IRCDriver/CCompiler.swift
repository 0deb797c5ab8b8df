import Foundation
package import IRCCodegen
import IRCSupport
import Synchronization

/// The system's C compiler, for running what was emitted.
package struct CCompiler: Sendable, Hashable {
  /// Path of the program, then arguments that always come first.
  package let command: [String]

  /// Takes a compiler that is known to be there.
  package init(command: [String]) {
    self.command = command
  }

  /// Finds the compiler by an environment, the process's own by default: `$CC` if it is set, else the first of cc, gcc and clang on the path.
  ///
  /// - Throws: `Diagnostic` `cc.missing`.
  package static func find(
    environment: [String: String]? = nil
  ) throws -> CCompiler {
    let environment = environment ?? ProcessInfo.processInfo.environment
    let chosen = (environment["CC"] ?? "").split(separator: " ").map(String.init)
    if let name = chosen.first {
      guard let path = locate(name, environment) else {
        throw Diagnostic(
          "cc.missing", "the C compiler '\(name)' that CC names was not found",
          hint: "unset CC or set it to a compiler on the path")
      }
      return CCompiler(command: [path] + chosen.dropFirst())
    }
    for name in ["cc", "gcc", "clang"] {
      if let path = locate(name, environment) { return CCompiler(command: [path]) }
    }
    throw Diagnostic(
      "cc.missing", "no C compiler was found (cc, gcc or clang)",
      hint: "install one, for example with 'apt-get install gcc', or set CC")
  }

  /// Path of a program on the path; nil if it is not there.
  package static func locate(
    _ name: String, _ environment: [String: String]? = nil
  ) -> String? {
    let environment = environment ?? ProcessInfo.processInfo.environment
    let folders =
      name.contains("/")
      ? [""] : (environment["PATH"] ?? "/usr/bin:/bin").split(separator: ":").map { "\($0)/" }
    return folders.map { $0 + name }.first { path in
      var isFolder: ObjCBool = false
      return unsafe FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
        && !isFolder.boolValue && FileManager.default.isExecutableFile(atPath: path)
    }
  }

  /// What the library in `folder` should be compiled with: what its file for pkg-config says, which knows of its threads as well;
  /// without one, what the machine wants.
  static func flags(_ names: ArtifactNames, in folder: String, target: Target) -> [String] {
    let lines = (try? String(contentsOfFile: "\(folder)/\(names.pkgConfig)", encoding: .utf8)) ?? ""
    let flags = lines.split(separator: "\n").first { $0.hasPrefix("cflags=") }
    return flags?.dropFirst("cflags=".count).split(separator: " ").map(String.init)
      ?? target.compilerFlags(.none)
  }

  /// Compiles the library in `folder` into the shared object `path`.
  ///
  /// - Parameters:
  ///   - cache: where objects are kept: kernels are the same for every model of a name, so most have been compiled before.
  ///   - reporter: is told of the files that are compiled.
  /// - Throws: `Diagnostic` `cc.failed` with what the compiler said.
  package func compileSharedObject(
    _ names: ArtifactNames, in folder: String, target: Target, to path: String,
    cache: ContentCache? = nil, reporter: Reporter? = nil
  ) throws {
    let sources = try CCompiler.sources(names, in: folder)
    let flags = CCompiler.flags(names, in: folder, target: target) + ["-fPIC"]
    let known = try cache.map { try ObjectCache($0, of: self, flags, includedFrom: folder) }
    let workplace = path + ".objects"
    do {
      try FileManager.default.createDirectory(
        atPath: workplace, withIntermediateDirectories: true)
    } catch {
      throw Diagnostic(
        "file.unwritable", "cannot make the temporary folder '\(workplace)'",
        hint: "make room there, or let TMPDIR name another folder")
    }
    defer { try? FileManager.default.removeItem(atPath: workplace) }
    let files = sources.enumerated().map { index, name in
      (source: "\(folder)/\(name)", object: "\(workplace)/\(index).o")
    }
    let isKnown = try Parallel.map(files.count) { index in
      try known?.copy(of: files[index].source, to: files[index].object) == true
    }
    let unknown = zip(files, isKnown).filter { !$1 }.map(\.0)
    let done = Mutex(0)
    reporter?.progress("compile", 0, of: unknown.count)
    try Parallel.forEach(unknown.count) { index in
      let (source, object) = unknown[index]
      try run(flags + ["-c", "-o", object, source])
      known?.keep(object, of: source)
      // Counted and told in one, so that no lower number comes behind a higher one.
      done.withLock { done in
        done += 1
        reporter?.progress("compile", done, of: unknown.count)
      }
    }
    let linking = ThreadModel.allCases.flatMap(\.compilerFlags).filter(flags.contains)
    try run(["-shared", "-o", path] + linking + files.map(\.object) + ["-lm"])
  }

  /// The C files of a library: its own, then the kernels, in order.
  ///
  /// - Throws: `Diagnostic` `file.unreadable` when the folder does not hold them.
  static func sources(_ names: ArtifactNames, in folder: String) throws -> [String] {
    let found: [String]
    do {
      found = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
    } catch {
      throw Diagnostic("file.unreadable", "cannot read the folder '\(folder)'")
    }
    guard found.contains(names.source) else {
      throw Diagnostic(
        "file.unreadable", "'\(folder)' has no '\(names.source)'",
        hint: "give the output folder of 'irc lower'")
    }
    return [names.source] + found.filter { $0.hasPrefix("kernels_") && $0.hasSuffix(".c") }
  }

  /// Runs the compiler.
  ///
  /// - Throws: `Diagnostic` `cc.failed` with what the compiler said.
  package func run(_ arguments: [String]) throws {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: command[0])
    process.arguments = command.dropFirst() + arguments
    let output = Pipe()
    process.standardError = output
    process.standardOutput = output
    process.standardInput = FileHandle.nullDevice
    do {
      try process.run()
    } catch {
      throw Diagnostic("cc.failed", "'\(command[0])' cannot be run: \(error.localizedDescription)")
    }
    let said = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
      let lines = String(decoding: said, as: UTF8.self).split(separator: "\n").map(String.init)
      throw Diagnostic(
        "cc.failed", "'\(command[0])' failed with status \(process.terminationStatus)",
        hint: "the target must suit this compiler; 'target: portable' asks least of it",
        notes: Array(lines.prefix(20)))
    }
  }
}
