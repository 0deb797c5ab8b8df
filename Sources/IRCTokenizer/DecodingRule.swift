internal import IRCSupport

/// How a `decoder` joins pieces.
struct DecodingRule {
  private var style = TokenDecoder.Style.spaced
  private var replacements: [(pattern: [UInt8], content: [UInt8], place: JSONValue)] = []
  private var hasByteFallback = false

  /// With `keepsStart`, nothing is cut off the start of the text.
  init(_ value: JSONValue?, keepsStart: Bool) throws {
    guard let value else { return }
    var steps = [value]
    let reader = try JSONObjectReader(value)
    if try reader.required("type").string() == "Sequence" {
      steps = try reader.required("decoders").array().map { $0 }
      try refuseUnknownKeys(reader)
    }
    style = .pieces(trim: .init())
    // The order in which the steps make sense together; each step may only move forward in it.
    var stage = 0
    for step in steps {
      let reader = try JSONObjectReader(step)
      let type = try reader.required("type")
      let kind = try type.string()
      guard let order = DecodingRule.order[kind] else {
        throw unsupported(type, "decoders of the type '\(kind)' are not supported")
      }
      guard kind == "Replace" ? order >= stage : order > stage, kind != "Strip" || stage == 3,
        kind != "ByteLevel" || steps.count == 1
      else { throw unsupported(type, "the decoder '\(kind)' is not supported at this place") }
      stage = order
      try read(kind, reader, keepsStart)
      try refuseUnknownKeys(reader)
    }
  }

  private static let order = [
    "Replace": 1, "ByteFallback": 2, "Fuse": 3, "Strip": 4, "ByteLevel": 5,
  ]

  private mutating func read(
    _ kind: String, _ reader: JSONObjectReader, _ keepsStart: Bool
  ) throws {
    switch kind {
    case "Replace":
      let (pattern, content) = try readReplace(reader)
      replacements.append((pattern, content, reader.object.value))
    case "ByteFallback": hasByteFallback = true
    case "ByteLevel":
      style = .byteLevel
      reader.ignore(["add_prefix_space", "trim_offsets", "use_regex"])
    case "Strip":
      let content = try reader.required("content")
      guard try content.string().unicodeScalars.count == 1 else {
        throw unsupported(content, "'content' must be one character")
      }
      // More than a few cuts would mean that the numbers are wrong.
      let cuts = 0...1024
      var trim = try TokenDecoder.Trim(
        character: Array(content.string().utf8), start: reader.required("start").int(in: cuts),
        stop: reader.required("stop").int(in: cuts))
      if keepsStart { trim.start = 0 }
      style = .pieces(trim: trim)
    default: break
    }
  }

  /// The decoder for pieces as the file writes them; `special` are those that can be left out.
  ///
  /// - Throws: `Diagnostic` `tokenizer.unsupported` when replacements blow pieces up.
  func decoder(of names: [String?], special: Set<ByteKey>) throws -> TokenDecoder {
    var result = TokenDecoder(style: style, pieces: [], byteValues: [], skipped: [])
    result.pieces.reserveCapacity(names.count)
    for (id, name) in names.enumerated() {
      guard let name else {
        result.pieces.append(nil)
        if hasByteFallback { result.byteValues.append(nil) }
        continue
      }
      if special.contains(ByteKey(name)) { result.skipped.insert(Int32(id)) }
      var bytes = Array(name.utf8)
      if case .byteLevel = style { bytes = ByteAlphabet.bytes(of: name) ?? bytes }
      let limit = 16 * bytes.count + 1024
      for (pattern, content, place) in replacements {
        guard let replaced = bytes.replacing(pattern, with: content, limit: limit) else {
          throw unsupported(place, "the replacement makes pieces too long")
        }
        bytes = replaced
      }
      result.pieces.append(bytes)
      if hasByteFallback { result.byteValues.append(DecodingRule.byteValue(bytes)) }
    }
    return result
  }

  /// The byte that `<0x41>` stands for.
  private static func byteValue(_ piece: [UInt8]) -> UInt8? {
    guard piece.count == 6, piece.starts(with: "<0x".utf8), piece[5] == UInt8(ascii: ">") else {
      return nil
    }
    return UInt8(String(decoding: piece[3..<5], as: UTF8.self), radix: 16)
  }
}
