package import IRCExecution
package import IRCSupport
import IRCTokenizer

/// A text that a model wrote.
package struct Generation {
  /// The whole text, prompt included.
  package let text: String
  /// Number of tokens that the model added.
  package let tokens: Int
  /// Tokens added in a second, from the first to the last of them; nil for fewer than two.
  package let tokensPerSecond: Double?
  /// Tokens of the model's context, if that is why the text ends; else nil.
  package let fullContext: Int?

  /// Lets a model continue a prompt.
  ///
  /// - Parameters:
  ///   - prompt: text to continue; empty starts from the start id.
  ///   - limit: how many tokens to add at most.
  ///   - write: receives the text as it grows.
  /// - Throws: `Diagnostic` when there is nothing to start from.
  package init(
    of subject: Subject, prompt: String, limit: Int, sampling: TokenGenerator.Sampling,
    write: @escaping (String) throws -> Void
  ) throws {
    var ids: [Int32] = []
    if !prompt.isEmpty { ids = try subject.tokenizer.encode(prompt, addSpecialTokens: true) }
    if ids.isEmpty, let start = subject.startID ?? subject.endIDs.min() { ids = [start] }
    var decoder = subject.tokenizer.streamDecoder(skipSpecialTokens: true)
    var text = ""
    for id in ids { text += decoder.append(id) }
    try write(text)
    let clock = ContinuousClock()
    var first: ContinuousClock.Instant?
    var last = clock.now
    let generator = TokenGenerator(subject.model, sampling: sampling)
    let added = try generator.generate(
      after: ids, limit: limit, stop: subject.endIDs
    ) { id in
      last = clock.now
      if first == nil { first = last }
      let piece = decoder.append(id)
      text += piece
      try write(piece)
    }
    let rest = decoder.finish()
    try write(rest)
    self.text = text + rest
    tokens = added.count
    let isFull = try added.count < limit && added.count == generator.room(after: ids)
    fullContext = isFull ? subject.model.contextLength : nil
    if let first, added.count > 1, last > first {
      tokensPerSecond = Double(added.count - 1) / ((last - first) / .seconds(1))
    } else {
      tokensPerSecond = nil
    }
  }

  /// Keys are documented in `docs/commands.md`.
  package var json: [(key: String, value: JSON)] {
    [
      ("text", .string(text)), ("tokens", .integer(tokens)),
      ("tokens_per_second", tokensPerSecond.map(JSON.real) ?? .null),
    ]
  }
}
