import Foundation
internal import IRCSupport

/// The parts of `tokenizer_config.json` that change ids or name them.
struct TokenizerConfig {
  /// The start token with its place; nil when there is none.
  var start: TokenName?
  /// The end token with its place; nil when there is none.
  var end: TokenName?
  /// False when a Llama tokenizer says `legacy: false`: then text gets no piece for a space in front.
  var addsPrefix: Bool

  /// The content of a token and the value that says so.
  struct TokenName {
    var content: String
    var value: JSONValue
  }

  /// Keys of no interest are left alone: the file is a dump of constructor arguments.
  init(reading path: String) throws {
    let root = try JSONValue(reading: path, allowNonFinite: true)
    start = try TokenizerConfig.token(root, "bos_token")
    end = try TokenizerConfig.token(root, "eos_token")
    let isLlama =
      try root.optional("tokenizer_class")?.string().hasPrefix("LlamaTokenizer") ?? false
    addsPrefix = try !isLlama || root.optional("legacy")?.bool() ?? true
  }

  static func exists(_ path: String) -> Bool {
    FileManager.default.fileExists(atPath: path)
  }

  /// A token is written as a string, or as an object with its `content`.
  private static func token(_ root: JSONValue, _ key: String) throws -> TokenName? {
    guard let value = try root.optional(key) else { return nil }
    if case .object = value.content {
      return try TokenName(content: value["content"].string(), value: value["content"])
    }
    return try TokenName(content: value.string(), value: value)
  }
}
