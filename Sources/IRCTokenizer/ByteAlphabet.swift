/// The visible characters that byte-level vocabularies write bytes with (the GPT-2 convention).
///
/// Printable Latin-1 stands for itself; the other 68 bytes take U+0100 and up in order.
enum ByteAlphabet {
  /// Character of each byte.
  static let characters: [UInt32] = {
    var next: UInt32 = 0x100
    return (UInt32(0)..<256).map { byte in
      switch byte {
      case 0x21...0x7E, 0xA1...0xAC, 0xAE...0xFF: return byte
      default:
        next += 1
        return next - 1
      }
    }
  }()

  private static let bytesOfCharacters: [UInt8?] = {
    var table = [UInt8?](repeating: nil, count: 0x144)
    for (byte, character) in characters.enumerated() { table[Int(character)] = UInt8(byte) }
    return table
  }()

  /// The bytes that a piece stands for; nil when some character is none of the alphabet.
  static func bytes(of piece: String) -> [UInt8]? {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(piece.utf8.count)
    for scalar in piece.unicodeScalars {
      guard scalar.value < bytesOfCharacters.count,
        let byte = bytesOfCharacters[Int(scalar.value)]
      else { return nil }
      bytes.append(byte)
    }
    return bytes
  }
}
