/// Turns the checkpoints of a family of architectures into graphs.
public protocol Frontend: Sendable {
  /// Names as in `architectures` of config.json.
  static var architectures: [String] { get }

  /// Reads the configuration, calls `finish` on it, and builds the graph.
  ///
  /// - Throws: `DiagnosticList` of `finish`, or an `OperatorError` where sizes are beyond what a graph can hold; problems of
  ///   tensors are noted by the builder.
  static func build(
    _ configuration: ModelConfiguration, _ builder: inout ModelBuilder
  ) throws -> ModelFacts
}

/// What a frontend says about a model besides its graph.
public struct ModelFacts: Hashable, Sendable {
  /// Number of token ids that the model knows.
  public var vocabularySize: Int
  /// Most tokens that the model was made for; nil when it has no limit.
  public var contextLength: Int?
  /// Token that begins a text, if config.json names one.
  public var startID: Int?
  /// Tokens that end a text, in the order of config.json.
  public var endIDs: [Int]

  /// States the facts.
  public init(vocabularySize: Int, contextLength: Int?, startID: Int?, endIDs: [Int]) {
    self.vocabularySize = vocabularySize
    self.contextLength = contextLength
    self.startID = startID
    self.endIDs = endIDs
  }
}

/// The architectures that can be read.
public struct FrontendRegistry: Sendable {
  private let frontends: [any Frontend.Type]

  /// Every architecture that comes with `irc`.
  public static let standard = FrontendRegistry([LlamaFrontend.self, MambaFrontend.self])

  /// Lists frontends; an architecture belongs to the first that names it.
  public init(_ frontends: [any Frontend.Type]) {
    self.frontends = frontends
  }

  /// Names of the architectures, sorted.
  public var architectures: [String] { frontends.flatMap { $0.architectures }.sorted() }

  /// The frontend for an architecture.
  public subscript(architecture: String) -> (any Frontend.Type)? {
    frontends.first { $0.architectures.contains(architecture) }
  }
}
