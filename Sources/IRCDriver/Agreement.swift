import Foundation
package import IRCExecution
package import IRCSupport
import IRCTensor
import Synchronization

/// How closely two models that should compute the same agree on a text, token by token: the compiled library and the
/// simulation that it was made from.
///
/// The difference of a token is the largest difference of its logits in relation to the largest magnitude among them. Both run
/// the same kernels, so that it is zero. Were one bit of a sum different, a number on a rounding boundary might fall the other way,
/// and that moves a token's logits by far more than the sums do: the median says whether the two compute the same, and
/// the number of notable tokens how often a boundary was hit.
package struct Agreement: Sendable {
  /// Difference from which a token counts as notable.
  package static let notableDifference = 1e-3

  /// Difference of each predicted token, in the order of the text.
  package let differences: [Double]
  /// Tokens for which the two models find another id the likeliest.
  package let otherChoices: Int
  /// Sums of −log p of the predicted tokens.
  package let reference: Perplexity, compared: Perplexity
  /// Number of windows that were read, each from a fresh state.
  package let windows: Int

  /// Number of tokens compared.
  package var tokens: Int { differences.count }
  /// Half of the tokens differ by no more than this.
  package var medianDifference: Double { differences.sorted()[differences.count / 2] }
  /// The largest difference of all tokens.
  package var largestDifference: Double { differences.max() ?? 0 }
  /// Number of tokens whose difference is notable.
  package var notable: Int { differences.count { $0 > Self.notableDifference } }
  /// Share of the tokens for which both models find the same id the likeliest.
  package var sameChoice: Double { 1 - Double(otherChoices) / Double(max(1, tokens)) }
  /// By how much the perplexity differs, in relation to the reference.
  package var perplexityChange: Double { compared.perplexity / reference.perplexity - 1 }

  /// Runs both models over the same windows.
  ///
  /// - Parameters:
  ///   - windows: ids of which all but the first are predicted.
  ///   - progress: called after each window with how many are done and how many there are; calls do not overlap.
  /// - Throws: `Diagnostic` when nothing is predicted or an id has no logit, or whatever a model throws.
  package init(
    of compared: any LanguageModel, with reference: any LanguageModel, on windows: [[Int32]],
    progress: (@Sendable (_ done: Int, _ total: Int) -> Void)? = nil
  ) throws {
    let windows = windows.filter { $0.count > 1 }
    guard !windows.isEmpty else {
      throw Diagnostic(
        "eval.no-tokens", "the evaluation text has no token to predict",
        hint: "give a text of at least two tokens")
    }
    let done = Mutex(0)
    let parts = try Parallel.map(windows.count) { index in
      let ids = Array(windows[index].dropLast())
      var (first, second) = (try reference.makeSession(), try compared.makeSession())
      let part = try Part(
        first.read(ids), second.read(ids), targets: Array(windows[index].dropFirst()))
      if let progress {
        done.withLock {
          $0 += 1
          progress($0, windows.count)
        }
      }
      return part
    }
    self.windows = windows.count
    differences = parts.flatMap(\.differences)
    otherChoices = parts.reduce(0) { $0 + $1.otherChoices }
    self.reference = Perplexity(
      negativeLogLikelihood: parts.reduce(0) { $0 + $1.surprise.reference },
      tokens: differences.count)
    self.compared = Perplexity(
      negativeLogLikelihood: parts.reduce(0) { $0 + $1.surprise.compared },
      tokens: differences.count)
  }

  /// What one window gives.
  private struct Part {
    var differences: [Double] = []
    var otherChoices = 0
    var surprise = (reference: 0.0, compared: 0.0)

    /// Compares logits [tokens, vocabulary].
    init(_ reference: Tensor, _ compared: Tensor, targets: [Int32]) throws {
      let columns = reference.columns
      guard reference.shape == compared.shape, reference.elementType == .f32,
        compared.elementType == .f32, reference.rows == targets.count,
        let highest = targets.max(), let lowest = targets.min(), lowest >= 0,
        Int(highest) < columns
      else {
        throw Diagnostic(
          "eval.other-logits",
          "the two models have other vocabularies, or the text has ids beyond them",
          hint: "the tokenizer does not belong to this model")
      }
      unsafe reference.withElements(as: Float.self) { a in
        unsafe compared.withElements(as: Float.self) { b in
          for (row, target) in targets.enumerated() {
            let place = row * columns..<(row + 1) * columns
            unsafe add(Array(a[place]), Array(b[place]), Int(target))
          }
        }
      }
    }

    private mutating func add(_ reference: [Float], _ compared: [Float], _ target: Int) {
      let (a, b) = (Summary(reference), Summary(compared))
      var largest: Float = 0
      for (x, y) in zip(reference, compared) {
        // An infinity that both have is no difference; a NaN always is one.
        let distance = x == y ? 0 : abs(x - y)
        largest = distance.isNaN ? .infinity : max(largest, distance)
      }
      let scale = Double(a.magnitude)
      differences.append(scale > 0 ? Double(largest) / scale : Double(largest))
      if a.choice != b.choice { otherChoices += 1 }
      surprise.reference += a.logarithmOfSum - Double(reference[target])
      surprise.compared += b.logarithmOfSum - Double(compared[target])
    }
  }

  /// One row of logits in brief.
  private struct Summary {
    /// Index of the largest logit, the lowest of equals.
    var choice = 0
    var magnitude: Float = 0
    var logarithmOfSum = 0.0

    init(_ logits: [Float]) {
      for (index, logit) in logits.enumerated() {
        if logit > logits[choice] { choice = index }
        magnitude = max(magnitude, abs(logit))
      }
      let shift = Double(logits[choice])
      logarithmOfSum = log(logits.reduce(0) { $0 + exp(Double($1) - shift) }) + shift
    }
  }
}

