package import IRCGraph
package import IRCTensor

extension Tensor {
  /// The same values in the real type of `precision`; shares storage when they have it already.
  ///
  /// Exact for every stored type narrower than the target; f64 stored values are rounded to single precision.
  package func converted(to precision: Precision) -> Tensor {
    if elementType == precision.elementType { return self }
    switch precision {
    case .single: return converted(to: Float.self)
    case .double: return converted(to: Double.self)
    }
  }

  /// The values as `Target`.
  package func converted<Target: Real>(to target: Target.Type) -> Tensor {
    switch elementType {
    case .f64: mapped(from: Double.self) { Target($0) }
    case .f32: mapped(from: Float.self) { Target($0) }
    case .f16: mapped(bits: UInt16.self) { Target(Float(halfBits: $0)) }
    case .bf16:
      mapped(bits: UInt16.self) { Target(Float(bitPattern: UInt32($0) << 16)) }
    case .i64: mapped(from: Int64.self) { Target($0) }
    case .i32: mapped(from: Int32.self) { Target($0) }
    case .i8: mapped(from: Int8.self) { Target($0) }
    case .u8: mapped(from: UInt8.self) { Target($0) }
    }
  }

  @inline(__always)
  private func mapped<Source: TensorElement, Target: Real>(
    from source: Source.Type, _ convert: (Source) -> Target
  ) -> Tensor {
    mapped(bits: Source.self, convert)
  }

  /// Converts element by element, reading the bytes as `Bits`.
  @inline(__always)
  private func mapped<Bits: BitwiseCopyable, Target: Real>(
    bits: Bits.Type, _ convert: (Bits) -> Target
  ) -> Tensor {
    let count = count
    return unsafe withBytes { bytes in
      let source = unsafe bytes.assumingMemoryBound(to: Bits.self)
      return unsafe makeTensor(shape, of: Target.self) { target in
        guard let source = source.baseAddress else { return }
        for index in 0..<count { unsafe target[index] = convert(source[index]) }
      }
    }
  }
}

extension Float {
  /// Widens an IEEE half-precision number given by its bits.
  ///
  /// Shifting the fields into place and multiplying by 2^112 corrects the exponent bias for normal and subnormal numbers
  /// alike; infinities and NaN get the largest exponent back. Without branches, so that loops vectorise.
  @inline(__always)
  package init(halfBits bits: UInt16) {
    let magnitude = UInt32(bits & 0x7FFF) << 13
    let sign = UInt32(bits & 0x8000) << 16
    let scaled = (Float(bitPattern: magnitude) * 0x1p112).bitPattern
    let special = (bits & 0x7C00) == 0x7C00 ? UInt32(0x7F80_0000) : 0
    self = Float(bitPattern: sign | scaled | special)
  }
}
