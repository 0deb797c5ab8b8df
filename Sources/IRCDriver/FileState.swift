import Foundation
import IRCSupport

/// What a file was when a run read or wrote it.
struct FileState: Hashable, Sendable {
  /// Where it is, as the run named it.
  let path: String
  /// All of what the system tells of the file; nil where another change might have left the same behind.
  let identity: String?
  let digest: SHA256.Digest

  /// The file as it is now.
  ///
  /// - Throws: `Diagnostic` `file.unreadable`.
  init(_ path: String, _ digest: SHA256.Digest) throws {
    guard let identity = FileIdentity(path: path) else {
      throw Diagnostic("file.unreadable", "cannot read '\(path)': \(systemMessage(errno))")
    }
    self.path = path
    self.identity = identity.isSettled ? identity.description : nil
    self.digest = digest
  }

  /// How a file compares with what it was.
  enum Comparison {
    /// It was not touched.
    case same
    /// It was touched, and holds the same bytes.
    case touched(FileState)
    case changed
  }

  /// Looks at the file; reads it only where it was touched.
  func compare(knownTo cache: ContentCache) -> Comparison {
    guard let now = FileIdentity(path: path) else { return .changed }
    if now.description == identity { return .same }
    guard let digest = try? FileDigests.digest(of: path, knownTo: cache), digest == self.digest,
      let state = try? FileState(path, digest)
    else { return .changed }
    return .touched(state)
  }

  var json: JSON {
    .object([
      ("path", .string(path)), ("identity", identity.map(JSON.string) ?? .null),
      ("sha256", .string(digest.description)),
    ])
  }

  /// Reads what `json` wrote.
  ///
  /// - Throws: `Diagnostic` when it is something else.
  init(_ json: JSONValue) throws {
    path = try json["path"].string()
    identity = try json.optional("identity")?.string()
    guard let digest = SHA256.Digest(try json["sha256"].string()) else {
      throw json.diagnostic("cache.record", "no digest")
    }
    self.digest = digest
  }
}

/// The names in a folder: a file that comes or goes can change what a run does, though no file that it read has changed.
struct FolderListing: Hashable, Sendable {
  let path: String
  let names: [String]

  /// The folder as it is now; one that is not there has no names.
  init(of path: String) {
    self.path = path
    names = ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).sorted()
  }

  var json: JSON {
    .object([("path", .string(path)), ("names", .array(names.map(JSON.string)))])
  }

  /// Reads what `json` wrote.
  ///
  /// - Throws: `Diagnostic` when it is something else.
  init(_ json: JSONValue) throws {
    path = try json["path"].string()
    names = try json["names"].array().map { try $0.string() }
  }
}

/// The moment at which a run began to read.
package struct StartOfRun: Sendable {
  /// Nanoseconds since 1970.
  private let time: Int

  /// Now.
  package init() {
    var now = timespec()
    // Without a clock everything seems to have changed since.
    time =
      unsafe clock_gettime(CLOCK_REALTIME, &now) == 0
      ? Int(now.tv_sec) * 1_000_000_000 + Int(now.tv_nsec) : 0
  }

  /// True if a file or folder is as it was at that moment, so that the run saw one content from the first look to the last.
  ///
  /// Clocks of file systems lag behind that of the system by up to a tick, and by up to two seconds where they keep whole seconds.
  package func follows(changesOf path: String) -> Bool {
    guard let file = FileIdentity(path: path) else { return false }
    let last = max(file.modified, file.changed)
    let lag = last % 1_000_000_000 == 0 ? 2_000_000_000 : 50_000_000
    return last < time - lag
  }
}
