public import IRCGraph
import IRCSupport
import IRCTensor

/// Measures what changes of a network's constants do to its logits over some text.
///
/// Constants are folded once and kept, as far as there is room, while one after another is replaced.
public final class LogitProbe: Sendable {
  private let interpreter: Interpreter
  private let windows: [[Int32]]
  /// Logits of the network itself, f32 [tokens, vocabulary] of each window.
  private let reference: [Tensor]

  /// Bytes of logits that are kept at most.
  private static let byteLimit = 256 << 20

  /// Runs `graph`, a language model, over the first windows.
  ///
  /// - Parameter tokens: how many tokens to look at, about; fewer where their logits would not fit into 256 MiB.
  /// - Throws: `Diagnostic` when there are no windows, or the graph is no language model or fails.
  public init(_ graph: Graph, windows: [[Int32]], tokens: Int) throws {
    try Calibration.check(windows)
    let model = try GraphLanguageModel(graph)
    interpreter = model.interpreter
    let limit = max(1, min(tokens, Self.byteLimit / 4 / max(1, model.vocabularySize)))
    var chosen: [[Int32]] = []
    var count = 0
    for window in windows where !window.isEmpty && count < limit {
      chosen.append(Array(window.prefix(limit - count)))
      count += chosen.last?.count ?? 0
    }
    self.windows = chosen
    reference = try Self.logits(interpreter, chosen, [:])
  }

  /// The divergence with other constants in the places of some.
  public func divergence(replacing replacements: [OperandReplacement]) throws -> LogitDivergence {
    var replaced: [OperationID: [Int: Tensor]] = [:]
    for replacement in replacements {
      replaced[replacement.operation, default: [:]][replacement.operand] = replacement.tensor
    }
    return try compare(Self.logits(interpreter, windows, replaced))
  }

  /// The divergence of another network of the same vocabulary.
  public func divergence(of graph: Graph) throws -> LogitDivergence {
    try compare(Self.logits(GraphLanguageModel(graph).interpreter, windows, [:]))
  }

  private static func logits(
    _ interpreter: Interpreter, _ windows: [[Int32]], _ replaced: [OperationID: [Int: Tensor]]
  ) throws -> [Tensor] {
    try Parallel.map(windows.count) { index in
      let ids = windows[index]
      var states = interpreter.initialStates()
      let outputs = try interpreter.run(
        inputs: [GraphLanguageModel.input: Tensor([ids.count], ids)], states: &states,
        replacing: replaced)
      guard let logits = outputs[GraphLanguageModel.output] else {
        preconditionFailure("a language model has logits")
      }
      return logits
    }
  }

  private func compare(_ logits: [Tensor]) throws -> LogitDivergence {
    try LogitDivergence(
      Parallel.map(logits.count) { index in
        LogitDivergence.Sums(of: logits[index], from: reference[index])
      })
  }
}
