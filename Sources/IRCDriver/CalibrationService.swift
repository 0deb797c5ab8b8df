import IRCExecution
import IRCFrontend
import IRCGraph
import IRCPassKit
import IRCPipeline
import IRCSupport
import IRCTokenizer
import Synchronization

/// Measures activations for the passes of one run; the text is read and encoded when the first pass asks.
final class CalibrationService: Sendable {
  private let calibration: ModelFile.Calibration?
  private let model: LoadedModel
  private let reporter: Reporter
  private let cache: (any StatisticsCache)?
  private let prepared = Mutex<(windows: [[Int32]], channels: ChannelCalibration)?>(nil)

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

  private func prepare() throws -> (windows: [[Int32]], channels: ChannelCalibration) {
    try prepared.withLock { prepared in
      if let prepared { return prepared }
      guard let calibration else { throw PassServices.noCalibration }
      try model.checkFinite()
      let windows = try calibration.windows(
        { try model.tokenizer.get() }, start: model.startID)
      let count = windows.reduce(0) { $0 + $1.count }
      if count < calibration.tokens {
        reporter.note(
          "the calibration text '\(calibration.source.path)' has \(count) of the \(calibration.tokens) tokens asked for"
        )
      }
      let made = (
        windows, ChannelCalibration(windows: windows, cache: cache, progress: showProgress)
      )
      prepared = made
      return made
    }
  }

  private var showProgress: @Sendable (Int, Int) -> Void {
    { [reporter] in reporter.progress("calibrate", $0, of: $1) }
  }
}