/// What `irc eval --agreement` tells.
package struct AgreementReport {
  /// What was measured.
  package let agreement: Agreement
  private let data: EvaluationText

  /// Compares what a model file asks for, lowered into a folder that goes away again and compiled, with its simulation.
  ///
  /// - Throws: `Diagnostic` when `path` is no model file, or anything that lowering or evaluating may throw.
  package init(
    of path: String, settings: [String], on data: EvaluationText,
    in environment: CompilerEnvironment
  ) throws {
    let simulation = try Subject.open(
      path, compiled: false, settings: settings, reading: data, in: environment)
    guard simulation.kind == .simulation else {
      throw Diagnostic(
        "eval.needs-model-file",
        "'\(path)' is a folder, and only a model file says how to compile it",
        hint: "give a model.yaml whose 'source' is that folder")
    }
    let compiled = try Subject.open(
      path, compiled: true, settings: settings, reading: data, in: environment)
    // Of the two the library may have room for less.
    let windows = try compiled.windows(of: data)
    agreement = try Agreement(of: compiled.model, with: simulation.model, on: windows) {
      environment.reporter.progress("compare", $0, of: $1)
    }
    self.data = data
  }

  /// Keys are documented in `docs/commands.md`.
  package var json: JSON {
    .object([
      ("data", .string(data.data)),
      ("tokens", .integer(agreement.tokens)),
      ("windows", .integer(agreement.windows)),
      ("context", .integer(data.length)),
      ("median_difference", .real(agreement.medianDifference)),
      ("largest_difference", .real(agreement.largestDifference)),
      ("notable_difference", .real(Agreement.notableDifference)),
      ("notable_tokens", .integer(agreement.notable)),
      ("same_choice", .real(agreement.sameChoice)),
      ("other_choices", .integer(agreement.otherChoices)),
      ("perplexity_simulation", .real(agreement.reference.perplexity)),
      ("perplexity_compiled", .real(agreement.compared.perplexity)),
      ("perplexity_change", .real(agreement.perplexityChange)),
    ])
  }

  /// Lines for people.
  package var text: String {
    """
    compared    compiled library with simulation, \(agreement.tokens) tokens in \(agreement.windows) windows
    difference  median \(short(agreement.medianDifference)), largest \(short(agreement.largestDifference)) of the \
    largest logit; \(agreement.notable) tokens above \(short(Agreement.notableDifference))
    likeliest   the same for \(fixed(agreement.sameChoice * 100, 2)) %, another for \(agreement.otherChoices) tokens
    perplexity  \(fixed(agreement.reference.perplexity, 4)) simulated, \(fixed(agreement.compared.perplexity, 4)) \
    compiled (\(fixed(agreement.perplexityChange * 100, 4)) %)

    """
  }
}
