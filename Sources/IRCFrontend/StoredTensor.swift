public import IRCTensor

/// One tensor of a checkpoint, as its file describes it.
public struct StoredTensor: Hashable, Sendable {
  /// Name in the checkpoint.
  public let name: String
  /// How an element is stored.
  public let type: StoredType
  /// Extents, outermost first; empty for a scalar.
  public let shape: [Int]
  /// Path of the file that holds it.
  public let file: String
  /// Bytes of the file that it takes up.
  public let bytes: Range<Int>

  /// Number of elements.
  public var count: Int { shape.reduce(1, *) }

  /// Type and extents as in messages, such as `F16[64, 8]`.
  public var description: String {
    "\(type.name)[\(shape.map(String.init).joined(separator: ", "))]"
  }
}

/// An element type that the safetensors format knows.
public struct StoredType: Hashable, Sendable {
  /// Name in the file, such as `BF16`.
  public let name: String
  /// Bits of one element; less than 8 for packed formats.
  public let bits: Int
  /// The same as an element type of tensors; nil for those that `irc` has no use for.
  public let element: ElementType?

  /// True for the types that weights may have: f32, f16 and bf16.
  public var isWeight: Bool { element == .f32 || element == .f16 || element == .bf16 }

  /// The type of that name; nil if the format has none.
  init?(name: String) {
    guard let type = StoredType.all.first(where: { $0.name == name }) else { return nil }
    self = type
  }

  private init(_ name: String, _ bits: Int, _ element: ElementType? = nil) {
    self.name = name
    self.bits = bits
    self.element = element
  }

  /// Every type of the format, in the order of its reference library.
  static let all = [
    StoredType("BOOL", 8), StoredType("F4", 4), StoredType("F6_E2M3", 6),
    StoredType("F6_E3M2", 6), StoredType("U8", 8, .u8), StoredType("I8", 8, .i8),
    StoredType("F8_E5M2", 8), StoredType("F8_E4M3", 8), StoredType("F8_E8M0", 8),
    StoredType("F8_E4M3FNUZ", 8), StoredType("F8_E5M2FNUZ", 8), StoredType("I16", 16),
    StoredType("U16", 16), StoredType("F16", 16, .f16), StoredType("BF16", 16, .bf16),
    StoredType("I32", 32, .i32), StoredType("U32", 32), StoredType("F32", 32, .f32),
    StoredType("C64", 64), StoredType("F64", 64, .f64), StoredType("I64", 64, .i64),
    StoredType("U64", 64),
  ]
}
