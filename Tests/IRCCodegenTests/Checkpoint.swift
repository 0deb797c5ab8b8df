import CKernels
import Foundation
import IRCGraph
import IRCSupport
import IRCTensor
import IRCTestSupport

/// A checkpoint of tensors that a test makes, mapped from a file as real ones are.
final class Checkpoint: ParameterSource {
  private let folder: TemporaryFolder
  private let tensors: [String: Tensor]

  /// What a tensor holds and how it is stored.
  struct Entry {
    var shape: [Int]
    var stored: ElementType
    var values: [Float]
  }

  init(_ entries: [(name: String, entry: Entry)]) throws {
    folder = try TemporaryFolder()
    var bytes: [UInt8] = []
    var offsets: [Int] = []
    for (_, entry) in entries {
      offsets.append(bytes.count)
      bytes += entry.bytes
      bytes += [UInt8](repeating: 0, count: (64 - bytes.count % 64) % 64)
    }
    let file = try MappedFile(path: try folder.write("tensors.bin", bytes))
    var tensors: [String: Tensor] = [:]
    for ((name, entry), offset) in zip(entries, offsets) {
      tensors[name] = Tensor(mapping: file, at: offset, shape: entry.shape, entry.stored)
    }
    self.tensors = tensors
  }

  func tensor(named name: String) throws -> Tensor {
    guard let tensor = tensors[name] else {
      throw Diagnostic("test.missing", "no tensor '\(name)'")
    }
    return tensor
  }
}

extension Checkpoint.Entry {
  fileprivate var bytes: [UInt8] {
    switch stored {
    case .f16:
      var halves = [UInt16](repeating: 0, count: values.count)
      irc_f32_to_f16(&halves, values, values.count)
      return halves.withUnsafeBytes { Array($0) }
    case .bf16:
      return values.map { UInt16($0.bitPattern >> 16) }.withUnsafeBytes { Array($0) }
    default:
      return values.withUnsafeBytes { Array($0) }
    }
  }
}
