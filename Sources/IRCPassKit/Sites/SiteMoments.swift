public import IRCExecution
public import IRCGraph
public import IRCTensor

/// Second moments at a site: what all of its readers see, pooled.
public struct SiteMoments {
  private let site: Site
  private let places: [(place: Site.Place, element: Site.Element)]
  /// The values to measure together.
  public let request: StatisticGroup

  /// - Throws: `PassError` when nothing of run time is read at the site.
  public init(_ site: Site, in graph: Graph) throws {
    self.site = site
    let inputs = site.inputs.compactMap { value in
      site.values.first { $0.place.holder == .value(value) }
    }
    // Of a contraction between two values of run time, both sides are looked at.
    let places = inputs.isEmpty ? site.values : inputs
    guard let first = places.first else {
      throw PassError("site '\(site.name)' has no values to measure")
    }
    // Values that lie alike are pooled; a site whose readers see different axes goes by the first.
    self.places = places.filter { other in
      other.place.channels == first.place.channels && other.element.repeats == first.element.repeats
        && Self.type(of: other.place, graph) == Self.type(of: first.place, graph)
    }
    request = StatisticGroup(
      self.places.compactMap { place in
        if case .value(let value) = place.place.holder { value } else { nil }
      }, .secondMoment)
  }

  private static func type(of place: Site.Place, _ graph: Graph) -> TensorType? {
    if case .value(let value) = place.holder { graph.type(of: value) } else { nil }
  }

  /// The moment in the site's own channels, [width, width] of f64; what stands several times is added up.
  ///
  /// - Throws: `PassError` when there are too few rows for the width, saying how many tokens are needed.
  public func moment(of statistics: ChannelStatistics, rowsPerChannel: Int) throws -> Tensor {
    let needed = rowsPerChannel * site.width
    guard statistics.rows >= needed, let measured = statistics.secondMoment else {
      let tokens = (needed + places.count - 1) / max(1, places.count)
      throw PassError(
        "site '\(site.name)' of \(site.width) channels needs at least \(tokens) calibration tokens "
          + "(\(rowsPerChannel) rows for each channel), and there are \(statistics.rows / max(1, places.count))",
        hint:
          "raise 'tokens' under 'calibration', name a longer text, or use a kind that needs no data"
      )
    }
    let element = places[0].element
    let source = measured.array(of: Double.self)
    let columns = measured.shape[1]
    let copies = copies
    return unsafe Tensor([site.width, site.width], of: Double.self) { target in
      for row in 0..<site.width {
        for column in 0..<site.width {
          unsafe target[row * site.width + column] =
            zip(copies[row], copies[column])
            .reduce(0) { $0 + source[$1.0 * columns + $1.1] } / Double(element.repeats)
        }
      }
    }
  }

  /// Mean square of each of the site's channels; of one that stands several times the mean of all.
  ///
  /// - Parameter statistics: of `request`, measured with or without second moments.
  public func meanSquares(of statistics: ChannelStatistics) -> [Double] {
    copies.map { copies in
      copies.reduce(0) { $0 + statistics.meanSquare[$1] } / Double(copies.count)
    }
  }

  /// Channels of the axis that stand for each channel of the site.
  private var copies: [[Int]] {
    let (place, element) = places[0]
    let lower = place.channels.lowerBound
    return (0..<site.width).map { channel in
      guard element.repeats > 1 else { return [lower + channel] }
      let (block, offset) = channel.quotientAndRemainder(dividingBy: element.block)
      return (0..<element.repeats).map {
        lower + (block * element.repeats + $0) * element.block + offset
      }
    }
  }
}

extension Site {
  /// What stands at the first place of the frontier, for messages.
  public func obstacle(in graph: Graph) -> String {
    guard let edge = frontier.first else { return "nothing" }
    let more = frontier.count > 1 ? ", and \(frontier.count - 1) more" : ""
    switch edge {
    case .entry(let place, _):
      guard case .value(let value) = place.holder else { return "a constant enters" }
      let producer = graph.producer(of: value)
      return "'\(producer.op.operatorName)' (\(producer.location.text)) writes it\(more)"
    case .exit(_, let use):
      let reader = graph[use.operation]
      return "'\(reader.op.operatorName)' (\(reader.location.text)) reads it\(more)"
    case .output(_, let name): return "the output '\(name)' shows it\(more)"
    }
  }
}
