import Dispatch
import Foundation
import IRCFrontend
import IRCPassManager
import IRCPipeline
import IRCSupport
import IRCTokenizer
import Synchronization

/// A file that a compilation reads.
struct InputFile: Hashable, Sendable {
  /// What it is to the compilation.
  enum Role: String, Sendable {
    case model, pipeline, checkpoint, tokenizer, calibration, plugin
  }

  let role: Role
  /// Where it is, from the working directory.
  let path: String
  /// The name that manifests show: the same wherever the files lie.
  let name: String
}

extension CompilationPlan {
  /// Every file that lowering reads, in a fixed order.
  func inputs(_ model: LoadedModel, shipped: ShippedFiles) -> [InputFile] {
    let source = model.checkpoint.folder
    func within(_ role: InputFile.Role, _ paths: [String]) -> [InputFile] {
      paths.map { path in
        InputFile(
          role: role, path: path,
          name: path.hasPrefix(source + "/") ? String(path.dropFirst(source.count + 1)) : path)
      }
    }
    var inputs = [
      InputFile(role: .model, path: self.model.path, name: lastComponent(of: self.model.path))
    ]
    inputs += files.filter { $0 != self.model.path }.map { path in
      InputFile(role: .pipeline, path: path, name: pipelineName(path, shipped))
    }
    inputs += within(.checkpoint, ["\(source)/config.json"] + model.checkpoint.paths)
    // A model without a tokenizer that can be read is compiled without.
    if case .success = model.tokenizer { inputs += within(.tokenizer, Tokenizer.paths(in: source)) }
    if let calibration = self.model.calibration {
      inputs.append(
        InputFile(
          role: .calibration, path: calibration.source.path, name: calibration.written))
    }
    inputs += registry.plugins.map {
      InputFile(role: .plugin, path: $0.path, name: pipelineName($0.path, shipped))
    }
    return inputs
  }

  /// The path of a YAML file or plugin from the model file, or `irc:` and its path among those that ship.
  private func pipelineName(_ path: String, _ shipped: ShippedFiles) -> String {
    if let folder = shipped.directory, path.hasPrefix(folder + "/") {
      return "irc:" + path.dropFirst(folder.count + 1)
    }
    let folder = (model.path as NSString).deletingLastPathComponent
    if !folder.isEmpty, path.hasPrefix(folder + "/") {
      return String(path.dropFirst(folder.count + 1))
    }
    return path.hasPrefix("/") ? lastComponent(of: path) : path
  }

  private func lastComponent(of path: String) -> String { (path as NSString).lastPathComponent }
}

/// Digests of files that are read beside other work.
final class DigestsInBackground: Sendable {
  private let paths: [String]
  private let results = Mutex<[Result<SHA256.Digest, any Error>]>([])
  private let group = DispatchGroup()

  /// Begins to read; what `cache` knows of large files is not read again.
  init(_ paths: [String], knownTo cache: ContentCache?) {
    self.paths = paths
    DispatchQueue.global(qos: .utility).async(group: group) { [self] in
      for path in paths {
        let result = Result { try FileDigests.digest(of: path, knownTo: cache) }
        results.withLock { $0.append(result) }
      }
    }
  }

  /// The digests in the order of the paths, as soon as all of them are there.
  ///
  /// - Throws: `Diagnostic` `file.unreadable`.
  func wait() throws -> [SHA256.Digest] {
    group.wait()
    return try results.withLock { try $0.map { try $0.get() } }
  }
}
