package import IRCExecution
package import IRCSupport
import IRCTensor

/// How fast a model reads a prompt, and how fast it then writes, token by token.
package struct ModelSpeed {
  let promptTokens: Int
  let writtenTokens: Int
  /// Tokens a second, medians of the rounds.
  let prefill: Double
  let decode: Double

  /// Measures rounds, each from a fresh state, with random ids: what is said does not change how long it takes.
  ///
  /// - Throws: `Diagnostic` `bench.context` when there is no room for so many tokens.
  package init(of model: any LanguageModel, prompt: Int, tokens: Int, rounds: Int) throws {
    if let limit = model.contextLength, prompt + tokens > limit {
      throw Diagnostic(
        "bench.context", "\(prompt) tokens and \(tokens) more do not fit a context of \(limit)",
        hint:
          "ask for fewer with --prompt-tokens and --tokens, or up to the model's limit, make room with --set passes.emit-c.context=N"
      )
    }
    let numbers = RandomNumbers(seed: 1)
    let ids = (0..<prompt + tokens).map {
      Int32(numbers.integer($0, below: model.vocabularySize))
    }
    let clock = ContinuousClock()
    var times: [(prefill: Double, decode: Double)] = []
    for _ in 0..<rounds {
      var session = try model.makeSession()
      let start = clock.now
      _ = try session.readForNext(Array(ids[..<prompt]))
      let middle = clock.now
      for id in ids[prompt...] { _ = try session.readForNext([id]) }
      times.append(((middle - start) / .seconds(1), (clock.now - middle) / .seconds(1)))
    }
    promptTokens = prompt
    writtenTokens = tokens
    prefill = Double(prompt) / Self.middle(times.map(\.prefill))
    decode = Double(tokens) / Self.middle(times.map(\.decode))
  }

  private static func middle(_ times: [Double]) -> Double {
    times.sorted()[times.count / 2]
  }

  /// Keys are documented in `docs/performance.md`.
  package var json: [(key: String, value: JSON)] {
    [
      ("prompt_tokens", .integer(promptTokens)), ("tokens", .integer(writtenTokens)),
      ("prefill_tokens_per_second", .real(prefill)),
      ("decode_tokens_per_second", .real(decode)),
    ]
  }

  /// The same for people.
  package var text: String {
    """
    prefill    \(fixed(prefill, 1)) tokens/s, \(promptTokens) at once
    decode     \(fixed(decode, 1)) tokens/s, \(writtenTokens) one by one

    """
  }
}
