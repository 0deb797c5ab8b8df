public import IRCPassKit

extension RotationFusion {
  /// Second moments of all sites in one run over the text, and eigenvectors; Hadamard matrices are tables.
  public func work(
    on graph: Graph, calibrationTokens tokens: Int, in context: PassContext
  ) throws -> PassWork {
    var work = PassWork()
    if kind == .hadamard { return work }
    let chosen = try SiteSelection(sites, among: graph.sites(.mixing)).sites.filter {
      $0.isOffline || online
    }
    if kind.needsMoments {
      let values = try chosen.flatMap { try SiteMoments($0, in: graph).request.values }
      work.measure(
        values.compactMap { graph.type(of: $0).shape.last?.fixed }, tokens: tokens, moments: true)
    }
    for site in chosen {
      let block = site.width / site.group.blockCount
      for _ in 0..<site.group.blockCount { work.decompose(block, block, times: 10) }
    }
    return work
  }
}
