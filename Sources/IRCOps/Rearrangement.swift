import IRCTensor

extension Tensor {
  /// A new tensor of the same element type whose bytes `fill` takes from this one.
  func rearranged(
    _ shape: [Int], _ fill: (UnsafeRawPointer, UnsafeMutableRawPointer) throws -> Void
  ) throws -> Tensor {
    try unsafe withBytes { bytes in
      let source = bytes.baseAddress
      func make<Element: TensorElement>(_ type: Element.Type) throws -> Tensor {
        try unsafe makeTensor(shape, of: Element.self) { target in
          if let source = unsafe source {
            try unsafe fill(source, UnsafeMutableRawPointer(target))
          }
        }
      }
      switch elementType {
      case .f64: return try make(Double.self)
      case .f32: return try make(Float.self)
      case .i64: return try make(Int64.self)
      case .i32: return try make(Int32.self)
      case .i8: return try make(Int8.self)
      case .u8: return try make(UInt8.self)
      case .f16, .bf16: throw OperatorErrors.storedOnly(elementType)
      }
    }
  }
}
