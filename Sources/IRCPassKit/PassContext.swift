public import IRCCodegen
public import IRCExecution
public import IRCGraph
public import IRCSupport
import Synchronization

/// What a pass may see and say besides the graph. Made by the pass manager, one for each run of a pass.
public final class PassContext: Sendable {
  /// Name of this instance in the pipeline: the pass's name, with `#2`, `#3` … for later ones.
  public let instance: String
  /// What is known of the model beside its graph.
  public var model: ModelDescription {
    note(.model)
    return knownModel
  }
  /// Machine that code is made for.
  public var target: Target {
    note(.target)
    return knownTarget
  }
  private let knownModel: ModelDescription
  private let knownTarget: Target
  private let services: PassServices
  /// What options can name.
  let components: ComponentList
  private let log = Mutex(PassLog())

  /// Makes the context of one run.
  package init(
    instance: String, model: ModelDescription, target: Target, services: PassServices,
    components: ComponentList = ComponentList()
  ) {
    self.instance = instance
    self.components = components
    knownModel = model
    knownTarget = target
    self.services = services
  }

  /// What keeps results of parts of passes; nil where nothing is kept.
  var kept: (any KeptTensors)? { services.kept }

  /// Notes what the pass looks at, since its result depends on that.
  func note(_ part: Surroundings) { log.withLock { _ = $0.surroundings.insert(part) } }

  /// What the pass has said so far.
  package var said: PassLog { log.withLock { $0 } }

  /// Tells the user something about an operation.
  public func remark(
    _ kind: RemarkKind, at location: Location, _ message: String, hint: String? = nil
  ) {
    let remark = Remark(
      pass: instance, kind: kind, location: location, message: message, hint: hint)
    log.withLock { $0.remarks.append(remark) }
  }

  /// Adds to a counter.
  public func count(_ statistic: Statistic, by amount: Int = 1) {
    log.withLock { $0.counters[statistic.name, default: 0] += amount }
  }

  /// Location of something that this pass makes out of something that came from `origin`.
  public func derived(from origin: Location) -> Location { .pass(instance, from: origin) }

  /// Statistics of run-time values over the calibration text, from one pass over it.
  ///
  /// - Throws: `PassError` when the model has no calibration text.
  public func statistics(
    of values: Set<ValueID>, in graph: Graph
  ) throws -> [ValueID: ValueStatistics] {
    note(.calibration)
    return try services.statistics(values, graph)
  }

  /// Statistics per channel of run-time values over the calibration text: ask for everything that the pass needs at once, since
  /// each call runs the network over the text, unless it was asked for the same before.
  ///
  /// - Throws: `PassError` when the model has no calibration text, `Diagnostic` when a value cannot be measured.
  public func channelStatistics(
    of requests: [ValueID: StatisticRequest], in graph: Graph
  ) throws -> [ValueID: ChannelStatistics] {
    let values = requests.keys.sorted()
    let groups = values.map { StatisticGroup([$0], requests[$0] ?? .range) }
    let statistics = try channelStatistics(pooling: groups, in: graph)
    return Dictionary(uniqueKeysWithValues: zip(values, statistics))
  }

  /// Statistics per channel of groups of run-time values, each measured as if its values were one with all their rows.
  ///
  /// - Returns: the statistics of each group, in order.
  /// - Throws: `PassError` when the model has no calibration text, `Diagnostic` when a value cannot be measured.
  public func channelStatistics(
    pooling groups: [StatisticGroup], in graph: Graph
  ) throws -> [ChannelStatistics] {
    note(.calibration)
    return try services.channelStatistics(groups, graph)
  }

  /// Runs the network over the calibration text once, stops on the way, and goes on with other weights: see `CalibrationWalk`.
  ///
  /// - Parameter visit: called at each stop with its index; returns what operations behind it are to read from now on.
  /// - Throws: `PassError` when the model has no calibration text, `Diagnostic` when a value cannot be measured; what `visit` throws.
  public func walk(
    over graph: Graph, stops: [CalibrationStop],
    _ visit: (Int, CalibrationValues) throws -> [OperandReplacement]
  ) throws {
    if stops.isEmpty { return }
    note(.calibration)
    try services.walk(graph, stops, visit)
  }

