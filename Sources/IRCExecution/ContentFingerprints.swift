public import IRCGraph
import IRCOps
public import IRCSupport
public import IRCTensor
import Synchronization

/// Where fingerprints of windows of files are kept beyond the run, by what the files were when they were read.
public protocol FingerprintMemory: Sendable {
  /// What was kept; nil if nothing was.
  func fingerprint(of window: FileWindow) -> SHA256.Digest?
  /// Keeps a fingerprint.
  func keep(_ fingerprint: SHA256.Digest, of window: FileWindow)
}

/// A tensor as it lies in a file.
public struct FileWindow: Hashable, Sendable {
  /// The file, and its state.
  public let file: FileIdentity
  /// First byte of the tensor in the file.
  public let offset: Int
  /// Type of the elements.
  public let type: ElementType
  /// Extents.
  public let shape: [Int]

  /// Names a window.
  public init(file: FileIdentity, offset: Int, type: ElementType, shape: [Int]) {
    self.file = file
    self.offset = offset
    self.type = type
    self.shape = shape
  }
}

/// Fingerprints of what values are computed from, to know results again.
///
/// Parameters count with their elements, so that it does not matter whether they lie in a checkpoint or a pass made them.
/// Those of mapped files are read once in the life of this object.
public final class ContentFingerprints: Sendable {
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

  private let memory: (any FingerprintMemory)?
  private let known = Mutex<[Place: Known]>([:])

  /// Knows nothing yet but what `memory` holds.
  public init(memory: (any FingerprintMemory)? = nil) {
    self.memory = memory
  }

  /// Takes in what the values of a part are computed from: the operations with their attributes, and the parameters.
  ///
  /// - Parameter seen: parameters of the same source that were read before, by the bytes of their names.
  /// - Throws: `Diagnostic` when a parameter cannot be read.
  public func add(
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

  /// The fingerprint of a graph: its text, with locations and facts, and the elements of its parameters.
  ///
  /// - Throws: `Diagnostic` when a parameter cannot be read.
  public func fingerprint(of graph: Graph) throws -> SHA256.Digest {
    var hasher = SHA256()
    var seen: [[UInt8]: SHA256.Digest] = [:]
    try add(graph, to: &hasher, seen: &seen)
    return hasher.digest()
  }

  /// The fingerprint of a tensor: its type, shape and elements.
  public func fingerprint(of tensor: Tensor) throws -> SHA256.Digest {
    let place = Self.place(of: tensor)
    if tensor.isMapped, let known = known.withLock({ $0[place] }) { return known.fingerprint }
    let window = Self.window(of: tensor)
    if let window, let kept = memory?.fingerprint(of: window) {
      learn(kept, of: tensor)
      return kept
    }
    var hasher = SHA256()
    hasher.add("\(tensor.elementType.rawValue)\(tensor.shape)")
    hasher.add(try unsafe tensor.withBytes { try unsafe SHA256.hashInPieces($0) }.bytes)
    let fingerprint = hasher.digest()
    learn(fingerprint, of: tensor)
    if let window { memory?.keep(fingerprint, of: window) }
    return fingerprint
  }

  /// Takes the fingerprint of a mapped tensor from whoever has computed it.
  public func learn(_ fingerprint: SHA256.Digest, of tensor: Tensor) {
    guard tensor.isMapped else { return }
    let place = Self.place(of: tensor)
    known.withLock { $0[place] = Known(tensor: tensor, fingerprint: fingerprint) }
  }

  private static func place(of tensor: Tensor) -> Place {
    unsafe tensor.withBytes {
      Place(
        address: UInt(bitPattern: $0.baseAddress), type: tensor.elementType, shape: tensor.shape)
    }
  }

  private static func window(of tensor: Tensor) -> FileWindow? {
    guard let (file, offset) = tensor.place, let identity = file.identity else { return nil }
    return FileWindow(
      file: identity, offset: offset, type: tensor.elementType, shape: tensor.shape)
  }
}
