/// What the splitting patterns of byte-level tokenizers tell apart.
enum ScalarClass {
  /// `\p{L}`
  case letter
  /// `\p{N}`
  case number
  /// `\s`
  case space
  case other

  /// The class of a scalar value after Unicode 16.0, the version of the reference library's pattern engine.
  @inline(__always)
  init(_ value: UInt32) {
    self = value < 0x80 ? ScalarClass.ascii[Int(value)] : ScalarClass.wide(value)
  }

  private static let ascii: [ScalarClass] = (UInt32(0)..<0x80).map { wide($0) }

  private static func wide(_ value: UInt32) -> ScalarClass {
    guard let properties = Unicode.Scalar(value)?.properties else { return .other }
    let kind: ScalarClass
    switch properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter:
      kind = .letter
    case .decimalNumber, .letterNumber, .otherNumber:
      kind = .number
    default:
      return properties.isWhitespace ? .space : .other
    }
    // Characters added since are not yet letters there.
    guard value >= 0x80, let age = properties.age, age.major > 16 else { return kind }
    return .other
  }
}
