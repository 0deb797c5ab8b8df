import IRCExecution
import IRCFrontend
import IRCGraph
import IRCPassKit
import IRCPipeline
import IRCSupport
import IRCTokenizer
import Synchronization

/// What passes measured activations on.
struct CalibrationUse: Sendable {
  /// What the model file says, with windows no longer than the model takes.
  let calibration: ModelFile.Calibration
  /// Tokens that were read.
  let tokens: Int

  init(_ calibration: ModelFile.Calibration, tokens: Int) {
    self.calibration = calibration
    self.tokens = tokens
  }
}

/// Measures activations for the passes of one run; the text is read and encoded when the first pass asks.
final class CalibrationService: Sendable {
  private let calibration: ModelFile.Calibration?
  private let model: LoadedModel
  private let reporter: Reporter
  private let cache: (any StatisticsCache)?
  private let prepared = Mutex<Prepared?>(nil)

  /// The text, encoded and cut.
  private struct Prepared {
    let windows: [[Int32]]
    let channels: ChannelCalibration
    let use: CalibrationUse
  }

  /// What the passes measured on so far; nil if none of them measured.
  var use: CalibrationUse? { prepared.withLock { $0?.use } }

  /// - Parameters:
  ///   - calibration: what the model file says; nil if it says nothing, which is an error once a pass asks.
  ///   - cache: where statistics per channel are kept between runs of the program.
  init(
    _ calibration: ModelFile.Calibration?, of model: LoadedModel, _ reporter: Reporter,
    cache: (any StatisticsCache)? = nil
  ) {
    self.calibration = calibration
    self.model = model
    self.reporter = reporter
    self.cache = cache
  }

  /// Ranges of whole values.
  @Sendable func statistics(
    of values: Set<ValueID>, in graph: Graph
  ) throws -> [ValueID: ValueStatistics] {
    try Calibration.collect(
      graph, values: values, windows: prepare().windows, progress: showProgress)
  }

  /// Statistics per channel of groups of values.
  @Sendable func channelStatistics(
    of groups: [StatisticGroup], in graph: Graph
  ) throws -> [ChannelStatistics] {
    try prepare().channels.statistics(of: groups, in: graph)
  }

  /// One pass over the text with stops on the way.
  @Sendable func walk(
    over graph: Graph, stops: [CalibrationStop],
    visit: (Int, CalibrationValues) throws -> [OperandReplacement]
  ) throws {
    var done = 0
    try CalibrationWalk(graph, stops: stops, windows: prepare().windows).run { index, values in
      let replacements = try visit(index, values)
      done += 1
      reporter.progress("calibrate", done, of: stops.count)
      return replacements
    }
  }

  /// What changes of constants do to logits.
  @Sendable func logitProbe(of graph: Graph, tokens: Int) throws -> LogitProbe {
    try LogitProbe(graph, windows: prepare().windows, tokens: tokens)
  }

  private func prepare() throws -> Prepared {
    try prepared.withLock { prepared in
      if let prepared { return prepared }
      guard var calibration else { throw PassServices.noCalibration }
      try model.checkFinite()
      if let limit = model.facts.contextLength, calibration.window > limit {
        reporter.note(
          "calibration windows have \(limit) tokens and not \(calibration.window): the model takes no more"
        )
        calibration.window = limit
      }
      let windows = try calibration.windows(
        { try model.tokenizer.get() }, start: model.startID)
      let size = model.facts.vocabularySize
      if let id = windows.joined().first(where: { $0 < 0 || Int($0) >= size }) {
        throw Diagnostic(
          "calibration.unknown-id",
          "the calibration text has the id \(id), and the model knows ids below \(size)",
          at: SourceLocation(file: calibration.source.path),
          hint: "make the ids with the tokenizer of this model")
      }
      let count = windows.reduce(0) { $0 + $1.count }
      if count < calibration.tokens {
        reporter.note(
          "the calibration text '\(calibration.source.path)' has \(count) of the \(calibration.tokens) tokens asked for"
        )
      }
      let made = Prepared(
        windows: windows,
        channels: ChannelCalibration(windows: windows, cache: cache, progress: showProgress),
        use: CalibrationUse(calibration, tokens: count))
      prepared = made
      return made
    }
  }

  private var showProgress: @Sendable (Int, Int) -> Void {
    { [reporter] in reporter.progress("calibrate", $0, of: $1) }
  }
}
