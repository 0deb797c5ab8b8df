internal import IRCSupport

/// Reads the parts of a `tokenizer.json`; everything that it does not know exactly is an error.
struct TokenizerReader {
  /// Ids above this would make tables of absurd size.
  static let highestID = (1 << 24) - 1

  private let root: JSONObjectReader
  private let addsPrefix: Bool
  private var ids: [ByteKey: Int32] = [:]
  private var names: [String?] = []
  private var added: [AddedToken] = []
  private let model: JSONObjectReader
  private let vocabulary: JSONObject

  init(_ value: JSONValue, addsPrefix: Bool) throws {
    self.addsPrefix = addsPrefix
    root = try JSONObjectReader(value)
    root.ignore(["truncation", "padding"])
    if let version = root.optional("version") { _ = try version.string(oneOf: ["1.0"]) }
    model = try JSONObjectReader(root.required("model"))
    if let type = model.optional("type"), try type.string() != "BPE" {
      throw unsupported(type, "models of the type '\(try type.string())' are not supported")
    }
    vocabulary = try model.required("vocab").object()
    try readVocabulary()
    try readAddedTokens()
  }

  /// The id of a token that another file names.
  func id(of token: TokenizerConfig.TokenName) throws -> Int32 {
    if let id = ids[ByteKey(token.content)] { return id }
    throw token.value.diagnostic(
      "tokenizer.unknown-piece",
      "\(JSON.string(token.content).serialized()) is not a token of \(root.object.value.file)")
  }

  /// Whether the vocabulary or the added tokens have this id.
  func hasToken(_ id: Int) -> Bool {
    names.indices.contains(id) && names[id] != nil
  }

  func parts() throws -> TokenizerParts {
    let read = try root.optional("normalizer").map { try Normalizer(reading: $0) } ?? .none
    let normalizer = addsPrefix ? read : read.withoutPrepend
    let words = try root.optional("pre_tokenizer").map { try WordRule(reading: $0) } ?? WordRule()
    let template = try root.optional("post_processor").map { try readTemplate($0) } ?? .init()
    let bpe = try readModel(isByteLevel: words.isByteLevel)
    var matchers = (raw: AddedTokenMatcher(), normalized: AddedTokenMatcher())
    var decoded = names
    for token in added {
      var isNew: Bool
      if token.isNormalized {
        let pattern = try normalizer.apply(Array(token.content.utf8))
        // Decoding shows the normalised form, as the reference does.
        decoded[Int(token.id)] = String(decoding: pattern, as: UTF8.self)
        isNew = matchers.normalized.add(token, pattern: pattern)
      } else {
        isNew = matchers.raw.add(token, pattern: Array(token.content.utf8))
      }
      if !isNew { throw ambiguous(token) }
    }
    let decoder = try DecodingRule(root.optional("decoder"), keepsStart: !addsPrefix)
    let special = Set(added.filter(\.isSpecial).map { ByteKey($0.content) })
    try refuseUnknownKeys(root)
    return TokenizerParts(
      ids: ids, names: names, added: added, rawMatcher: matchers.raw,
      normalizedMatcher: matchers.normalized, normalizer: normalizer, splitter: words.splitter,
      addsPrefixSpace: words.addsPrefixSpace, model: bpe, template: template,
      decoder: try decoder.decoder(of: decoded, special: special))
  }

  private func ambiguous(_ token: AddedToken) -> Diagnostic {
    root.object.value.diagnostic(
      "tokenizer.duplicate-token",
      "another added token is found by the same text as \(JSON.string(token.content).serialized())")
  }
}

// MARK: - Vocabulary

extension TokenizerReader {
  private mutating func readVocabulary() throws {
    ids.reserveCapacity(vocabulary.count)
    for member in vocabulary { try add(member.key, member.value) }
  }

  private mutating func add(_ piece: String, _ value: JSONValue) throws {
    let id = try value.int()
    guard 0...TokenizerReader.highestID ~= id else {
      throw value.diagnostic(
        "tokenizer.id-out-of-range",
        "the id \(id) is not from 0 to \(TokenizerReader.highestID)")
    }
    if id >= names.count {
      names.append(contentsOf: repeatElement(nil, count: id + 1 - names.count))
    }
    if let other = names[id] {
      throw value.diagnostic(
        "tokenizer.duplicate-id",
        "the id \(id) is that of \(JSON.string(other).serialized()) already")
    }
    names[id] = piece
    ids[ByteKey(piece)] = Int32(id)
  }

  private mutating func readAddedTokens() throws {
    // The reference numbers new tokens itself, from the size of the vocabulary on.
    var next = vocabulary.count
    var seen: Set<ByteKey> = []
    for value in try root.optional("added_tokens")?.array().map({ $0 }) ?? [] {
      let reader = try JSONObjectReader(value)
      let content = try reader.required("content")
      let text = try content.string()
      guard !text.isEmpty, seen.insert(ByteKey(text)).inserted else {
        throw content.diagnostic(
          "tokenizer.duplicate-token",
          text.isEmpty ? "an added token is empty" : "the token is added twice")
      }
      guard text.utf8.count <= 4096 else {
        throw unsupported(content, "added tokens of more than 4096 bytes are not supported")
      }
      let number = try reader.required("id")
      let known = ids[ByteKey(text)].map { Int($0) }
      guard try number.int() == known ?? next else {
        throw number.diagnostic(
          "tokenizer.added-token-id",
          "the id of \(JSON.string(text).serialized()) should be \(known ?? next)",
          hint: known == nil
            ? "added tokens are numbered on from the vocabulary" : "the vocabulary says so")
      }
      if known == nil {
        try add(text, number)
        next += 1
      }
      let flag = { (key: String, normally: Bool) in try reader.optional(key)?.bool() ?? normally }
      added.append(
        try AddedToken(
          id: Int32(number.int()), content: text, isSingleWord: flag("single_word", false),
          stripsLeft: flag("lstrip", false), stripsRight: flag("rstrip", false),
          isNormalized: flag("normalized", true), isSpecial: flag("special", false)))
      try refuseUnknownKeys(reader)
    }
  }
}

