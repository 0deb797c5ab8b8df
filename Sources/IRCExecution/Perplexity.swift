private import Foundation
import IRCSupport
import Synchronization

/// How well a model predicts text.
public struct Perplexity: Sendable, Hashable {
  /// Sum over all predicted tokens of −log p, in nats.
  public let negativeLogLikelihood: Double
  /// How many tokens were predicted.
  public let tokens: Int

  /// States a result.
  public init(negativeLogLikelihood: Double, tokens: Int) {
    self.negativeLogLikelihood = negativeLogLikelihood
    self.tokens = tokens
  }

  /// Mean of −log p over the tokens, in nats.
  public var perToken: Double { negativeLogLikelihood / Double(max(1, tokens)) }
  /// e to the power of `perToken`.
  public var perplexity: Double { exp(perToken) }

  /// Scores each window from a fresh state, on all threads.
  ///
  /// The sum is taken in the order of the windows, so that the result does not depend on the number of threads.
  ///
  /// - Parameter progress: called after each window with how many are done and how many there are; calls do not overlap.
  /// - Throws: `Diagnostic` when nothing is predicted, or whatever the model throws for the first window that fails.
  public static func evaluate(
    _ model: some LanguageModel, windows: [[Int32]],
    progress: (@Sendable (_ done: Int, _ total: Int) -> Void)? = nil
  ) throws -> Perplexity {
    let tokens = windows.reduce(0) { $0 + max(0, $1.count - 1) }
    guard tokens > 0 else {
      throw Diagnostic(
        "eval.no-tokens", "the evaluation text has no token to predict",
        hint: "give a text of at least two tokens")
    }
    let done = Mutex(0)
    let parts = try Parallel.map(windows.count) { index in
      let part = try model.negativeLogLikelihood(of: windows[index])
      if let progress {
        done.withLock {
          $0 += 1
          progress($0, windows.count)
        }
      }
      return part
    }
    return Perplexity(negativeLogLikelihood: parts.reduce(0, +), tokens: tokens)
  }
}
