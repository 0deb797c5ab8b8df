public import IRCPassKit

extension AWQ {
  /// A run over the text for each pattern that finds sites; at each site all weights are rounded, and the error of the outputs
  /// taken, for 20 exponents.
  public func work(
    on graph: Graph, calibrationTokens tokens: Int, in context: PassContext
  ) throws -> PassWork {
    var work = PassWork()
    let everything = graph.sites(.scaling)
    for pattern in sites {
      let readers = try SiteSelection([pattern], among: everything).sites.flatMap {
        SiteReader.all(of: $0, in: graph)
      }
      let inputs = Set(readers.map(\.input)).sorted()
      work.measure(
        inputs.compactMap { graph.type(of: $0).shape.last?.fixed }, tokens: tokens, moments: true)
      for reader in readers {
        let weights = Double(graph.type(of: reader.weights).elementCount)
        work.multiplyAdds += 21 * weights * Double(reader.channels.count)
        work.roundings += 20 * weights * (clip ? PassWork.triedRanges : 1)
      }
    }
    return work
  }
}
