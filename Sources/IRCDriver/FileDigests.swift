import Foundation
import IRCPassManager
package import IRCSupport
import Synchronization

/// Digests of files' contents; a process reads each file once, and a large one is known again by a later process from its state.
package enum FileDigests {
  private static let known = Mutex<[FileIdentity: SHA256.Digest]>([:])
  /// Bytes from which on looking up a digest is faster than computing it.
  private static let smallestKept = 1 << 20

  /// The SHA-256 of a file's content.
  ///
  /// - Parameter cache: where digests of large files are kept between runs of the program; nil to read the file.
  /// - Throws: `Diagnostic` `file.unreadable`.
  package static func digest(
    of path: String, knownTo cache: ContentCache? = nil
  ) throws -> SHA256.Digest {
    guard let identity = FileIdentity(path: path) else {
      throw Diagnostic("file.unreadable", "cannot read '\(path)': \(systemMessage(errno))")
    }
    if let digest = known.withLock({ $0[identity] }) { return digest }
    let key = ContentKey("file-digest 1", ["file": identity.description])
    let cache = identity.size >= smallestKept ? cache : nil
    if let kept = cache?.get(key), let digest = SHA256.Digest(bytes: kept) {
      known.withLock { $0[identity] = digest }
      return digest
    }
    let file = try MappedFile(path: path)
    var hash = SHA256()
    unsafe hash.add(file.bytes)
    let digest = hash.digest()
    known.withLock { $0[identity] = digest }
    // A file that is being changed might change once more and look the same. What cannot be kept is computed again.
    if file.identity == identity, identity.isSettled {
      cache?.keep { try cache?.put(digest.bytes, for: key) }
    }
    return digest
  }

  /// The digest of a folder's files, by name: hidden ones and folders in it are left out, links are followed.
  ///
  /// - Parameter belongs: whether a file counts, by its name.
  /// - Throws: `Diagnostic` `file.unreadable`.
  package static func digest(
    ofFolder folder: String, knownTo cache: ContentCache? = nil,
    where belongs: (String) -> Bool = { _ in true }
  ) throws -> SHA256.Digest {
    let names: [String]
    do {
      names = try FileManager.default.contentsOfDirectory(atPath: folder)
    } catch {
      throw Diagnostic("file.unreadable", "cannot read the folder '\(folder)'")
    }
    var hash = SHA256()
    for name in names.sorted(by: { $0.utf8.lexicographicallyPrecedes($1.utf8) }) {
      let path = "\(folder)/\(name)"
      if name.hasPrefix(".") || !belongs(name) || isDirectory(path) { continue }
      hash.add(Array("\(name.utf8.count):\(name)".utf8))
      hash.add(try digest(of: path, knownTo: cache).bytes)
    }
    return hash.digest()
  }

  /// The digest of the running program with the plugins that it has loaded. It stands for the version with every change since.
  ///
  /// - Throws: `Diagnostic` `file.unreadable`.
  package static func digestOfProgram(knownTo cache: ContentCache? = nil) throws -> SHA256.Digest {
    let program = try digestOfExecutable(knownTo: cache)
    // Passes and operators of plugins are code like any other; in which order they came does not matter.
    let plugins = PluginHost.plugins.map(\.digest.description).sorted()
    if plugins.isEmpty { return program }
    var hash = SHA256()
    for digest in [program.description] + plugins { hash.add(digest) }
    return hash.digest()
  }

  private static func digestOfExecutable(
    knownTo cache: ContentCache?
  ) throws -> SHA256.Digest {
    // The link leads to the file that runs even when a newer one took its place.
    let link = "/proc/self/exe"
    if FileManager.default.fileExists(atPath: link) { return try digest(of: link, knownTo: cache) }
    return try digest(
      of: Bundle.main.executablePath ?? CommandLine.arguments[0], knownTo: cache)
  }
}
