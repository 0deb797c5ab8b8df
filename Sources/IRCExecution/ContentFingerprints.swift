import IRCGraph
import IRCOps
import IRCSupport
import IRCTensor
import Synchronization

/// Fingerprints of what values are computed from, to know results again.
///
/// Parameters count with their elements, so that it does not matter whether they lie in a checkpoint or a pass made them.
/// Those of mapped files are read once in the life of this object.
final class ContentFingerprints: Sendable {
  /// A window of a mapped file. The tensor keeps it mapped, so that its address stays its own.
  private struct Known: Sendable {
    let tensor: Tensor
    let fingerprint: SHA256.Digest
  }

  private struct Place: Hashable {
    let address: UInt
    let type: ElementType
    let shape: [Int]
  }

  private let known = Mutex<[Place: Known]>([:])

  /// Bytes that are hashed as one: the pieces of a large tensor are hashed on all threads.
  private static let piece = 1 << 22

  /// Takes in what the values of a part are computed from: the operations with their attributes, and the parameters.
  ///
  /// - Parameter seen: parameters of the same source that were read before, by the bytes of their names.
  /// - Throws: `Diagnostic` when a parameter cannot be read.
  func add(
    _ part: Graph, to hasher: inout SHA256, seen: inout [[UInt8]: SHA256.Digest]
  ) throws {
    hasher.add(part.text)
    for parameter in part.operations(of: Parameter.self) {
      let name = Array(parameter.op.name.utf8)
      let content: SHA256.Digest
      if let known = seen[name] {
        content = known
      } else {
        do {
          content = try fingerprint(of: part.parameters.tensor(named: parameter.op.name))
        } catch {
          throw parameter.operation.located(error)
        }
        seen[name] = content
      }
      hasher.add(content.bytes)
    }
  }

  private func fingerprint(of tensor: Tensor) throws -> SHA256.Digest {
    let place = unsafe tensor.withBytes {
      Place(
        address: UInt(bitPattern: $0.baseAddress), type: tensor.elementType, shape: tensor.shape)
    }
    if tensor.isMapped, let known = known.withLock({ $0[place] }) { return known.fingerprint }
    let pieces = (tensor.byteCount + Self.piece - 1) / Self.piece
    let parts = try Parallel.map(pieces) { index in
      unsafe tensor.withBytes { bytes in
        let start = index * Self.piece
        return unsafe SHA256.hash(
          UnsafeRawBufferPointer(rebasing: bytes[start..<min(bytes.count, start + Self.piece)]))
      }
    }
    var hasher = SHA256()
    hasher.add("\(tensor.elementType.rawValue)\(tensor.shape)")
    for part in parts { hasher.add(part.bytes) }
    let fingerprint = hasher.digest()
    if tensor.isMapped {
      known.withLock { $0[place] = Known(tensor: tensor, fingerprint: fingerprint) }
    }
    return fingerprint
  }
}
