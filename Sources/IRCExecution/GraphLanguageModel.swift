public import IRCGraph
import IRCSupport
import IRCTensor

/// A graph seen as a language model: input `ids`, i32 [tokens], and output `logits`, real [tokens, vocabulary].
public struct GraphLanguageModel: LanguageModel {
  public let vocabularySize: Int
  public let contextLength: Int?
  /// What runs the graph.
  public let interpreter: Interpreter

  /// Name of the input.
  static let input = "ids"
  /// Name of the output.
  static let output = "logits"

  /// Prepares to run `graph`; see `Interpreter.init` for the other parameters.
  ///
  /// - Parameter contextLength: tokens that the model was made for, which a graph does not tell; nil if there is no limit.
  /// - Throws: `Diagnostic` when the graph is not valid or is no language model.
  public init(
    _ graph: Graph, contextLength: Int? = nil, precision: Precision = .single,
    cacheLimit: Int = 1 << 30
  ) throws {
    guard let logits = graph.outputs.first(where: { $0.name == Self.output }),
      graph.type(of: logits.value).rank == 2,
      let size = graph.type(of: logits.value).shape[1].fixed
    else {
      throw LanguageModels.notOne(graph, "has no output 'logits' of type f32[tokens, vocabulary]")
    }
    let inputs = graph.operations.compactMap { $0.op as? any RuntimeLeaf }
      .filter { !($0 is any StateLeaf) }
    guard inputs.count == 1, let ids = inputs.first, ids.name == Self.input,
      ids.type.element == .i32, ids.type.rank == 1
    else {
      throw LanguageModels.notOne(graph, "has other inputs than 'ids' of type i32[tokens]")
    }
    vocabularySize = size
    self.contextLength = contextLength
    interpreter = try Interpreter(graph, precision: precision, cacheLimit: cacheLimit)
  }

  public func makeSession() throws -> any LanguageSession {
    Session(interpreter: interpreter, states: interpreter.initialStates())
  }

  /// One sequence with its states.
  struct Session: LanguageSession {
    let interpreter: Interpreter
    var states: [String: Tensor]

    mutating func read(_ ids: [Int32]) throws -> Tensor {
      let outputs = try interpreter.run(
        inputs: [GraphLanguageModel.input: Tensor([ids.count], ids)], states: &states)
      guard let logits = outputs[GraphLanguageModel.output] else {
        throw LanguageModels.notOne(interpreter.graph, "has no output 'logits'")
      }
      return logits
    }
  }
}

/// Errors of language models.
enum LanguageModels {
  static func notOne(_ graph: Graph, _ reason: String) -> Diagnostic {
    Diagnostic(
      "run.not-a-language-model", "graph '\(graph.name)' cannot predict tokens: it \(reason)",
      hint: "only graphs with the input 'ids' and the output 'logits' can be evaluated on text")
  }

  static func outsideVocabulary(_ id: Int32, _ size: Int) -> Diagnostic {
    Diagnostic(
      "run.token-out-of-range", "token id \(id) is outside the vocabulary of \(size)",
      hint: "the text was encoded with a tokenizer that does not belong to this model")
  }
}
