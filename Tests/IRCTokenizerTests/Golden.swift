import Foundation
import IRCSupport
import IRCTestSupport
import IRCTokenizer

/// A tokenizer and the file that says what the reference library makes of it.
struct Golden: Sendable, CustomStringConvertible {
  var name: String
  /// The folder with `tokenizer.json`; nil when it is not there.
  var folder: String?
  var usesConfig = false

  var description: String { name }

  static let directory = (#filePath as NSString).deletingLastPathComponent + "/Golden"

  /// Small tokenizers that lie beside the golden files.
  static let tiny = [
    "tiny-gpt2", "tiny-gpt2-prefix", "tiny-gpt2-split", "tiny-llama3", "tiny-qwen2", "tiny-llama",
    "tiny-some-bytes", "tiny-unknown",
  ].map { Golden(name: $0, folder: "\(directory)/\($0)") }

  /// The real ones.
  static let shared =
    ["stories260k", "tinystories-656k", "novels-mamba-600k", "novels-mamba-4m"]
    .map { Golden(name: $0, folder: Shared.model($0)) }
    + ["tokenizer-gpt2", "tokenizer-gpt-neox-20b"]
    .map { Golden(name: $0, folder: Shared.data($0)) }
    + [
      Golden(
        name: "tinystories-656k.legacy-false", folder: Shared.model("tinystories-656k"),
        usesConfig: true)
    ]

  static var isSharedThere: Bool { shared.allSatisfy { $0.folder != nil } }

  /// All but byte-level ones lose characters that have no piece.
  static let byteLevel = ["tiny-gpt2", "tiny-gpt2-split", "tiny-llama3", "tiny-qwen2"]

  struct Texts {
    var tricky: [String]
    var random: [String]
  }

  static func texts() throws -> Texts {
    let root = try JSONValue(reading: "\(directory)/texts.json")
    return try Texts(
      tricky: root["tricky"].array().map { try $0.string() },
      random: root["random"].array().map { try $0.string() })
  }

  func tokenizer() throws -> Tokenizer {
    let folder = folder ?? ""
    return usesConfig
      ? try Tokenizer(folder: folder) : try Tokenizer(tokenizerJSON: "\(folder)/tokenizer.json")
  }

  func expected() throws -> JSONValue {
    try JSONValue(reading: "\(Golden.directory)/\(name).json")
  }
}

extension JSONValue {
  func ids() throws -> [Int32] { try array().map { Int32(try $0.int()) } }
}

/// FNV-1a of 64 bits over ids as little-endian 32-bit numbers, in hexadecimal.
func fnv(_ ids: [Int32]) -> String {
  var hash: UInt64 = 0xCBF2_9CE4_8422_2325
  for id in ids {
    let bits = UInt32(bitPattern: id)
    for shift in [UInt32(0), 8, 16, 24] {
      hash = (hash ^ UInt64((bits >> shift) & 0xFF)) &* 0x100_0000_01B3
    }
  }
  let digits = String(hash, radix: 16)
  return String(repeating: "0", count: 16 - digits.count) + digits
}

/// The stories of the TinyStories file.
func stories() throws -> [String] {
  let text = try String(
    contentsOfFile: Shared.data("tinystories-valid/stories.jsonl") ?? "", encoding: .utf8)
  return try text.split(separator: "\n").map {
    try JSONValue(parsing: String($0), path: "stories.jsonl")["text"].string()
  }
}
