import Foundation

/// Real models and texts that lie in `shared/` beside the repository, for tests that run only where they are.
///
/// `IRC_SHARED` names another place. Use as `.enabled(if: Shared.model("stories260k") != nil, "...")`.
public enum Shared {
  /// The folder, if it is there.
  public static let root: String? = {
    let files = FileManager.default
    var candidates: [String] = []
    if let named = ProcessInfo.processInfo.environment["IRC_SHARED"], !named.isEmpty {
      candidates.append(named)
    } else if let repository {
      candidates.append((repository as NSString).deletingLastPathComponent + "/shared")
    }
    return candidates.first { files.fileExists(atPath: $0 + "/models") }
  }()

  /// The folder that holds `Package.swift`.
  public static let repository: String? = {
    var folder = (#filePath as NSString).deletingLastPathComponent
    while folder.count > 1 {
      if FileManager.default.fileExists(atPath: folder + "/Package.swift") { return folder }
      folder = (folder as NSString).deletingLastPathComponent
    }
    return nil
  }()

  /// Path of the model folder `name`; nil when it is not there.
  public static func model(_ name: String) -> String? { existing("models/\(name)") }

  /// Path of the file or folder `name` of the data; nil when it is not there.
  public static func data(_ name: String) -> String? { existing("data/\(name)") }

  /// Path of anything by its place in the folder; nil when it is not there.
  public static func existing(_ place: String) -> String? {
    guard let root else { return nil }
    let path = "\(root)/\(place)"
    return FileManager.default.fileExists(atPath: path) ? path : nil
  }
}
