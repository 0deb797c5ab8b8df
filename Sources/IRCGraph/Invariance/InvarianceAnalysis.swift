/// Finds the sites of a graph: where its weights can be changed without changing its function (architecture page, section 1).
///
/// It knows what operators say of themselves (`InvarianceRule`) and nothing else: no operator by kind, no network by name.
public struct InvarianceAnalysis {
  private let graph: Graph

  /// Prepares to look at a graph.
  public init(_ graph: Graph) {
    self.graph = graph
  }

  /// The sites of one family, in the order of the first operation of each.
  ///
  /// Sites of the mixing, pairing and permuting families are disjoint. Scaling sites may share places: a product can hand
  /// its factors on by either side, and each way is a site of its own.
  public func sites(_ family: TransformFamily) -> [Site] {
    let network = AxisNetwork(graph, family)
    let search = SiteSearch(network)
    var visited: Set<Site.Place> = []
    var known: Set<Set<Signed>> = []
    var sites: [Site] = []
    for place in seeds(of: network) where !visited.contains(place) {
      for draft in search.complete(from: place) {
        if family != .scaling { visited.formUnion(draft.elements.keys) }
        let isNew = known.insert(signature(draft, flipped: false)).inserted
        known.insert(signature(draft, flipped: true))
        guard isNew, let site = SiteBuilder(draft, network).site() else { continue }
        sites.append(site)
      }
    }
    return named(sites)
  }

  /// Every stretch of every fixed axis that is computed at run time.
  private func seeds(of network: AxisNetwork) -> [Site.Place] {
    network.operations.flatMap(\.results).flatMap { value in
      graph.type(of: value).shape.indices.flatMap { axis in
        network.segments(of: .init(holder: .value(value), axis: axis)).map {
          Site.Place(holder: .value(value), axis: axis, channels: $0)
        }
      }
    }
  }

  /// A place with the direction that it takes.
  private struct Signed: Hashable {
    var place: Site.Place
    var element: Site.Element
  }

  private func signature(_ draft: SiteDraft, flipped: Bool) -> Set<Signed> {
    Set(draft.elements.map { Signed(place: $0, element: flipped ? $1.inverted : $1) })
  }

  /// Sites of one name are numbered.
  private func named(_ sites: [Site]) -> [Site] {
    var counts: [String: Int] = [:]
    return sites.map { site in
      var site = site
      let count = counts[site.name, default: 0] + 1
      counts[site.name] = count
      if count > 1 { site.name += "#\(count)" }
      return site
    }
  }
}
