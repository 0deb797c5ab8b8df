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

/// What was told and found when the calibration text was first asked for, so that a run that takes all results from earlier ones
/// says the same.
struct CalibrationRecord: Hashable, Sendable {
  /// Tokens of a window, no more than the model takes.
  var window: Int
  /// Tokens that were read.
  var tokens: Int
  /// What the user was told.
  var notes: [String]

  init(window: Int, tokens: Int, notes: [String]) {
    self.window = window
    self.tokens = tokens
    self.notes = notes
  }

  /// Reads what `json` wrote.
  ///
  /// - Throws: `Diagnostic` when it is something else.
  init(_ json: JSONValue) throws {
    window = try json["window"].int()
    tokens = try json["tokens"].int()
    notes = try json["notes"].array().map { try $0.string() }
  }

  var json: JSON {
    .object([
      ("window", .integer(window)), ("tokens", .integer(tokens)),
      ("notes", .array(notes.map(JSON.string))),
    ])
  }
}

/// Measures activations for the passes of one run; the text is read and encoded when the first pass asks.
final class CalibrationService: Sendable {
  private let calibration: ModelFile.Calibration?
  private let model: LoadedModel
  private let reporter: Reporter
  private let cache: (any StatisticsCache)?
  private let fingerprints: ContentFingerprints
  private let state = Mutex(State())

  private struct State {
    var prepared: Prepared?
    var record: CalibrationRecord?
  }

  /// The text, encoded and cut.
  private struct Prepared {
    let windows: [[Int32]]
    let channels: ChannelCalibration
  }

  /// What there is to say of the text; nil as long as no pass has measured, in this run or in one whose result was taken.
  var record: CalibrationRecord? { state.withLock { $0.record } }

  /// What the passes measured on so far; nil if none of them measured.
  var use: CalibrationUse? {
    guard var calibration, let record else { return nil }
    calibration.window = record.window
    return CalibrationUse(calibration, tokens: record.tokens)
  }

  /// Takes over what an earlier run said of the text, and says it, if this one has not measured yet.
  func adopt(_ record: CalibrationRecord) {
    let isNews = state.withLock { state in
      defer { state.record = state.record ?? record }
      return state.record == nil
    }
    if isNews { record.notes.forEach(reporter.note) }
  }

  /// Stands for the token ids and how they are cut.
  func textFingerprint() throws -> SHA256.Digest { try prepare().channels.textFingerprint }

  /// What decides on the token ids, without encoding the text: the text, how it is cut, and the model's folder but for its weights; nil where
  /// there is no text or it cannot be read.
  func identity(knownTo cache: ContentCache) -> String? {
    guard let calibration,
      let text = try? FileDigests.digest(of: calibration.source.path, knownTo: cache),
      let folder = try? FileDigests.digest(
        ofFolder: model.checkpoint.folder, knownTo: cache, where: { !$0.hasSuffix(".safetensors") })
    else { return nil }
    return """
      \(calibration.source.kind) \(text) \(calibration.skip) \(calibration.tokens) \(calibration.window) \(calibration.seed) \(folder)
      """
  }

  /// - Parameters:
  ///   - calibration: what the model file says; nil if it says nothing, which is an error once a pass asks.
  ///   - cache: where statistics per channel are kept between runs of the program.
  ///   - fingerprints: what is known of tensors already.
  init(
    _ calibration: ModelFile.Calibration?, of model: LoadedModel, _ reporter: Reporter,
    cache: (any StatisticsCache)? = nil,
    fingerprints: ContentFingerprints = ContentFingerprints()
  ) {
    self.calibration = calibration
    self.model = model
    self.reporter = reporter
    self.cache = cache
    self.fingerprints = fingerprints
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
    try state.withLock { state in
      if let prepared = state.prepared { return prepared }
      guard var calibration else { throw PassServices.noCalibration }
      try model.checkFinite()
      var notes: [String] = []
      if let limit = model.facts.contextLength, calibration.window > limit {
        notes.append(
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
        notes.append(
          "the calibration text '\(calibration.source.path)' has \(count) of the \(calibration.tokens) tokens asked for"
        )
      }
      let made = Prepared(
        windows: windows,
        channels: ChannelCalibration(
          windows: windows, cache: cache, fingerprints: fingerprints, progress: showProgress))
      state.prepared = made
      if state.record == nil {
        state.record = CalibrationRecord(window: calibration.window, tokens: count, notes: notes)
        notes.forEach(reporter.note)
      }
      return made
    }
  }

  private var showProgress: @Sendable (Int, Int) -> Void {
    { [reporter] in reporter.progress("calibrate", $0, of: $1) }
  }
}
