public import IRCExecution
public import IRCGraph
public import IRCTensor

/// Second moments at a site: what all of its readers see, pooled.
///
/// A site whose group keeps blocks of channels apart needs the moments within these alone, and far fewer rows.
public struct SiteMoments {
  private let site: Site
  private let places: [(place: Site.Place, element: Site.Element)]
  /// Channels that the group mixes: those of a block, or all.
  private let size: Int
  /// The values to measure together.
  public let request: StatisticGroup

  /// - Throws: `PassError` when nothing of run time is read at the site, or its channels lie so that they cannot be measured.
  public init(_ site: Site, in graph: Graph) throws {
    self.site = site
    let inputs = site.inputs.compactMap { value in
      site.values.first { $0.place.holder == .value(value) }
    }
    // Of a contraction between two values of run time, both sides are looked at.
    let places = inputs.isEmpty ? site.values : inputs
    guard let first = places.first else {
      throw PassError(
        "site '\(site.name)' has no values to measure", at: site.location,
        hint: "leave it out, or use a kind that needs no data")
    }
    // Values that lie alike are pooled; a site whose readers see different axes goes by the first.
    self.places = places.filter { other in
      other.place.channels == first.place.channels && other.element.repeats == first.element.repeats
        && Self.type(of: other.place, graph) == Self.type(of: first.place, graph)
    }
    let extent = try site.measuredExtent(of: first.place, in: graph)
    size = site.width / max(1, site.group.blockCount)
    let isAligned =
      extent.isMultiple(of: size) && first.place.channels.lowerBound.isMultiple(of: size)
    request = StatisticGroup(
      self.places.compactMap { place in
        if case .value(let value) = place.place.holder { value } else { nil }
      }, .secondMoment, blocks: size < site.width && isAligned ? extent / size : 1)
  }

  private static func type(of place: Site.Place, _ graph: Graph) -> TensorType? {
    if case .value(let value) = place.holder { graph.type(of: value) } else { nil }
  }

  /// The moment in the site's own channels: the blocks on the diagonal that the site's group mixes, [blocks, n, n] of f64, where there is
  /// one block of the whole width if the group has none. What stands several times is added up.
  ///
  /// - Throws: `PassError` when there are too few rows for the width, saying how many tokens are needed.
  public func moment(of statistics: ChannelStatistics, rowsPerChannel: Int) throws -> Tensor {
    try statistics.requireRows(
      rowsPerChannel * size,
      for: "site '\(site.name)' of \(site.width) channels"
        + (size < site.width ? " in blocks of \(size)" : ""), rowsPerToken: places.count)
    guard let measured = statistics.secondMoment else {
      throw PassError("no second moments were measured at site '\(site.name)'", at: site.location)
    }
    let (place, element) = places[0]
    let count = site.width / size
    // Rows of measured blocks lie below each other, each as wide as a block.
    let columns = measured.shape[measured.shape.count - 1]
    return unsafe measured.withElements(as: Double.self) { source in
      unsafe Tensor([count, size, size], of: Double.self) { target in
        for block in 0..<count {
          let offsets = (0..<size).map { element.offsets(of: block * size + $0) }
          for copy in 0..<element.repeats {
            let channels = offsets.map { place.channels.lowerBound + $0[copy] }
            for (row, channel) in channels.enumerated() {
              let (from, to) = (channel * columns, (block * size + row) * size)
              for (column, other) in channels.enumerated() {
                unsafe target[to + column] +=
                  source[from + other % columns] / Double(element.repeats)
              }
            }
          }
        }
      }
    }
  }

  /// Mean square of each of the site's channels; of one that stands several times the mean of all.
  ///
  /// - Parameter statistics: of `request`, measured with or without second moments.
  public func meanSquares(of statistics: ChannelStatistics) -> [Double] {
    let (place, element) = places[0]
    return (0..<site.width).map { channel in
      element.offsets(of: channel).reduce(0) {
        $0 + statistics.meanSquare[place.channels.lowerBound + $1]
      } / Double(element.repeats)
    }
  }

  /// Mean of each of the site's channels; of one that stands several times the mean of all.
  public func means(of statistics: ChannelStatistics) -> [Double] {
    let (place, element) = places[0]
    return (0..<site.width).map { channel in
      element.offsets(of: channel).reduce(0) {
        $0 + statistics.mean[place.channels.lowerBound + $1]
      } / Double(element.repeats)
    }
  }

  /// Largest magnitude of each of the site's channels.
  public func absoluteMaxima(of statistics: ChannelStatistics) -> [Double] {
    let (place, element) = places[0]
    let magnitudes = statistics.absoluteMaximum
    return (0..<site.width).map { channel in
      element.offsets(of: channel).reduce(0) {
        max($0, Double(magnitudes[place.channels.lowerBound + $1]))
      }
    }
  }

  /// Largest over smallest mean square of channels: 1 if all are used alike, and of several blocks of channels that a site's group
  /// keeps apart that of the one in which it is greatest.
  public static func spread(of meanSquares: [Double], in group: TransformGroup) -> Double {
    let size = max(1, meanSquares.count / max(1, group.blockCount))
    let ratios = stride(from: 0, to: meanSquares.count, by: size).map { start in
      let block = meanSquares[start..<min(start + size, meanSquares.count)]
      guard let least = block.min(), let greatest = block.max(), greatest > 0 else { return 1.0 }
      return greatest / least
    }
    return ratios.max() ?? 1
  }
}

extension Site {
  /// Channels of the axis that a place is on, if statistics can be taken along it.
  ///
  /// - Throws: `PassError` naming the value where the axis is not the innermost one, along which values are measured.
  func measuredExtent(of place: Place, in graph: Graph) throws -> Int {
    guard case .value(let value) = place.holder, place.axis == graph.type(of: value).rank - 1,
      let extent = graph.type(of: value).shape[place.axis].fixed
    else {
      var maker = "a constant"
      if case .value(let value) = place.holder {
        maker = "the result of '\(graph.producer(of: value).op.operatorName)'"
      }
      throw PassError(
        "site '\(name)' cannot be measured: \(maker) has its channels on axis \(place.axis), which is not the innermost",
        at: location, hint: "leave the site out, or use a kind that needs no data")
    }
    return extent
  }
}

extension TransformGroup {
  /// Number of blocks of channels that transforms of the group keep apart; 1 if it has no blocks.
  public var blockCount: Int {
    if case .blocks(_, let count) = self { count } else { 1 }
  }
}

extension Site {
  /// What stands at the first place of the frontier, for messages.
  public func obstacle(in graph: Graph) -> String {
    guard let edge = frontier.first else { return "nothing" }
    let more = frontier.count > 1 ? ", and \(frontier.count - 1) more" : ""
    switch edge {
    case .entry(let place, _, _):
      guard case .value(let value) = place.holder else { return "a constant enters" }
      let producer = graph.producer(of: value)
      return "\(producer.title) writes it\(more)"
    case .exit(_, let use):
      let reader = graph[use.operation]
      return "\(reader.title) reads it\(more)"
    case .output(_, let name): return "the output '\(name)' shows it\(more)"
    }
  }
}
