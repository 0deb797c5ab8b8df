internal import IRCSupport

/// What a tokenizer file says, ready for use.
struct TokenizerParts: Sendable {
  /// Ids put around an encoded text.
  struct Template: Sendable {
    var before: [Int32] = []
    var after: [Int32] = []
  }

  /// Id of every piece and added token.
  var ids: [ByteKey: Int32]
  /// Every piece and added token by id.
  var names: [String?]
  var added: [AddedToken]
  /// Tokens that are looked for in the text as it comes.
  var rawMatcher: AddedTokenMatcher
  /// Tokens that are looked for in the normalised text.
  var normalizedMatcher: AddedTokenMatcher
  var normalizer: Normalizer
  var splitter: WordSplitter
  /// Whether text that does not start with a space gets one.
  var addsPrefixSpace: Bool
  var model: BPEModel
  var template: Template
  var decoder: TokenDecoder

  /// Appends the ids of valid UTF-8, without the template, to `ids`.
  ///
  /// - Throws: `Diagnostic` `tokenizer.text-too-long`.
  func encode(
    _ bytes: [UInt8], _ scratch: inout EncodingScratch, to ids: inout [Int32]
  ) throws {
    for piece in rawMatcher.split(bytes) {
      if let token = piece.token {
        ids.append(token)
        continue
      }
      let normalized = try normalizer.apply(Array(bytes[piece.range]))
      for piece in normalizedMatcher.split(normalized) {
        if let token = piece.token {
          ids.append(token)
        } else {
          encodeWords(normalized, piece.range, &scratch, to: &ids)
        }
      }
    }
  }

  private func encodeWords(
    _ bytes: [UInt8], _ range: Range<Int>, _ scratch: inout EncodingScratch, to ids: inout [Int32]
  ) {
    if addsPrefixSpace, bytes[range.lowerBound] != 0x20 {
      let prefixed = [0x20] + bytes[range]
      encodeWords(prefixed, 0..<prefixed.count, &scratch, to: &ids)
      return
    }
    var start = range.lowerBound
    while start < range.upperBound {
      let end = splitter.wordEnd(bytes, from: start, limit: range.upperBound)
      model.encode(bytes, start..<end, &scratch, to: &ids)
      start = end
    }
  }
}
