import Foundation
package import IRCPassKit
package import IRCSupport

/// The YAML files of one compilation: each is read once, complained about once, and remembered for the depfile.
package struct SourceFiles {
  /// Files that were read, in the order of their first use.
  package private(set) var paths: [String] = []
  /// What is wrong with them as YAML.
  package private(set) var problems: [Diagnostic] = []

  private var documents: [String: OptionValue?] = [:]
  private var names: [String: String] = [:]

  package init() {}

  /// The path under which the file was first named: links and `..` do not make it another file.
  mutating func name(of path: String) -> String {
    let identity = URL(fileURLWithPath: path).resolvingSymlinksInPath().standardizedFileURL.path
    if let name = names[identity] { return name }
    names[identity] = path
    return path
  }

  /// The content of a file, or nil when it cannot be read; the reason is then in `problems`.
  ///
  /// - Parameters:
  ///   - reference: the value that names the file.
  ///   - isOwn: whether it is in the compiler's language. Else an empty one is an empty mapping, and whoever reads it says what belongs there.
  package mutating func document(
    at path: String, from reference: SourceSpan?, isOwn: Bool = true
  ) -> OptionValue? {
    let path = name(of: path)
    if let known = documents[path] { return known }
    var root: OptionValue?
    do {
      let file = try TextFile(reading: path)
      let document = YAMLDocument(file)
      paths.append(path)
      if !isOwn, document.problems.map(\.id) == ["yaml.empty"] {
        root = OptionValue(
          .mapping([]), span: SourceSpan(file: file, line: 1, column: 1, length: 1))
      } else {
        problems += document.problems
        root = document.root
      }
    } catch let problem as Diagnostic {
      let unplaced = problem.location == nil ? reference : nil
      problems.append(unplaced?.error(problem.id, problem.message, hint: problem.hint) ?? problem)
    } catch {
      problems.append(Diagnostic("file.unreadable", "\(error)"))
    }
    documents[path] = .some(root)
    return root
  }
}

/// A path as written in some file, from where the program stands.
func resolve(_ path: String, written span: SourceSpan) -> String {
  if path.hasPrefix("/") { return path }
  let folder = folder(of: span.file)
  return folder == "." ? path : "\(folder)/\(path)"
}

/// The folder that relative paths in a file start from; text on the command line starts from the working directory.
func folder(of file: TextFile) -> String {
  guard !file.path.hasPrefix("--"), let slash = file.path.lastIndex(of: "/") else { return "." }
  return slash == file.path.startIndex ? "/" : String(file.path[..<slash])
}

/// True if there is a folder at the path.
func isFolder(_ path: String) -> Bool {
  var isDirectory: ObjCBool = false
  let exists = unsafe FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory)
  return exists && isDirectory.boolValue
}

/// The error for a path that leads nowhere, with the nearest name in the folder where it should be, or to something else than
/// `what`, a file or a folder.
func missing(_ path: String, _ what: String, at span: SourceSpan) -> Diagnostic {
  if FileManager.default.fileExists(atPath: path) {
    let found = isFolder(path) ? "folder" : "file"
    return span.error("file.missing", "'\(path)' is a \(found), not a \(what)")
  }
  let name = (path as NSString).lastPathComponent
  let parent = (path as NSString).deletingLastPathComponent
  let siblings = try? FileManager.default.contentsOfDirectory(atPath: parent.isEmpty ? "." : parent)
  let near = nearestMatch(to: name, in: (siblings ?? []).sorted())
  return span.error(
    "file.missing", "there is no \(what) '\(path)'", hint: near.map { "did you mean '\($0)'?" })
}

/// A path as written in the file at `path`, from where the program stands.
func resolve(_ relative: String, beside path: String) -> String {
  let folder = folder(of: TextFile(path: path, text: ""))
  return folder == "." ? relative : "\(folder)/\(relative)"
}
