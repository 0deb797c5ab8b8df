import IRCPassKit

/// What one linear reader, or one side of a contraction, knows of a site's channels; all arrays have the site's width.
struct SmoothingSide {
  /// Largest magnitude of each channel of the activations.
  var activations: [Double]
  /// Mean square of each channel of the activations.
  var power: [Double]
  /// The weights, [out, width] of f32: nil where the other side is an activation too.
  var weights: Tensor?
  /// Sum of squares of each channel of the weights.
  var squares: [Double]
  /// Largest magnitude of each channel of the weights, or of the other side's activations.
  var opposite: [Double]
}

/// Measures what smoothing a site needs.
struct SmoothingStatistics {
  private let site: Site
  /// What to measure: the inputs of readers, or all values of a contraction.
  let requests: [StatisticGroup]
  private let readers: [Site.Absorber]
  private let places: [(place: Site.Place, element: Site.Element)]

  init(_ site: Site, in graph: Graph) throws {
    self.site = site
    // Taps of a convolution read a site that goes on behind them.
    readers = site.readers.isEmpty ? site.carriers.filter(\.element.isInverse) : site.readers
    let operands = readers.flatMap { graph[$0.operation].operands }
    let inputs = site.values.filter { value in
      operands.contains { value.place.holder == .value($0) }
    }
    let all = inputs.isEmpty ? site.values : inputs
    // States are values at the end of a text only; what flows into them is measured instead.
    places = all.filter { value in
      guard case .value(let id) = value.place.holder else { return false }
      let type = graph.type(of: id)
      return type.shape.first?.fixed == nil && value.place.axis == type.rank - 1
    }
    if places.isEmpty {
      throw PassError(
        "site '\(site.name)' cannot be measured: \(Self.maker(of: all, graph)) does not have a row for each token with the channels innermost",
        at: site.location, hint: "leave the site out of 'sites'")
    }
    for reader in readers { try Self.checkLayout(of: reader, at: site, in: graph) }
    requests = places.compactMap { value in
      if case .value(let id) = value.place.holder {
        StatisticGroup([id])
      } else {
        nil
      }
    }
  }

  private static func maker(
    of values: [(place: Site.Place, element: Site.Element)], _ graph: Graph
  ) -> String {
    guard case .value(let value)? = values.first?.place.holder else { return "what moves there" }
    return "the result of '\(graph.producer(of: value).op.operatorName)'"
  }

  /// Readers' weights are looked at as matrices: their channels are rows, or columns of what has two axes.
  private static func checkLayout(
    of reader: Site.Absorber, at site: Site, in graph: Graph
  ) throws {
    let operation = graph[reader.operation]
    let rank = graph.type(of: operation.operands[reader.operand]).rank
    guard reader.axis == 0 || reader.axis == 1 && rank == 2 else {
      throw PassError(
        "site '\(site.name)' cannot be measured: '\(operation.op.operatorName)' reads its channels along axis \(reader.axis) of a constant of rank \(rank)",
        at: operation.location, hint: "leave the site out of 'sites'")
    }
  }

  /// The sides, from the statistics of `requests`.
  func sides(_ statistics: [ChannelStatistics], in graph: Graph) throws -> [SmoothingSide] {
    let measured = zip(places, statistics).map { value, statistics in
      (
        value: value, peaks: collapse(statistics.absoluteMaximum.map(Double.init), value, max),
        power: collapse(statistics.meanSquare, value, +)
      )
    }
    if readers.isEmpty {
      func peak(_ isInverse: Bool) -> [Double] {
        measured.filter { $0.value.element.isInverse == isInverse }.map(\.peaks)
          .reduce([Double](repeating: 0, count: site.width)) { zip($0, $1).map(max) }
      }
      let power = [Double](repeating: 1, count: site.width)
      return [
        SmoothingSide(
          activations: peak(false), power: power, weights: nil, squares: [], opposite: peak(true))
      ]
    }
    let folder = ConstantFolder(graph)
    return try measured.flatMap { value, peaks, power in
      try readers.filter { reader in
        graph[reader.operation].operands.contains {
          value.place.holder == .value($0)
        }
      }.map { reader in
        let weights = try columns(
          of: folder.fold(graph[reader.operation].operands[reader.operand]), reader)
        let magnitudes = weights.columnMagnitudes
        return SmoothingSide(
          activations: peaks, power: power, weights: weights, squares: magnitudes.squares,
          opposite: magnitudes.peaks.map(Double.init))
      }
    }
  }

  /// One number for each channel of the site: the channels of a place that stand for it taken together.
  private func collapse(
    _ numbers: [Double], _ value: (place: Site.Place, element: Site.Element),
    _ combine: (Double, Double) -> Double
  ) -> [Double] {
    var result = [Double](repeating: 0, count: site.width)
    for (offset, channel) in value.place.channels.enumerated() {
      let index = value.element.channel(at: offset)
      result[index] = combine(result[index], numbers[channel])
    }
    return result
  }

  /// The columns of a reader's weights that read the site, as [rows, width]; repeated ones below each other.
  private func columns(of weights: Tensor, _ reader: Site.Absorber) -> Tensor {
    let matrix = weights.reshaped([weights.shape[0], weights.count / max(1, weights.shape[0])])
    let isRow = reader.axis == 0
    let copies = reader.element.repeats
    let (rows, width) = (isRow ? matrix.columns : matrix.rows, site.width)
    return unsafe matrix.withElements(as: Float.self) { source in
      unsafe Tensor([rows * copies, width], of: Float.self) { target in
        for (offset, channel) in reader.channels.enumerated() {
          let index = reader.element.channel(at: offset)
          let copy = reader.element.copy(at: offset)
          for row in 0..<rows {
            unsafe target[(copy * rows + row) * width + index] =
              isRow
              ? source[channel * matrix.columns + row] : source[row * matrix.columns + channel]
          }
        }
      }
    }
  }
}
