import IRCSupport
import IRCTensor
import Synchronization

/// A safetensors file, mapped: its header is read and checked at once, its data only where it is touched.
public final class SafetensorsFile: Sendable {
  /// Path that was opened.
  public let path: String
  /// The tensors in the order of their data.
  public let tensors: [StoredTensor]
  /// The file's own remarks, in the order written.
  public let metadata: [(key: String, value: String)]
  private let mapping: MappedFile
  /// The last copies of tensors that do not lie at a multiple of their element size.
  private let copies = Mutex<[(offset: Int, tensor: Tensor)]>([])

  /// Copies that are kept, so that reading a tensor row by row does not copy it each time.
  private static let copyLimit = 2

  /// Maps a file and reads its header.
  ///
  /// - Throws: `Diagnostic` `file.unreadable`, or a `DiagnosticList` with `checkpoint.truncated`, `checkpoint.header`,
  ///   `checkpoint.dtype`, `checkpoint.shape` and `checkpoint.offsets`.
  public init(path: String) throws {
    mapping = try MappedFile(path: path)
    let header = try unsafe SafetensorsHeader(mapping.bytes, file: path)
    self.path = path
    tensors = header.tensors
    metadata = header.metadata
  }

  /// The elements of one of the file's tensors, mapped where they lie at a multiple of their size, else copied.
  ///
  /// - Throws: `Diagnostic` `checkpoint.dtype` when no tensor can hold such elements.
  func read(_ tensor: StoredTensor) throws -> Tensor {
    guard let element = tensor.type.element else {
      throw Diagnostic(
        "checkpoint.dtype", "tensor '\(tensor.name)' is stored as \(tensor.type.name)",
        at: SourceLocation(file: path), hint: "convert the checkpoint to F32, F16 or BF16")
    }
    let offset = tensor.bytes.lowerBound
    // Mappings begin at a page, so the place in the file decides.
    if offset.isMultiple(of: element.byteCount) {
      return Tensor(mapping: mapping, at: offset, shape: tensor.shape, element)
    }
    if let copy = copies.withLock({ $0.first { $0.offset == offset } }) { return copy.tensor }
    let bytes = unsafe UnsafeRawBufferPointer(rebasing: mapping.bytes[tensor.bytes])
    let copy = unsafe Tensor(copying: bytes, shape: tensor.shape, element)
    copies.withLock {
      $0.append((offset, copy))
      if $0.count > SafetensorsFile.copyLimit { $0.removeFirst() }
    }
    return copy
  }

  /// The bytes of one of the file's tensors.
  func withBytes<Result>(
    of tensor: StoredTensor, _ body: (UnsafeRawBufferPointer) throws -> Result
  ) rethrows -> Result {
    try unsafe body(UnsafeRawBufferPointer(rebasing: mapping.bytes[tensor.bytes]))
  }
}
