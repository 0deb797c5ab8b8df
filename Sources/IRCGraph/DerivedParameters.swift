import IRCSupport
public import IRCTensor

/// Tensors in memory that passes computed, laid over the checkpoint's.
///
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
  /// - Throws: `Diagnostic` `parameters.duplicate` when the name means another tensor.
  public mutating func add(_ tensor: Tensor, named name: String) throws {
    let key = Array(name.utf8)
    if let known = tensors[key] ?? (try? underlying.tensor(named: name)) {
      guard known.isEqual(to: tensor) else {
        throw Diagnostic(
          "parameters.duplicate", "there is a tensor '\(name)' already, with other content",
          hint: "name a derived tensor after the pass instance and the place that it is for")
      }
      return
    }
    tensors[key] = tensor
  }

  public func tensor(named name: String) throws -> Tensor {
    try tensors[Array(name.utf8)] ?? underlying.tensor(named: name)
  }
}

extension Tensor {
  /// True if type, shape and every byte agree.
  fileprivate func isEqual(to other: Tensor) -> Bool {
    guard elementType == other.elementType, shape == other.shape else { return false }
    return unsafe withBytes { a in unsafe other.withBytes { b in unsafe a.elementsEqual(b) } }
  }
}
