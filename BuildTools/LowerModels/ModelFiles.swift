import Foundation
import PackagePlugin

/// What the plugin and the command have in common; the command's folder has a link to this file, since plugins cannot share a module.
struct ModelFiles {
  /// Every `model.yaml` in the folder of a target and the folders below it, sorted; hidden folders are left out.
  static func of(_ target: any Target) -> [URL] {
    let files = FileManager.default.enumerator(
      at: target.directoryURL, includingPropertiesForKeys: nil, options: .skipsHiddenFiles)
    let found = files?.compactMap { $0 as? URL }.filter { $0.lastPathComponent == "model.yaml" }
    return (found ?? []).sorted { $0.path < $1.path }
  }

  /// Arguments of `irc` that lower a model file into the folder that it lies in.
  static func arguments(lowering model: URL) -> [String] {
    ["lower", model.path, "--output", model.deletingLastPathComponent().path]
  }

  /// The program that the variable IRC names, else the first `irc` on the path and in `/usr/local/bin`, which programs with windows do
  /// not have on their path.
  static func irc() throws -> URL {
    let environment = ProcessInfo.processInfo.environment
    let name = environment["IRC"].flatMap { $0.isEmpty ? nil : $0 } ?? "irc"
    let folders = (environment["PATH"] ?? "").split(separator: ":").map(String.init)
    let places =
      name.contains("/") ? [name] : (folders + ["/usr/local/bin"]).map { "\($0)/\(name)" }
    guard let path = places.first(where: FileManager.default.isExecutableFile(atPath:)) else {
      throw Missing(places: places)
    }
    return URL(fileURLWithPath: path)
  }

  /// There is no program to run.
  struct Missing: Error, CustomStringConvertible {
    let places: [String]
    var description: String {
      "the program irc was not found as \(places.joined(separator: ", ")): install it, or name it with the variable IRC"
    }
  }
}
