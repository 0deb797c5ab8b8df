import IRCSupport
public import IRCTensor

/// Tensors that passes computed, laid over the checkpoint's.
///
/// Large ones lie in nameless temporary files, so that what passes compute for each layer does not add up in memory.
/// A name has one meaning: it is compared byte by byte, and adding other content under a name that exists is an error.
public struct DerivedParameters: ParameterSource {
  /// Where all other tensors come from.
  public let underlying: any ParameterSource
  private var tensors: [[UInt8]: Tensor] = [:]

  /// Nothing over `underlying` yet.
  public init(over underlying: any ParameterSource) {
    self.underlying = underlying
  }

  /// Adds a tensor; nothing happens if there is the same one already.
  ///
  /// - Throws: `Diagnostic` `parameters.duplicate` when the name means another tensor, `parameters.non-finite` for values that no
  ///   weight may have.
  public mutating func add(_ tensor: Tensor, named name: String) throws {
    if let index = tensor.firstNonFinite {
      throw Diagnostic(
        "parameters.non-finite", "element \(index) of the derived tensor '\(name)' is not finite",
        hint: "look for a division by zero or overflow in what it was computed from")
    }
    let key = Array(name.utf8)
    if let known = tensors[key] ?? (try? underlying.tensor(named: name)) {
      guard known.isEqual(to: tensor) else {
        throw Diagnostic(
          "parameters.duplicate", "there is a tensor '\(name)' already, with other content",
          hint: "name a derived tensor after the pass instance and the place that it is for")
      }
      return
    }
    tensors[key] = tensor.byteCount < Self.largestInMemory ? tensor : try tensor.spilled()
  }

  /// The same without the tensors whose names are not among `names`, given by their bytes.
  public func keeping(_ names: Set<[UInt8]>) -> DerivedParameters {
    var kept = self
    kept.tensors = tensors.filter { names.contains($0.key) }
    return kept
  }

  /// The tensor of that name if a pass computed it; nil for those of `underlying`.
  public func derived(_ name: String) -> Tensor? { tensors[Array(name.utf8)] }

  /// Bytes from which on a tensor goes to disk.
  private static let largestInMemory = 1 << 20

  public func tensor(named name: String) throws -> Tensor {
    try tensors[Array(name.utf8)] ?? underlying.tensor(named: name)
  }
}

extension Tensor {
  /// The same tensor in a temporary file; itself if it lies in a file already.
  fileprivate func spilled() throws -> Tensor {
    if isMapped { return self }
    let file = try unsafe withBytes { try unsafe MappedFile(scratch: $0) }
    return Tensor(mapping: file, at: 0, shape: shape, elementType)
  }

  /// Index of the first infinity or NaN of a tensor of f16, f32 or f64.
  fileprivate var firstNonFinite: Int? {
    switch elementType {
    case .f32: unsafe withElements(as: Float.self) { unsafe $0.firstIndex { !$0.isFinite } }
    case .f64: unsafe withElements(as: Double.self) { unsafe $0.firstIndex { !$0.isFinite } }
    case .f16:
      unsafe withBytes { bytes in
        unsafe bytes.bindMemory(to: UInt16.self).firstIndex { $0 & 0x7C00 == 0x7C00 }
      }
    case .bf16, .i64, .i32, .i8, .u8: nil
    }
  }

  /// True if type, shape and every byte agree.
  fileprivate func isEqual(to other: Tensor) -> Bool {
    guard elementType == other.elementType, shape == other.shape else { return false }
    return unsafe withBytes { a in unsafe other.withBytes { b in unsafe a.elementsEqual(b) } }
  }
}
