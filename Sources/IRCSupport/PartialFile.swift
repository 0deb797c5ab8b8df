import Foundation

/// Names of files that are not complete yet: `.NAME.NUMBER.PROCESS.partial` beside the file that they become.
package enum PartialFile {
  private static let suffix = ".partial"
  /// What is behind the name while the file of an earlier output is kept.
  static let earlier = ".earlier"
  /// Seconds after which a file that nobody has touched belongs to a process that was killed.
  ///
  /// Whether the process lives tells less: it may be one of another machine or container that shares the folder.
  package static let patience = 3600

  /// A name that nobody else writes `name` under: processes of two containers may have one number, so a random one goes with it.
  package static func name(of name: String) -> String {
    let number = UInt32.random(in: 0...(.max))
    return ".\(name).\(number).\(ProcessInfo.processInfo.processIdentifier)\(suffix)"
  }

  /// The process in a name of that form; nil for any other name.
  static func process(in name: String) -> Int32? {
    guard name.hasPrefix(".") else { return nil }
    let stem = name.hasSuffix(earlier) ? name.dropLast(earlier.count) : name[...]
    guard stem.hasSuffix(suffix) else { return nil }
    let parts = stem.dropLast(suffix.count).split(
      separator: ".", omittingEmptySubsequences: false)
    guard parts.count >= 3, let process = parts.last.flatMap({ Int32($0) }), process > 0 else {
      return nil
    }
    return process
  }

  /// Removes what processes left in a folder that were killed while they wrote: what nobody has touched for an hour, unless a process
  /// of that number lives here.
  ///
  /// - Parameter now: seconds since 1970.
  package static func removeAbandoned(
    in folder: String, now: Int = Int(Date().timeIntervalSince1970)
  ) {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    for name in names {
      guard let process = process(in: name) else { continue }
      let path = "\(folder)/\(name)"
      // A second name for an earlier file has that one's time of writing; when it was made, the change of status tells.
      var status = stat()
      guard unsafe lstat(path, &status) == 0, now - changed(status) > patience, isGone(process)
      else { continue }
      unsafe unlink(path)
    }
  }

  /// Seconds since 1970 of the last change of a file or of its names.
  private static func changed(_ status: stat) -> Int {
    #if canImport(Darwin)
      status.st_ctimespec.tv_sec
    #else
      status.st_ctim.tv_sec
    #endif
  }

  private static func isGone(_ process: Int32) -> Bool { kill(process, 0) != 0 && errno == ESRCH }
}
