public import IRCGraph
import IRCOps
import IRCSupport
import IRCTensor
import Synchronization

extension Calibration {
  /// Bytes of measured values that are kept at a time where nothing else is asked for.
  public static let sampleLimit = 1 << 28

  /// Statistics per channel of run-time values, from one pass over the windows; see `collectChannels(_:groups:)`.
  public static func collectChannels(
    _ graph: Graph, requests: [ValueID: StatisticRequest], windows: [[Int32]],
    cacheLimit: Int = 1 << 30, memoryLimit: Int = sampleLimit,
    progress: (@Sendable (_ done: Int, _ total: Int) -> Void)? = nil
  ) throws -> [ValueID: ChannelStatistics] {
    let values = requests.keys.sorted()
    let statistics = try collectChannels(
      graph, groups: values.map { StatisticGroup([$0], requests[$0] ?? .range) }, windows: windows,
      cacheLimit: cacheLimit, memoryLimit: memoryLimit, progress: progress)
    return Dictionary(uniqueKeysWithValues: zip(values, statistics))
  }

  /// Statistics per channel of groups of run-time values, from one pass over the windows, each from a fresh state.
  ///
  /// Only the part of the graph that the values depend on runs. The rows of a group come window by window, and within a window
  /// value by value in the group's order; sums are taken in that order, so that the bits are the same for any number of
  /// threads and for any memory limit.
  ///
  /// Windows run in batches, all threads on different windows, and keep the measured values; then all threads add these up.
  /// Memory beside that of running the graph: 32 bytes a channel, 2560 more with `.quantiles`; with `.secondMoment` 4·n² bytes
  /// for each group of n channels while it runs and 8·n² afterwards, divided by the group's `blocks`; 4 bytes for each measured element of a batch, where a batch
  /// has at least one window and, if more, takes at most `memoryLimit`; and 2 kB·n for each thread.
  ///
  /// A recurrent state is seen once a window: measure the value that becomes its next state, which is the state after the
  /// window's last token. Between tokens it exists only inside the operator.
  ///
  /// - Parameters:
  ///   - graph: a language model.
  ///   - groups: real values of the graph that depend on its input and have a fixed number of channels.
  ///   - windows: token ids.
  ///   - cacheLimit: as in `Interpreter.init`.
  ///   - memoryLimit: bytes of measured values to keep at a time.
  ///   - progress: called after each window with how many have run and how many there are.
  /// - Returns: the statistics of each group.
  /// - Throws: `Diagnostic` when there are no windows, a value cannot be measured, or an operation fails.
  public static func collectChannels(
    _ graph: Graph, groups: [StatisticGroup], windows: [[Int32]], cacheLimit: Int = 1 << 30,
    memoryLimit: Int = sampleLimit, progress: (@Sendable (_ done: Int, _ total: Int) -> Void)? = nil
  ) throws -> [ChannelStatistics] {
    try check(windows)
    let values = Set(groups.flatMap(\.values)).sorted()
    try check(values, of: graph)
    let sums = try groups.map {
      ChannelSums($0.request, width: try width(of: $0, in: graph), blocks: $0.blocks)
    }
    if groups.isEmpty { return [] }
    // Refuses what is no language model, which the part alone does not show.
    _ = try GraphLanguageModel(graph, cacheLimit: 0)
    let interpreter = try Interpreter(graph.part(computing: values), cacheLimit: cacheLimit)
    let outputs = Dictionary(
      uniqueKeysWithValues: values.enumerated().map { ($1, "\($0)") })

    let windows = windows.filter { !$0.isEmpty }
    let sizes = windows.map { ids in
      groups.flatMap(\.values).reduce(0.0) {
        $0 + byteCount(of: graph.type(of: $1), tokens: ids.count)
      }
    }
    let pieces = sums.enumerated().flatMap { group, sums in
      (0..<sums.pieceCount).map { (group: group, piece: $0) }
    }
    let done = Mutex(0)
    var start = 0
    while start < windows.count {
      let batch = start..<end(ofBatchAt: start, sizes, limit: Double(memoryLimit))
      let samples = try Parallel.map(batch.count) { index in
        let ids = windows[batch.lowerBound + index]
        let results = try interpreter.run(
          inputs: [GraphLanguageModel.input: Tensor([ids.count], ids)])
        let samples = groups.map { group in
          group.values.compactMap { value in
            outputs[value].flatMap { results[$0] }.map { ChannelSample($0, group.request) }
          }
        }
        if let progress {
          done.withLock {
            $0 += 1
            progress($0, windows.count)
          }
        }
        return samples
      }
      try Parallel.forEach(pieces.count) { index in
        let (group, piece) = pieces[index]
        sums[group].add(samples.flatMap { $0[group] }, to: piece)
      }
      start = batch.upperBound
    }
    return sums.map { $0.finish() }
  }

  /// The window after the last one of a batch.
  private static func end(ofBatchAt start: Int, _ sizes: [Double], limit: Double) -> Int {
    var end = start + 1
    var room = limit - sizes[start]
    while end < sizes.count, sizes[end] <= room {
      room -= sizes[end]
      end += 1
    }
    return end
  }

  /// Bytes of a value when so many tokens are read from a fresh state.
  private static func byteCount(of type: TensorType, tokens: Int) -> Double {
    type.shape.reduce(4) { $0 * Double($1.fixed ?? $1.constant + tokens) }
  }

  /// Number of channels of a group's values, which must agree.
  private static func width(of group: StatisticGroup, in graph: Graph) throws -> Int {
    guard let first = group.values.first else {
      throw Diagnostic(
        "calibration.empty-group", "a group to be measured has no values",
        hint: "name at least one value")
    }
    let widths = try group.values.map { value in
      let type = graph.type(of: value)
      guard let width = group.request.width(of: type) else {
        throw notMeasurable(
          value, of: graph, "is of type \(type), whose channels have no fixed number",
          hint: "measure another axis, or a value of fixed width")
      }
      return width
    }
    if let other = widths.firstIndex(where: { $0 != widths[0] }) {
      throw notMeasurable(
        group.values[other], of: graph,
        "has \(widths[other]) channels and cannot be measured together with '"
          + "\(graph.producer(of: first).op.operatorName)' of \(widths[0])",
        hint: "pool values of the same width")
    }
    guard group.blocks > 0, widths[0].isMultiple(of: group.blocks) else {
      throw notMeasurable(
        first, of: graph, "has \(widths[0]) channels, which are not \(group.blocks) equal blocks",
        hint: "ask for a number of blocks that divides the number of channels")
    }
    return widths[0]
  }
}
