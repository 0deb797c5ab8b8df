import Foundation
public import IRCGraph
import IRCSupport
public import IRCTensor

/// The weights of a model folder: one safetensors file, or several with an index.
///
/// Names are compared byte by byte.
public final class Checkpoint: ParameterSource {
  /// Where the files are.
  public let folder: String
  /// Every tensor, sorted by the bytes of its name.
  public let tensors: [StoredTensor]
  /// Sum of the tensors' sizes in bytes.
  public var byteCount: Int { tensors.reduce(0) { $0 + $1.bytes.count } }

  /// The files that were read: the index if there is one, then the safetensors files.
  public var paths: [String] {
    let index = "\(folder)/\(Checkpoint.index)"
    return (hasIndex ? [index] : []) + files.map(\.path)
  }

  private let files: [SafetensorsFile]
  private let hasIndex: Bool
  private let places: [ByteKey: (file: Int, tensor: StoredTensor)]

  /// Names that the files of a checkpoint have.
  private static let single = "model.safetensors"
  private static let index = "model.safetensors.index.json"

  /// Opens `model.safetensors`, or the files that `model.safetensors.index.json` names.
  ///
  /// - Throws: `DiagnosticList`: `checkpoint.unreadable` without a folder or weights in it, what `SafetensorsFile` throws, and
  ///   `checkpoint.index`, `checkpoint.missing-tensor`, `checkpoint.unexpected-tensor` where index and files differ.
  public convenience init(folder: String) throws {
    try Checkpoint.checkFolder(folder)
    let manager = FileManager.default
    let single = "\(folder)/\(Checkpoint.single)"
    let index = "\(folder)/\(Checkpoint.index)"
    switch (manager.fileExists(atPath: single), manager.fileExists(atPath: index)) {
    case (true, false):
      try self.init(folder: folder, files: [try SafetensorsFile(path: single)], hasIndex: false)
    case (false, true):
      let index = try ShardIndex(reading: index)
      let files = try collect(index.files.map { "\(folder)/\($0)" }) { path in
        try SafetensorsFile(path: path)
      }
      try index.check(against: files)
      try self.init(folder: folder, files: files, hasIndex: true)
    case (true, true):
      throw DiagnosticList(
        Diagnostic(
          "checkpoint.unreadable",
          "the folder holds both '\(Checkpoint.single)' and '\(Checkpoint.index)'",
          at: SourceLocation(file: folder), hint: "move the one that is not meant elsewhere"))
    case (false, false):
      throw DiagnosticList(Checkpoint.noWeights(in: folder))
    }
  }

  private init(folder: String, files: [SafetensorsFile], hasIndex: Bool) throws {
    self.folder = folder
    self.hasIndex = hasIndex
    self.files = files
    var places: [ByteKey: (file: Int, tensor: StoredTensor)] = [:]
    for (index, file) in files.enumerated() {
      for tensor in file.tensors { places[ByteKey(tensor.name)] = (index, tensor) }
    }
    self.places = places
    tensors = files.flatMap(\.tensors).sorted {
      $0.name.utf8.lexicographicallyPrecedes($1.name.utf8)
    }
  }

  /// The description of a tensor, nil if there is none of that name.
  public subscript(name: String) -> StoredTensor? { places[ByteKey(name)]?.tensor }

  public func tensor(named name: String) throws -> Tensor {
    let (file, tensor) = try place(of: name)
    return try file.read(tensor)
  }

  public func file(of name: String) -> String? { self[name]?.file }

  /// The file and the description of a tensor that must be there.
  ///
  /// - Throws: `Diagnostic` `checkpoint.missing-tensor`.
  func place(of name: String) throws -> (file: SafetensorsFile, tensor: StoredTensor) {
    guard let place = places[ByteKey(name)] else {
      throw Diagnostic(
        "checkpoint.missing-tensor", "the checkpoint has no tensor '\(name)'",
        at: SourceLocation(file: folder),
        hint: nearestMatch(to: name, in: tensors.lazy.map(\.name)).map { "there is '\($0)'" })
    }
    return (files[place.file], place.tensor)
  }

  /// True if two tensors hold the same elements of the same type in the same shape.
  func areEqual(_ first: StoredTensor, _ second: StoredTensor) throws -> Bool {
    guard first.type == second.type, first.shape == second.shape else { return false }
    let (a, b) = (try place(of: first.name).file, try place(of: second.name).file)
    return unsafe a.withBytes(of: first) { left in
      unsafe b.withBytes(of: second) { right in
        guard let left = left.baseAddress, let right = right.baseAddress else { return true }
        return unsafe memcmp(left, right, first.bytes.count) == 0
      }
    }
  }

  // MARK: - Folders

  /// Complains of a path that is no readable folder.
  static func checkFolder(_ folder: String) throws {
    var isFolder: ObjCBool = false
    let exists = unsafe FileManager.default.fileExists(atPath: folder, isDirectory: &isFolder)
    var reason: String?
    if !exists {
      reason = "there is no folder '\(folder)'"
    } else if !isFolder.boolValue {
      reason = "'\(folder)' is a file, not a folder"
    } else if !FileManager.default.isReadableFile(atPath: folder)
      || !FileManager.default.isExecutableFile(atPath: folder)
    {
      reason = "the folder '\(folder)' may not be read"
    }
    guard let reason else { return }
    throw DiagnosticList(
      Diagnostic(
        "checkpoint.unreadable", reason,
        hint: "give a Hugging Face model folder: config.json and model.safetensors"))
  }

  private static func noWeights(in folder: String) -> Diagnostic {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    let pickles = names.filter { name in
      [".bin", ".pt", ".pth", ".ckpt"].contains { name.hasSuffix($0) }
    }.sorted()
    let hint =
      pickles.first.map { name in
        "'\(name)' is a PyTorch file, which can run code when it is read; in Python, "
          + "AutoModelForCausalLM.from_pretrained(\"\(folder)\").save_pretrained(\"converted\") "
          + "writes a safetensors folder"
      } ?? "give a Hugging Face model folder: config.json and model.safetensors"
    return Diagnostic(
      "checkpoint.unreadable", "there is neither '\(single)' nor '\(index)'",
      at: SourceLocation(file: folder), hint: hint)
  }
}

/// The results of `body` for each element; all errors are thrown together.
func collect<Element, Result>(
  _ elements: [Element], _ body: (Element) throws -> Result
) throws -> [Result] {
  var problems: [Diagnostic] = []
  let results = try elements.compactMap { element -> Result? in
    do {
      return try body(element)
    } catch let error as Diagnostic {
      problems.append(error)
    } catch let error as DiagnosticList {
      problems += error.diagnostics
    }
    return nil
  }
  if !problems.isEmpty { throw DiagnosticList(problems) }
  return results
}
