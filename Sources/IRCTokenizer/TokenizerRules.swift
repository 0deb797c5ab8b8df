internal import IRCSupport

/// An error about a setting that would change ids in a way that is not known exactly.
func unsupported(_ value: JSONValue, _ message: String) -> Diagnostic {
  value.diagnostic(
    "tokenizer.unsupported", message,
    hint:
      "supported are byte-level BPE (the GPT-2 kind) and BPE with byte fallback (the Llama kind)")
}

/// Refuses settings that nobody asked for: they may mean something.
func refuseUnknownKeys(_ reader: JSONObjectReader) throws {
  if let member = reader.unread.first {
    throw unsupported(member.value, "the key '\(member.value.keyPath)' is not known")
  }
}

extension Normalizer {
  init(reading value: JSONValue) throws {
    let reader = try JSONObjectReader(value)
    let type = try reader.required("type")
    switch try type.string() {
    case "NFC": self = .composition
    case "Prepend": self = .prepend(Array(try reader.required("prepend").string().utf8))
    case "Replace":
      let (pattern, content) = try readReplace(reader)
      self = .replace(pattern, with: content)
    case "Sequence":
      let steps = try reader.required("normalizers").array().map { try Normalizer(reading: $0) }
      self = .sequence(steps)
    case let other: throw unsupported(type, "normalizers of the type '\(other)' are not supported")
    }
    try refuseUnknownKeys(reader)
  }
}

/// The pattern and the content of a `Replace`; only fixed strings are supported.
func readReplace(_ reader: JSONObjectReader) throws -> (pattern: [UInt8], content: [UInt8]) {
  let value = try reader.required("pattern")
  let pattern = try JSONObjectReader(value)
  guard let text = pattern.optional("String"), try !text.string().isEmpty else {
    throw unsupported(value, "only patterns that are a fixed string are supported")
  }
  try refuseUnknownKeys(pattern)
  return try (Array(text.string().utf8), Array(reader.required("content").string().utf8))
}

/// How a `pre_tokenizer` cuts text.
struct WordRule {
  var splitter = WordSplitter.whole
  var isByteLevel = false
  var addsPrefixSpace = false

  init() {}

  init(reading value: JSONValue) throws {
    let reader = try JSONObjectReader(value)
    let type = try reader.required("type")
    switch try type.string() {
    case "ByteLevel":
      isByteLevel = true
      addsPrefixSpace = try reader.required("add_prefix_space").bool()
      splitter = try reader.optional("use_regex")?.bool() ?? true ? .gpt2 : .whole
      reader.ignore(["trim_offsets"])
    case "Split": splitter = try WordRule.readSplit(reader)
    case "Sequence": try readSequence(reader, value)
    case let other:
      throw unsupported(type, "pre-tokenizers of the type '\(other)' are not supported")
    }
    try refuseUnknownKeys(reader)
  }

  /// One cut followed by bytes without a cut, or a single step.
  private mutating func readSequence(_ reader: JSONObjectReader, _ value: JSONValue) throws {
    let steps = try reader.required("pretokenizers").array().map { try WordRule(reading: $0) }
    switch (steps.first, steps.dropFirst().first, steps.count) {
    case (let only?, nil, _): self = only
    case (let cut?, let bytes?, 2)
    where !cut.isByteLevel && bytes.splitter == .whole && !bytes.addsPrefixSpace:
      self = bytes
      splitter = cut.splitter
    default:
      throw unsupported(
        value, "of sequences only [Split, ByteLevel without a pattern] is supported")
    }
  }

  private static func readSplit(_ reader: JSONObjectReader) throws -> WordSplitter {
    let pattern = try reader.required("pattern")
    let behavior = try reader.required("behavior")
    guard try behavior.string() == "Isolated" else {
      throw unsupported(behavior, "only the behavior 'Isolated' is supported")
    }
    if let invert = reader.optional("invert"), try invert.bool() {
      throw unsupported(invert, "inverted patterns are not supported")
    }
    if let splitter = try pattern.optional("Regex").flatMap({ patterns[try $0.string()] }) {
      return splitter
    }
    throw unsupported(pattern, "the pattern is not one of those that are known by heart")
  }

  private static let patterns: [String: WordSplitter] = {
    let contractions = "'s|'t|'re|'ve|'m|'ll|'d"
    let gpt2 = contractions + #"| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#
    let start = "(?i:\(contractions))" + #"|[^\r\n\p{L}\p{N}]?\p{L}+|"#
    let end = #"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
    return [
      gpt2: .gpt2,
      start + #"\p{N}{1,3}"# + end: .tiktoken(digits: 3),
      start + #"\p{N}"# + end: .tiktoken(digits: 1),
    ]
  }()
}