  /// Prepares to measure what changes of constants do to the logits of `graph` over the start of the calibration text.
  ///
  /// - Parameter tokens: how many tokens to look at, about.
  /// - Throws: `PassError` when the model has no calibration text, `Diagnostic` when the graph cannot run.
  public func logitProbe(of graph: Graph, tokens: Int) throws -> LogitProbe {
    note(.calibration)
    return try services.logitProbe(graph, tokens)
  }

  /// Tells what an exporter wrote, for the manifest.
  public func report(_ emission: EmissionReport) {
    log.withLock { $0.emissions.append(emission) }
  }

  /// The output folder, for passes that emit.
  ///
  /// - Throws: `PassError` when this run has no output, as in `irc opt`.
  public func output() throws -> OutputFiles { try services.output() }
}

/// What the host does for a pass.
package struct PassServices: Sendable {
  /// Measures whole values.
  package typealias Statistics =
    @Sendable (Set<ValueID>, Graph) throws -> [ValueID: ValueStatistics]
  /// Measures groups of values channel by channel.
  package typealias ChannelStatistics =
    @Sendable ([StatisticGroup], Graph) throws -> [IRCExecution.ChannelStatistics]

  /// Walks over the calibration text.
  package typealias Walk =
    @Sendable (
      Graph, [CalibrationStop], (Int, CalibrationValues) throws -> [OperandReplacement]
    ) throws -> Void

  /// Prepares to compare logits over so many tokens.
  package typealias Probe = @Sendable (Graph, Int) throws -> LogitProbe

  package var statistics: Statistics
  package var walk: Walk
  package var channelStatistics: ChannelStatistics
  package var logitProbe: Probe
  package var output: @Sendable () throws -> OutputFiles
  /// Keeps results of parts of passes; nil where nothing is kept.
  package var kept: (any KeptTensors)?

  package init(
    statistics: @escaping Statistics,
    channelStatistics: @escaping ChannelStatistics = { _, _ in throw noCalibration },
    walk: @escaping Walk = { _, _, _ in throw noCalibration },
    logitProbe: @escaping Probe = { _, _ in throw noCalibration },
    output: @escaping @Sendable () throws -> OutputFiles, kept: (any KeptTensors)? = nil
  ) {
    self.statistics = statistics
    self.walk = walk
    self.logitProbe = logitProbe
    self.channelStatistics = channelStatistics
    self.output = output
    self.kept = kept
  }

  /// Services of a run that has neither calibration text nor an output folder.
  package static let none = PassServices(
    statistics: { _, _ in throw noCalibration },
    output: { throw PassError("writes files, and this run has no output folder") })

  /// The error of a pass that needs calibration text where there is none.
  package static let noCalibration = PassError(
    "needs calibration statistics, and there is no calibration text",
    hint: "add 'calibration: {text: FILE}' to the model file")
}

/// What a pass said while it ran.
package struct PassLog: Sendable {
  package var remarks: [Remark] = []
  package var counters: [String: Int] = [:]
  package var emissions: [EmissionReport] = []
  /// What it has looked at besides the graph.
  package var surroundings: Surroundings = []

  package init() {}
}

/// Something that a pass tells the user about one place.
public struct Remark: Sendable {
  /// The pass instance.
  public var pass: String
  /// What it is.
  public var kind: RemarkKind
  /// Where.
  public var location: Location
  /// One sentence.
  public var message: String
  /// What the user could change.
  public var hint: String?

  package init(
    pass: String, kind: RemarkKind, location: Location, message: String, hint: String?
  ) {
    self.pass = pass
    self.kind = kind
    self.location = location
    self.message = message
    self.hint = hint
  }
}

/// What is known of a model beside its graph.
public struct ModelDescription: Sendable, Hashable {
  /// Name of the result: files and C symbols start with it.
  public var name: String
  /// Number of token ids.
  public var vocabularySize: Int
  /// Largest number of tokens of one sequence, where the model has a limit.
  public var contextLength: Int?

  /// States the facts.
  public init(name: String, vocabularySize: Int, contextLength: Int?) {
    self.name = name
    self.vocabularySize = vocabularySize
    self.contextLength = contextLength
  }
}
