/// The type of one element of a tensor, named as in the textual IR.
public enum ElementType: String, Hashable, Sendable, CaseIterable {
  case f64, f32, f16, bf16, i64, i32, i8, u8

  /// Size of one element in bytes.
  public var byteCount: Int {
    switch self {
    case .f64, .i64: 8
    case .f32, .i32: 4
    case .f16, .bf16: 2
    case .i8, .u8: 1
    }
  }

  /// True for the floating-point types.
  public var isFloat: Bool {
    switch self {
    case .f64, .f32, .f16, .bf16: true
    case .i64, .i32, .i8, .u8: false
    }
  }
}

/// A Swift type whose values a tensor can hold.
public protocol TensorElement: BitwiseCopyable, Sendable, Hashable {
  /// The element type that this Swift type stands for.
  static var elementType: ElementType { get }
}

extension Double: TensorElement {
  public static var elementType: ElementType { .f64 }
}
extension Float: TensorElement {
  public static var elementType: ElementType { .f32 }
}
extension Int64: TensorElement {
  public static var elementType: ElementType { .i64 }
}
extension Int32: TensorElement {
  public static var elementType: ElementType { .i32 }
}
extension Int8: TensorElement {
  public static var elementType: ElementType { .i8 }
}
extension UInt8: TensorElement {
  public static var elementType: ElementType { .u8 }
}
