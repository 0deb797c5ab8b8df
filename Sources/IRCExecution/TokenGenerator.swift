import IRCSupport
public import IRCTensor

/// Continues a sequence of tokens.
public struct TokenGenerator: Sendable {
  /// How the next token is chosen.
  public enum Sampling: Sendable, Hashable {
    /// The most likely one; the lowest id among equals.
    case greedy
    /// At random, with probabilities softmax(logits / temperature); equal seeds give equal texts.
    case random(temperature: Double, seed: UInt64)
  }

  /// What predicts.
  public let model: any LanguageModel
  /// How the next token is chosen.
  public let sampling: Sampling

  /// Makes a generator.
  public init(_ model: any LanguageModel, sampling: Sampling = .greedy) {
    self.model = model
    self.sampling = sampling
  }

  /// Reads the prompt at once, then adds tokens one at a time, up to the model's context: the last token that it has room for
  /// is read, and the one after it still chosen.
  ///
  /// - Parameters:
  ///   - prompt: at least one id.
  ///   - limit: how many tokens to add at most.
  ///   - stop: ids that end the text and are not part of it.
  ///   - onToken: called with each new token.
  /// - Returns: the new tokens.
  /// - Throws: `Diagnostic` when the prompt is empty or longer than the context, or what the model throws.
  public func generate(
    after prompt: [Int32], limit: Int, stop: Set<Int32> = [],
    onToken: ((Int32) throws -> Void)? = nil
  ) throws -> [Int32] {
    guard !prompt.isEmpty else {
      throw Diagnostic(
        "run.empty-prompt", "there is no token to continue from",
        hint: "start with the model's start id or with some text")
    }
    let limit = min(limit, try room(after: prompt) ?? limit)
    var session = try model.makeSession()
    var added: [Int32] = []
    var pending = prompt
    while added.count < limit {
      let next = sampling.choose(from: try session.readForNext(pending), step: added.count)
      if stop.contains(next) { break }
      added.append(next)
      try onToken?(next)
      pending = [next]
    }
    return added
  }
}

extension TokenGenerator {
  /// How many tokens the model's context allows after a prompt, at least 1; nil if there is no limit.
  ///
  /// - Throws: `Diagnostic` `run.prompt-too-long`.
  public func room(after prompt: [Int32]) throws -> Int? {
    guard let context = model.contextLength else { return nil }
    try Self.check(prompt: prompt, context: context)
    return context - prompt.count + 1
  }

  /// Complains of a prompt that a model with a context of `context` tokens could not read.
  ///
  /// - Throws: `Diagnostic` `run.prompt-too-long`.
  public static func check(prompt: [Int32], context: Int) throws {
    guard prompt.count <= context else {
      throw Diagnostic(
        "run.prompt-too-long",
        "the prompt has \(prompt.count) tokens, the model takes \(context)",
        hint:
          "give a shorter prompt; a library made for fewer tokens than its model takes more with "
          + "--set passes.emit-c.context=N")
    }
  }
}

extension TokenGenerator.Sampling {
  /// The next token after these logits; `step` counts the tokens chosen before.
  public func choose(from logits: Tensor, step: Int) -> Int32 {
    let scores = logits.doubles
    guard case .random(let temperature, let seed) = self, temperature > 0 else {
      var best = 0
      for (index, score) in scores.enumerated() where score > scores[best] || scores[best].isNaN {
        best = index
      }
      return Int32(best)
    }
    let largest = scores.max() ?? 0
    let weights = scores.map { Double.exponential(($0 - largest) / temperature) }
    var rest = RandomNumbers(seed: seed).uniform(step) * weights.reduce(0, +)
    for (index, weight) in weights.enumerated() {
      rest -= weight
      if rest < 0 { return Int32(index) }
    }
    return Int32(weights.lastIndex { $0 > 0 } ?? 0)
  }
}

extension Tensor {
  /// The real elements in double precision; for small tensors.
  var doubles: [Double] {
    elementType == .f64 ? array(of: Double.self) : array(of: Float.self).map(Double.init)
  }
}
