import Foundation
import IRCSupport

/// Objects that a C compiler made of the sources of emitted libraries.
///
/// An object is known by its source, the headers beside it, the compiler and what that was told; what the system's headers say of
/// the few functions that libraries call is taken to be the compiler's.
struct ObjectCache: Sendable {
  private let cache: ContentCache
  private let compiler: String
  private let flags: String
  private let headers: String

  /// Prepares to look for objects that `compiler` makes with `flags`, of sources that include the headers in `folder`.
  ///
  /// - Throws: `Diagnostic` `file.unreadable`.
  init(
    _ cache: ContentCache, of compiler: CCompiler, _ flags: [String], includedFrom folder: String
  ) throws {
    self.cache = cache
    // Another program at the same path has another identity.
    let program = URL(fileURLWithPath: compiler.command[0]).resolvingSymlinksInPath().path
    let identity = FileIdentity(path: program)?.description ?? ""
    self.compiler = ([program, identity] + compiler.command.dropFirst()).joined(separator: "\n")
    let all = compiler.command + flags
    let processor = all.contains { $0.hasSuffix("=native") } ? HostProcessor.features : ""
    self.flags = (flags + [processor]).joined(separator: "\n")
    let names = try FileManager.default.contentsOfDirectory(atPath: folder)
    headers = try names.filter { $0.hasSuffix(".h") }.sorted().map {
      "\($0) \(try Self.digest(of: "\(folder)/\($0)"))"
    }.joined(separator: "\n")
  }

  /// Puts the object of a source at `path`; false if there is none.
  ///
  /// - Throws: `Diagnostic` `file.unreadable` of the source.
  func copy(of source: String, to path: String) throws -> Bool {
    guard let bytes = cache.get(try key(of: source)) else { return false }
    return FileManager.default.createFile(atPath: path, contents: Data(bytes))
  }

  /// Keeps the object of a source, if that is possible.
  func keep(_ object: String, of source: String) {
    guard let bytes = FileManager.default.contents(atPath: object), let key = try? key(of: source)
    else { return }
    // What cannot be kept is compiled again.
    try? cache.put([UInt8](bytes), for: key)
  }

  private func key(of source: String) throws -> ContentKey {
    // The name is part of what the compiler writes into the object.
    ContentKey(
      "c-object 1",
      [
        "compiler": compiler, "flags": flags, "headers": headers,
        "name": (source as NSString).lastPathComponent, "source": try Self.digest(of: source),
      ])
  }

  private static func digest(of path: String) throws -> String {
    guard let bytes = FileManager.default.contents(atPath: path) else {
      throw Diagnostic("file.unreadable", "cannot read '\(path)'")
    }
    var hash = SHA256()
    hash.add([UInt8](bytes))
    return hash.digest().description
  }
}
