/// The frame of a weights file: a header of 64 bytes, the data, a table in JSON, and the checksum of data and table.
///
/// Header, little-endian words of 8 bytes: magic, version, file size, fingerprint, bytes of data, bytes of the table, 0, 0.
enum WeightFile {
  /// `IRCWGT`, and bytes that a transfer as text would change.
  private static let magic: [UInt8] = Array("IRCWGT".utf8) + [0x0D, 0x0A]
  static let version: UInt64 = 1
  static let headerBytes = 64
  static let magicText = Checksum.hexadecimal(word(magic))

  /// Size of a file with that much between header and checksum.
  static func fileBytes(body: Int) -> Int { headerBytes + body + 8 }

  /// The header.
  static func header(data: Int, table: Int, fingerprint: UInt64) -> [UInt8] {
    let words = [
      word(magic), version, UInt64(fileBytes(body: data + table)), fingerprint, UInt64(data),
      UInt64(table), 0, 0,
    ]
    return words.flatMap(bytes(of:))
  }

  /// The bytes of a word, the lowest first.
  static func bytes(of word: UInt64) -> [UInt8] {
    (0..<8).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) }
  }

  private static func word(_ bytes: [UInt8]) -> UInt64 {
    bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }

  /// Every tensor and where its parts are, as JSON that is filled up with spaces to whole runs of 64 bytes.
  static func table(_ layout: WeightLayout, model: String) -> [UInt8] {
    let tensors = layout.tensors.map { tensor in
      let sections = tensor.sections.map {
        "{\"role\":\"\($0.role)\",\"offset\":\($0.offset),\"bytes\":\($0.bytes)}"
      }
      return "{\"name\":\(quoted(tensor.name)),\"shape\":\(tensor.shape.json),"
        + "\"format\":\(quoted(tensor.format)),\"sections\":[\(sections.joined(separator: ","))]}"
    }
    let text =
      "{\"model\":\(quoted(model)),\"tensors\":[\n" + tensors.joined(separator: ",\n") + "\n]}\n"
    let bytes = Array(text.utf8)
    return bytes + [UInt8](repeating: 0x20, count: (64 - bytes.count % 64) % 64)
  }

  private static func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"", "\\": result += "\\\(scalar)"
      case _ where scalar.value < 0x20:
        let digits = String(scalar.value, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}

extension [Int] {
  fileprivate var json: String { "[" + map(String.init).joined(separator: ",") + "]" }
}
