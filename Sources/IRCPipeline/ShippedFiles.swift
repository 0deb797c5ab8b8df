import Foundation
import IRCSupport

/// The pipelines and schemes that come with the compiler.
package struct ShippedFiles: Sendable {
  /// Folder with `*.yaml` and `schemes/*.yaml`; nil when it was not found.
  package let directory: String?
  /// Names of the pipelines, sorted.
  package let pipelines: [String]
  /// Names of the schemes, sorted.
  package let schemes: [String]

  /// Lists what is in the folder.
  package init(directory: String?) {
    self.directory = directory
    pipelines = Self.names(in: directory)
    schemes = Self.names(in: directory.map { $0 + "/schemes" })
  }

  /// The folder with the shipped pipelines: the one given, else `../share/irc/pipelines` beside the executable, else a folder
  /// `pipelines` with `schemes` in it, somewhere above the executable, else that of the sources that the program was built from.
  package static func pipelinesDirectory(executable: String, override: String? = nil) -> String? {
    if let override { return override }
    let resolved = URL(fileURLWithPath: executable).resolvingSymlinksInPath()
    var folder = resolved.deletingLastPathComponent().standardizedFileURL
    let installed = folder.deletingLastPathComponent().path + "/share/irc/pipelines"
    if isFolder(installed + "/schemes") { return installed }
    while true {
      let candidate = folder.path == "/" ? "/pipelines" : folder.path + "/pipelines"
      if isFolder(candidate + "/schemes") { return candidate }
      if folder.path == "/" || folder.path.isEmpty { break }
      folder = folder.deletingLastPathComponent()
    }
    // Packages that build a compiler of their own have it in a build folder, far from these files.
    let sources = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    let beside = sources.appendingPathComponent("../../pipelines").standardizedFileURL.path
    return isFolder(beside + "/schemes") ? beside : nil
  }

  /// What a pipeline's name stands for: `rtn`, or `rtn-w8a8` for one applied to a scheme.
  struct Named {
    var pipeline: String
    var scheme: String?
  }

  /// Finds a pipeline by name: a file of that name first, else a pipeline and a scheme with `-` between them.
  func find(_ name: String) -> Named? {
    if pipelines.contains(name) { return Named(pipeline: name) }
    for (offset, character) in zip(name.indices, name) where character == "-" {
      let (head, tail) = (String(name[..<offset]), String(name[name.index(after: offset)...]))
      if pipelines.contains(head), schemes.contains(tail) {
        return Named(pipeline: head, scheme: tail)
      }
    }
    return nil
  }

  /// A pipeline's name with anything behind it, which is meant to be a scheme; the longest such name counts.
  func split(_ name: String) -> (pipeline: String, scheme: String)? {
    let heads = pipelines.filter { name.hasPrefix($0 + "-") && name.count > $0.count + 1 }
    guard let head = heads.max(by: { $0.count < $1.count }) else { return nil }
    return (head, String(name.dropFirst(head.count + 1)))
  }

  /// Every name that `find` knows.
  var allNames: [String] {
    pipelines + pipelines.flatMap { pipeline in schemes.map { "\(pipeline)-\($0)" } }
  }

  func path(ofPipeline name: String) -> String { "\(directory ?? ".")/\(name).yaml" }

  func path(ofScheme name: String) -> String { "\(directory ?? ".")/schemes/\(name).yaml" }

  private static func names(in folder: String?) -> [String] {
    guard let folder else { return [] }
    let files = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    return files.filter { $0.hasSuffix(".yaml") }.map { String($0.dropLast(5)) }.sorted()
  }
}

/// True if the text names a file and not something that is shipped.
func isPath(_ text: String) -> Bool { text.contains("/") || text.hasSuffix(".yaml") }

/// The path of a pipeline with the scheme that may stand behind it, as in `mine.yaml-w4a16`; nil for names.
func pathWithScheme(_ text: String) -> (path: String, scheme: String?)? {
  if let end = text.ranges(of: ".yaml-").last {
    return (String(text[..<end.upperBound].dropLast()), String(text[end.upperBound...]))
  }
  return isPath(text) ? (text, nil) : nil
}
