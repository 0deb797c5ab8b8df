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
    let fingerprint: Fingerprint
  }

  private struct Place: Hashable {
    let address: UInt
    let byteCount: Int
  }

  private let known = Mutex<[Place: Known]>([:])

  /// Bytes that are hashed as one: the pieces of a large tensor are hashed on all threads.
  private static let piece = 1 << 22

  /// Takes in what the values of a group are computed from: the operations with their attributes, and the parameters.
  ///
  /// - Throws: `Diagnostic` when a parameter cannot be read.
  func add(_ part: Graph, to hasher: inout Fingerprinter) throws {
    hasher.add(part.text)
    for parameter in part.operations(of: Parameter.self) {
      let tensor: Tensor
      do {
        tensor = try part.parameters.tensor(named: parameter.op.name)
      } catch {
        throw parameter.operation.located(error)
      }
      hasher.add("\(tensor.elementType.rawValue)\(tensor.shape)")
      hasher.add(try fingerprint(of: tensor).bytes)
    }
  }

  private func fingerprint(of tensor: Tensor) throws -> Fingerprint {
    let place = unsafe tensor.withBytes {
      Place(address: UInt(bitPattern: $0.baseAddress), byteCount: $0.count)
    }
    if tensor.isMapped, let known = known.withLock({ $0[place] }) { return known.fingerprint }
    let pieces = (tensor.byteCount + Self.piece - 1) / Self.piece
    let parts = try Parallel.map(pieces) { index in
      unsafe tensor.withBytes { bytes in
        let start = index * Self.piece
        return unsafe Fingerprinter.of(
          UnsafeRawBufferPointer(rebasing: bytes[start..<min(bytes.count, start + Self.piece)]))
      }
    }
    var hasher = Fingerprinter()
    for part in parts { hasher.add(part.bytes) }
    let fingerprint = hasher.finished()
    if tensor.isMapped {
      known.withLock { $0[place] = Known(tensor: tensor, fingerprint: fingerprint) }
    }
    return fingerprint
  }
}
