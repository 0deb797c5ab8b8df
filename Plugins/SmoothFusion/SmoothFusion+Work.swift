public import IRCPassKit

extension SmoothFusion {
  /// A run over the text for each pattern that finds sites, and a search among 20 exponents at each.
  public func work(
    on graph: Graph, calibrationTokens tokens: Int, in context: PassContext
  ) throws -> PassWork {
    var work = PassWork()
    let everything = graph.sites(.scaling)
    for pattern in sites {
      let chosen = try SiteSelection([pattern], among: everything).sites
      let parts = try chosen.map { try SmoothingStatistics($0, in: graph) }
      let values = parts.flatMap(\.requests).flatMap(\.values)
      work.measure(values.compactMap { graph.type(of: $0).shape.last?.fixed }, tokens: tokens)
      let candidates = alpha == nil ? 20.0 : 1
      for reader in chosen.flatMap(\.readers) {
        let operands = graph[reader.operation].operands
        work.roundings += candidates * Double(graph.type(of: operands[reader.operand]).elementCount)
      }
    }
    return work
  }
}
