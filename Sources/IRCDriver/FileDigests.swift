import Foundation
package import IRCSupport
import Synchronization

/// Digests of files' contents; a process reads each file once.
package enum FileDigests {
  /// A file as it was when it was read.
  private struct Identity: Hashable {
    let path: String
    let size: Int
    let modified: Int
    let node: UInt64
  }

  private static let known = Mutex<[Identity: SHA256.Digest]>([:])

  /// The SHA-256 of a file's content.
  ///
  /// - Throws: `Diagnostic` `file.unreadable`.
  package static func digest(of path: String) throws -> SHA256.Digest {
    let identity = try identity(of: path)
    if let digest = known.withLock({ $0[identity] }) { return digest }
    let file = try MappedFile(path: path)
    var hash = SHA256()
    unsafe hash.add(file.bytes)
    let digest = hash.digest()
    known.withLock { $0[identity] = digest }
    return digest
  }

  /// The digest of a folder's files, by name: hidden ones and folders in it are left out, links are followed.
  ///
  /// - Throws: `Diagnostic` `file.unreadable`.
  package static func digest(ofFolder folder: String) throws -> SHA256.Digest {
    let names: [String]
    do {
      names = try FileManager.default.contentsOfDirectory(atPath: folder)
    } catch {
      throw Diagnostic("file.unreadable", "cannot read the folder '\(folder)'")
    }
    var hash = SHA256()
    for name in names.sorted(by: { $0.utf8.lexicographicallyPrecedes($1.utf8) }) {
      let path = "\(folder)/\(name)"
      if name.hasPrefix(".") || isDirectory(path) { continue }
      hash.add(Array("\(name.utf8.count):\(name)".utf8))
      hash.add(try digest(of: path).bytes)
    }
    return hash.digest()
  }

  /// The digest of the running program. It stands for the version with every change since.
  ///
  /// - Throws: `Diagnostic` `file.unreadable`.
  package static func digestOfProgram() throws -> SHA256.Digest {
    // The link leads to the file that runs even when a newer one took its place.
    let link = "/proc/self/exe"
    if FileManager.default.fileExists(atPath: link) { return try digest(of: link) }
    return try digest(of: Bundle.main.executablePath ?? CommandLine.arguments[0])
  }

  private static func identity(of path: String) throws -> Identity {
    var status = stat()
    guard unsafe stat(path, &status) == 0 else {
      throw Diagnostic("file.unreadable", "cannot read '\(path)': \(systemMessage(errno))")
    }
    return Identity(
      path: path, size: Int(status.st_size), modified: status.modified, node: UInt64(status.st_ino))
  }
}
