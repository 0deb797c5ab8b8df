import IRCSupport
import IRCTensor

/// An element that is not a number or infinite.
public struct NonFiniteElement: Hashable, Sendable {
  /// Its place, one index for each axis.
  public let indices: [Int]
  /// `nan`, `inf` or `-inf`.
  public let value: String
}

extension Checkpoint {
  /// The first element of a tensor that is NaN or infinite; nil when all are finite or the elements are integers.
  ///
  /// - Throws: `Diagnostic` `checkpoint.missing-tensor` when there is no such tensor.
  public func firstNonFinite(in name: String) throws -> NonFiniteElement? {
    let (file, tensor) = try place(of: name)
    let found: (index: Int, value: String)? = unsafe file.withBytes(
      of: tensor
    ) { bytes in
      switch tensor.type.element {
      case .f64:
        unsafe firstSpecial(bytes, exponent: 0x7FF0_0000_0000_0000 as UInt64, mantissaBits: 52)
      case .f32: unsafe firstSpecial(bytes, exponent: 0x7F80_0000 as UInt32, mantissaBits: 23)
      case .f16: unsafe firstSpecial(bytes, exponent: 0x7C00 as UInt16, mantissaBits: 10)
      case .bf16: unsafe firstSpecial(bytes, exponent: 0x7F80 as UInt16, mantissaBits: 7)
      case .i64, .i32, .i8, .u8, nil: nil
      }
    }
    guard let found else { return nil }
    var indices: [Int] = []
    var rest = found.index
    for extent in tensor.shape.reversed() {
      indices.append(rest % extent)
      rest /= extent
    }
    return NonFiniteElement(indices: indices.reversed(), value: found.value)
  }
}

extension LoadedModel {
  /// Refuses a model of which a weight that the graph reads is NaN or infinite: whatever it computed would be no figure of the
  /// model.
  ///
  /// Reads all of these weights once, on all threads; emission does without, since it looks at each element that it packs.
  ///
  /// - Throws: `Diagnostic` `weights.non-finite` with the first such tensor, its file and the element.
  public func checkFinite() throws {
    let tensors = accounting.used
    try Parallel.forEach(tensors.count) { index in
      let tensor = tensors[index]
      guard let found = try checkpoint.firstNonFinite(in: tensor.name) else { return }
      let value = found.value == "nan" ? "NaN" : found.value
      throw Diagnostic(
        "weights.non-finite",
        "tensor '\(tensor.name)' has the value \(value) at element \(found.indices)",
        at: SourceLocation(file: tensor.file),
        hint: "the checkpoint is damaged, or it was trained to overflow; no scale can represent it")
    }
  }
}

/// The first number whose exponent bits are all ones.
///
/// One unit of the exponent added to all its bits carries into the sign, and to no fewer: so and, add and or, which vectorise
/// well, tell whether a run of elements has such a number; then the run is searched.
private func firstSpecial<Bits: FixedWidthInteger & UnsignedInteger>(
  _ bytes: UnsafeRawBufferPointer, exponent: Bits, mantissaBits: Int
) -> (index: Int, value: String)? {
  let size = MemoryLayout<Bits>.size
  let count = bytes.count / size
  guard let start = bytes.baseAddress else { return nil }
  let (unit, sign) = ((1 as Bits) << Bits(mantissaBits), (1 as Bits) << Bits(Bits.bitWidth - 1))
  let run = 4096
  for first in stride(from: 0, to: count, by: run) {
    let last = min(count, first + run)
    var carries: Bits = 0
    for index in first..<last {
      let bits = unsafe (start + index &* size).loadUnaligned(as: Bits.self)
      carries |= (bits & exponent) &+ unit
    }
    if carries & sign == 0 { continue }
    for index in first..<last {
      let bits = unsafe (start + index &* size).loadUnaligned(as: Bits.self)
      guard bits & exponent == exponent else { continue }
      return (index, bits & (unit - 1) != 0 ? "nan" : bits & sign != 0 ? "-inf" : "inf")
    }
  }
  return nil
}
