import CKernels
import IRCSupport
import IRCTensor
import Synchronization

/// How far the logits of a changed network lie from those of the network that it was made from.
public struct LogitDivergence: Hashable, Sendable {
  /// Mean over the tokens of the Kullback–Leibler divergence of what the changed network predicts, in nats.
  public var kullbackLeibler: Double
  /// Power of the differences of logits in relation to the power of the logits.
  public var noise: Double
  /// Tokens that were looked at.
  public var tokens: Int

  /// States the figures.
  public init(kullbackLeibler: Double, noise: Double, tokens: Int) {
    self.kullbackLeibler = kullbackLeibler
    self.noise = noise
    self.tokens = tokens
  }

  /// Runs a model and the one that it was made from over the same windows, each from a fresh state, on all threads.
  ///
  /// - Parameter progress: called after each window with how many are done and how many there are; calls do not overlap.
  /// - Throws: `Diagnostic` when there are no tokens or the models have other vocabularies, or whatever a model throws.
  public init(
    of model: any LanguageModel, from reference: any LanguageModel, windows: [[Int32]],
    progress: (@Sendable (_ done: Int, _ total: Int) -> Void)? = nil
  ) throws {
    // The logits after the last token of a window predict nothing that is known.
    let windows = windows.map { Array($0.dropLast()) }.filter { !$0.isEmpty }
    guard !windows.isEmpty else {
      throw Diagnostic(
        "eval.no-tokens", "the evaluation text has no token to predict",
        hint: "give a text of at least two tokens")
    }
    guard model.vocabularySize == reference.vocabularySize else {
      throw Diagnostic(
        "eval.other-logits", "the two models have other vocabularies",
        hint: "compare models of one checkpoint")
    }
    let done = Mutex(0)
    let parts = try Parallel.map(windows.count) { index in
      var (first, second) = (try reference.makeSession(), try model.makeSession())
      let part = try Sums(of: second.read(windows[index]), from: first.read(windows[index]))
      if let progress {
        done.withLock {
          $0 += 1
          progress($0, windows.count)
        }
      }
      return part
    }
    self.init(parts)
  }

  /// Puts together what parts of a text gave, in their order.
  init(_ parts: [Sums]) {
    let tokens = parts.reduce(0) { $0 + $1.tokens }
    let signal = parts.reduce(0) { $0 + $1.sums.signal }
    self.init(
      kullbackLeibler: parts.reduce(0) { $0 + $1.sums.kl } / Double(max(1, tokens)),
      noise: signal > 0 ? parts.reduce(0) { $0 + $1.sums.noise } / signal : 0, tokens: tokens)
  }

  /// What some tokens add to the figures.
  struct Sums {
    fileprivate let sums: irc_divergence
    fileprivate let tokens: Int

    /// Compares logits, f32 [tokens, vocabulary], with those of the network that the other was made from.
    init(of logits: Tensor, from reference: Tensor) {
      precondition(logits.shape == reference.shape, "logits of other shapes")
      tokens = reference.rows
      sums = unsafe reference.withElements(as: Float.self) { a in
        unsafe logits.withElements(as: Float.self) { b in
          guard let a = a.baseAddress, let b = b.baseAddress else { return irc_divergence() }
          return unsafe irc_divergence_rows(a, b, reference.rows, reference.columns)
        }
      }
    }
  }
}
