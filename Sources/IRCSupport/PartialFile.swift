import Foundation

/// Names of files that are not complete yet: `.NAME.PROCESS.partial` beside the file that they become.
package enum PartialFile {
  private static let suffix = ".partial"
  /// What is behind the name while the file of an earlier output is kept.
  static let earlier = ".earlier"

  /// The name that this process writes `name` under.
  package static func name(of name: String) -> String {
    ".\(name).\(ProcessInfo.processInfo.processIdentifier)\(suffix)"
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

  /// Removes what processes left in a folder that were killed while they wrote; what living ones write stays.
  package static func removeAbandoned(in folder: String) {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    for name in names {
      guard let process = process(in: name), isGone(process) else { continue }
      unsafe unlink("\(folder)/\(name)")
    }
  }

  private static func isGone(_ process: Int32) -> Bool { kill(process, 0) != 0 && errno == ESRCH }
}
