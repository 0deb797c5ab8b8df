import Foundation
import IRCTestSupport

/// A copy of the example model that a test damages, with a model file and an earlier output beside it.
struct BrokenModel {
  let folder: TemporaryFolder
  var source: String { folder.file("model") }
  var modelFile: String { folder.file("model.yaml") }
  var output: String { folder.file("out") }

  init(pipeline: String = "rtn-w8a8") throws {
    folder = try TemporaryFolder()
    for name in ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"] {
      try FileManager.default.createDirectory(atPath: source, withIntermediateDirectories: true)
      try FileManager.default.copyItem(
        atPath: "\(Workbench.example)/\(name)", toPath: "\(source)/\(name)")
    }
    try folder.write(
      "model.yaml", Workbench.modelFile(source: "model", pipeline: pipeline))
    // What an earlier run left, as far as a later one would replace it.
    for name in ["tested.c", "tested.h", "tested.weights", "manifest.json"] {
      try folder.write("out/\(name)", "an earlier \(name)")
    }
  }

  /// Replaces text in a file of the model.
  func edit(_ name: String, _ old: String, _ new: String) throws {
    let text = try String(contentsOfFile: "\(source)/\(name)", encoding: .utf8)
    try folder.write("model/\(name)", text.replacingFirst(old, with: new))
  }

  /// Replaces text in the header of model.safetensors, and bytes of its data.
  func editWeights(
    _ old: String = "", _ new: String = "", data change: (inout [UInt8]) -> Void = { _ in }
  ) throws {
    let (header, data) = try weights()
    var bytes = data
    change(&bytes)
    try writeWeights(header: header.replacingFirst(old, with: new), bytes)
  }

  /// The header and the data of model.safetensors.
  func weights() throws -> (header: String, data: [UInt8]) {
    let file = [UInt8](try Data(contentsOf: URL(fileURLWithPath: "\(source)/model.safetensors")))
    let length = file[..<8].reversed().reduce(0) { $0 << 8 | Int($1) }
    return (String(decoding: file[8..<8 + length], as: UTF8.self), Array(file[(8 + length)...]))
  }

  /// Writes model.safetensors; `length` is what it says of its header, by default the truth.
  func writeWeights(header: String, _ data: [UInt8], length: Int? = nil) throws {
    let stated = UInt64(bitPattern: Int64(length ?? header.utf8.count))
    let prefix = (0..<8).map { UInt8(truncatingIfNeeded: stated >> (8 * UInt64($0))) }
    try folder.write("model/model.safetensors", prefix + Array(header.utf8) + data)
  }
}

extension String {
  /// The text with the first `old` replaced; the same if `old` is empty.
  fileprivate func replacingFirst(_ old: String, with new: String) -> String {
    guard let range = range(of: old) else { return self }
    return replacingCharacters(in: range, with: new)
  }
}
