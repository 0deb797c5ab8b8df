import IRCGraph
import IRCPassKit

/// Channel statistics of a list of things, measured some at a time when the first of them is asked for.
struct Measurements {
  private let graph: Graph
  private let groups: [Result<StatisticGroup, any Error>]
  /// Indices that are measured in one pass over the text.
  private let batches: [[Int]]
  private var known: [Int: ChannelStatistics] = [:]

  /// Prepares to measure.
  ///
  /// - Parameter groups: what to measure; the error is told when that one is asked for.
  init(_ groups: [Result<StatisticGroup, any Error>], in graph: Graph) {
    self.graph = graph
    self.groups = groups
    batches = groups.indices.batches { index in
      guard let group = try? groups[index].get(), let value = group.values.first else { return 0 }
      let width = graph.type(of: value).shape.last?.fixed ?? 0
      return group.request.contains(.secondMoment) ? 8 * width * width / group.blocks : 64 * width
    }
  }

  /// The statistics of one of them, those of its batch being measured with it.
  ///
  /// - Throws: why it cannot be measured, or what measuring throws.
  mutating func statistics(
    of index: Int, in context: PassContext
  ) throws -> ChannelStatistics {
    let group = try groups[index].get()
    if let statistics = known[index] { return statistics }
    let batch = batches.first { $0.contains(index) } ?? [index]
    let asked = batch.compactMap { index in
      (try? groups[index].get()).map { (index: index, group: $0) }
    }
    // The earlier batch is let go first.
    known = [:]
    let measured = try context.channelStatistics(pooling: asked.map(\.group), in: graph)
    known = Dictionary(uniqueKeysWithValues: zip(asked.map(\.index), measured))
    if let statistics = known[index] { return statistics }
    return try context.channelStatistics(pooling: [group], in: graph)[0]
  }
}