// MARK: - Model

extension TokenizerReader {
  private func readModel(isByteLevel: Bool) throws -> BPEModel {
    for key in ["continuing_subword_prefix", "end_of_word_suffix"] {
      if let value = model.optional(key), try !value.string().isEmpty {
        throw unsupported(value, "'\(key)' is not supported")
      }
    }
    if let dropout = model.optional("dropout"), try dropout.double() != 0 {
      throw unsupported(dropout, "dropout makes ids random and is not supported")
    }
    let flag = { (key: String) in try model.optional(key)?.bool() ?? false }
    let unknown = try model.optional("unk_token").map { value in
      try id(of: .init(content: value.string(), value: value))
    }
    let fallback: [Int32?] = try flag("byte_fallback") ? bytePieces() : []
    let whole = try flag("ignore_merges") ? wholeWords(isByteLevel) : nil
    let result = try BPEModel(
      alphabet: alphabet(isByteLevel, fallback, unknown), merges: readMerges(), unknown: unknown,
      fusesUnknown: flag("fuse_unk"), wholeWords: whole)
    try refuseUnknownKeys(model)
    return result
  }

  /// The pieces `<0x00>` to `<0xFF>`.
  private func bytePieces() -> [Int32?] {
    (0..<256).map { byte in
      let digits = String(byte, radix: 16, uppercase: true)
      return ids[ByteKey(byte < 16 ? "<0x0\(digits)>" : "<0x\(digits)>")]
    }
  }

  private func alphabet(
    _ isByteLevel: Bool, _ fallback: [Int32?], _ unknown: Int32?
  ) throws -> BPEModel.Alphabet {
    var missing: (UInt8) -> Bool
    let result: BPEModel.Alphabet
    if isByteLevel {
      let pieces = ByteAlphabet.characters.map {
        modelID(String(decoding: utf8($0), as: UTF8.self))
      }
      missing = { pieces[Int($0)] == nil && fallback.isEmpty }
      result = .bytes(pieces)
    } else {
      var pieces: [UInt32: Int32] = [:]
      for member in vocabulary {
        let scalars = member.key.unicodeScalars
        if let scalar = scalars.first, scalars.dropFirst().isEmpty {
          pieces[scalar.value] = modelID(member.key)
        }
      }
      missing = { fallback.isEmpty || fallback[Int($0)] == nil }
      result = .characters(pieces, fallback: fallback)
    }
    // Without a piece for the unknown every byte that text can hold needs one, or text would get lost.
    let possible = (UInt8.min...UInt8.max).filter { $0 < 0xC0 || 0xC2...0xF4 ~= $0 }
    if unknown == nil, let byte = possible.first(where: missing) {
      throw model.object.value.diagnostic(
        "tokenizer.missing-byte",
        "the vocabulary has no piece for the byte 0x\(String(byte, radix: 16)), nor one for unknown text"
      )
    }
    return result
  }

  private func utf8(_ value: UInt32) -> [UInt8] {
    var bytes: [UInt8] = []
    UTF8Scan.append(value, to: &bytes)
    return bytes
  }

  /// Id of a piece of the model, added tokens aside.
  private func modelID(_ piece: String) -> Int32? {
    vocabulary[piece] == nil ? nil : ids[ByteKey(piece)]
  }

  private func wholeWords(_ isByteLevel: Bool) -> [ArraySlice<UInt8>: Int32] {
    var words: [ArraySlice<UInt8>: Int32] = [:]
    for member in vocabulary {
      let bytes = isByteLevel ? ByteAlphabet.bytes(of: member.key) : Array(member.key.utf8)
      if let bytes { words[bytes[...]] = ids[ByteKey(member.key)] }
    }
    return words
  }

  private func readMerges() throws -> MergeTable {
    var table = MergeTable()
    for value in try model.required("merges").array() {
      let (left, right) = try readMerge(value)
      table.append(
        try mergeID(left, value), try mergeID(right, value), makes: try mergeID(left + right, value)
      )
    }
    return table
  }

  /// The two sides of a merge: `"a b"`, or `["a", "b"]`.
  private func readMerge(_ value: JSONValue) throws -> (String, String) {
    switch value.content {
    case .array(let sides) where sides.count == 2:
      return try (sides[0].string(), sides[1].string())
    case .string(let text):
      let sides = text.unicodeScalars.split(separator: " ", omittingEmptySubsequences: false)
      if sides.count == 2 { return (String(sides[0]), String(sides[1])) }
    default: break
    }
    throw value.diagnostic(
      "tokenizer.bad-merge", "\(value.name) should be two pieces, as \"a b\" or [\"a\", \"b\"]")
  }

  private func mergeID(_ piece: String, _ value: JSONValue) throws -> Int32 {
    if let id = modelID(piece) { return id }
    throw value.diagnostic(
      "tokenizer.unknown-piece",
      "the merge needs the piece \(JSON.string(piece).serialized()), which the vocabulary lacks")
  }
}
