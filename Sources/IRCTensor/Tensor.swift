public import IRCSupport

/// An immutable, contiguous, row-major array of numbers: owned memory or a window of a mapped file.
///
/// Copying a tensor shares its storage.
public struct Tensor: Sendable {
  /// Type of the elements.
  public let elementType: ElementType
  /// Extents, outermost first; empty for a scalar.
  public let shape: [Int]
  private let storage: TensorStorage

  /// Number of elements.
  public var count: Int { shape.reduce(1, *) }
  /// Number of bytes.
  public var byteCount: Int { count * elementType.byteCount }
  /// True if the bytes are a window of a mapped file, so that they cost no memory of the process.
  public var isMapped: Bool { storage.isMapped }
  /// The mapped file that the bytes are a window of, and where in it they begin; nil for a tensor in memory.
  public var place: (file: MappedFile, offset: Int)? { storage.place }
  /// Product of all extents but the last: the number of rows of the tensor seen as a matrix.
  public var rows: Int { shape.dropLast().reduce(1, *) }
  /// The last extent, 1 for a scalar: the length of a row.
  public var columns: Int { shape.last ?? 1 }

  /// Allocates a tensor and lets `fill` write every element; memory starts out as zeros.
  public init<T: TensorElement>(
    _ shape: [Int], of type: T.Type = T.self,
    fill: (UnsafeMutableBufferPointer<T>) throws -> Void
  ) rethrows {
    elementType = T.elementType
    self.shape = shape
    let count = shape.reduce(1, *)
    storage = TensorStorage(byteCount: count * MemoryLayout<T>.stride)
    try unsafe fill(storage.elements(as: T.self, count: count))
  }

  /// A tensor with the given elements.
  public init<T: TensorElement>(_ shape: [Int], _ elements: [T]) {
    precondition(elements.count == shape.reduce(1, *), "element count does not fit the shape")
    unsafe self.init(shape, of: T.self) { unsafe _ = $0.update(from: elements) }
  }

  /// A tensor whose elements are all zero.
  public init(zeros shape: [Int], _ type: ElementType) {
    elementType = type
    self.shape = shape
    storage = TensorStorage(byteCount: shape.reduce(1, *) * type.byteCount)
  }

  /// A window of a mapped file.
  ///
  /// - Precondition: the window lies inside the file and begins at a multiple of the element size in memory.
  public init(mapping file: MappedFile, at offset: Int, shape: [Int], _ type: ElementType) {
    elementType = type
    self.shape = shape
    storage = TensorStorage(
      mapping: file, at: offset, byteCount: shape.reduce(1, *) * type.byteCount)
  }

  /// A copy of bytes, which may lie at any address.
  ///
  /// - Precondition: there are as many bytes as the elements take.
  public init(copying bytes: UnsafeRawBufferPointer, shape: [Int], _ type: ElementType) {
    let byteCount = shape.reduce(1, *) * type.byteCount
    precondition(bytes.count == byteCount, "byte count does not fit the shape")
    elementType = type
    self.shape = shape
    storage = TensorStorage(byteCount: byteCount)
    let target = unsafe storage.elements(as: UInt8.self, count: byteCount)
    unsafe UnsafeMutableRawBufferPointer(target).copyMemory(from: bytes)
  }

  private init(_ type: ElementType, _ shape: [Int], _ storage: TensorStorage) {
    elementType = type
    self.shape = shape
    self.storage = storage
  }

  /// The same elements under another shape of the same count.
  public func reshaped(_ shape: [Int]) -> Tensor {
    precondition(shape.reduce(1, *) == count, "reshape changes the element count")
    return Tensor(elementType, shape, storage)
  }

  /// Lends the elements.
  ///
  /// - Precondition: `T` is the Swift type of `elementType`.
  public func withElements<T: TensorElement, Result>(
    as type: T.Type = T.self, _ body: (UnsafeBufferPointer<T>) throws -> Result
  ) rethrows -> Result {
    precondition(T.elementType == elementType, "tensor holds \(elementType), not \(T.elementType)")
    return try unsafe body(UnsafeBufferPointer(storage.elements(as: T.self, count: count)))
  }

  /// Lends the bytes.
  public func withBytes<Result>(
    _ body: (UnsafeRawBufferPointer) throws -> Result
  ) rethrows -> Result {
    try unsafe body(
      UnsafeRawBufferPointer(
        UnsafeBufferPointer(storage.elements(as: UInt8.self, count: byteCount)))
    )
  }

  /// The elements as an array; for small tensors.
  public func array<T: TensorElement>(of type: T.Type = T.self) -> [T] {
    unsafe withElements(as: T.self) { unsafe Array($0) }
  }

  /// The rows `range` of the tensor seen as a matrix of its outermost extent; shares the storage.
  public func slice(rows range: Range<Int>) -> Tensor {
    precondition(!shape.isEmpty && range.lowerBound >= 0 && range.upperBound <= shape[0])
    let rowBytes = shape.dropFirst().reduce(1, *) * elementType.byteCount
    return Tensor(
      elementType, [range.count] + shape.dropFirst(),
      TensorStorage(window: storage, at: range.lowerBound * rowBytes))
  }
}

/// Memory of a tensor: freed, unmapped or released with the last tensor that uses it.
///
/// SAFETY: the memory is written only while its tensor is being made, before it is shared; afterwards it is read-only, and
/// `owner` keeps it alive.
@safe
final class TensorStorage: @unchecked Sendable {
  private let start: UnsafeMutableRawPointer
  private let owner: AnyObject?
  let isMapped: Bool

  /// Zeroed memory on a cache-line boundary.
  init(byteCount: Int) {
    isMapped = false
    if let block = LargeBlock(byteCount: byteCount) {
      unsafe start = block.start
      owner = block
      return
    }
    unsafe start = UnsafeMutableRawPointer.allocate(byteCount: max(byteCount, 1), alignment: 64)
    unsafe start.initializeMemory(as: UInt8.self, repeating: 0, count: byteCount)
    owner = nil
  }

  init(mapping file: MappedFile, at offset: Int, byteCount: Int) {
    precondition(unsafe offset >= 0 && byteCount >= 0 && offset + byteCount <= file.bytes.count)
    if let base = unsafe file.bytes.baseAddress {
      unsafe start = UnsafeMutableRawPointer(mutating: base + offset)
    } else {
      unsafe start = UnsafeMutableRawPointer.allocate(byteCount: 1, alignment: 64)
    }
    owner = file
    isMapped = true
  }

  init(window storage: TensorStorage, at offset: Int) {
    unsafe start = storage.start + offset
    owner = storage
    isMapped = storage.isMapped
  }

  /// The file below all windows, and where the memory begins in it.
  var place: (file: MappedFile, offset: Int)? {
    switch owner {
    case let file as MappedFile:
      guard let base = unsafe file.bytes.baseAddress else { return nil }
      return (file, unsafe UnsafeRawPointer(start) - base)
    case let window as TensorStorage:
      guard let (file, offset) = window.place else { return nil }
      return (file, unsafe start - window.start + offset)
    default: return nil
    }
  }

  deinit {
    if owner == nil { unsafe start.deallocate() }
  }

  func elements<T: TensorElement>(as type: T.Type, count: Int) -> UnsafeMutableBufferPointer<T> {
    unsafe UnsafeMutableBufferPointer(start: start.assumingMemoryBound(to: T.self), count: count)
  }
}
