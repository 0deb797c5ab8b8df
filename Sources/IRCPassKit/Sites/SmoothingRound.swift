import IRCGraph

/// What a site is, whatever it is called: the constants that take up its factors.
///
/// Names are numbered, so that one site's may become another's once something changed.
struct SiteIdentity: Hashable {
  private struct Place: Hashable {
    var operation: OperationID
    var operand: Int
    var axis: Int
    var channels: Range<Int>
  }

  private let places: Set<Place>

  init(_ site: Site) {
    places = Set(
      site.absorbers.map {
        Place(
          operation: $0.operation, operand: $0.operand, axis: $0.axis, channels: $0.channels)
      })
  }
}

/// Sites that can be measured together, since no factors of one change what is measured for another.
struct SmoothingRound {
  /// Those of this round, in order.
  let sites: [Site]
  /// Those that meet one of this round at a value or at a constant, in order.
  let rest: [Site]

  private struct Axis: Hashable {
    var value: ValueID
    var axis: Int
  }

  /// - Parameter candidates: not empty; the first of them is in the round.
  init(_ candidates: [Site], in graph: Graph) {
    var taken: [Axis: [Range<Int>]] = [:]
    var (sites, rest): ([Site], [Site]) = ([], [])
    for site in candidates {
      let stretches = Self.stretches(of: site, in: graph)
      let meets = stretches.contains { axis, channels in
        (taken[axis] ?? []).contains { $0.overlaps(channels) }
      }
      if meets {
        rest.append(site)
        continue
      }
      sites.append(site)
      for (axis, channels) in stretches { taken[axis, default: []].append(channels) }
    }
    self.sites = sites
    self.rest = rest
  }

  /// Where factors of a site stand: axes of values and of constants.
  private static func stretches(
    of site: Site, in graph: Graph
  ) -> [(axis: Axis, channels: Range<Int>)] {
    let values = site.values.compactMap { value, _ -> (Axis, Range<Int>)? in
      guard case .value(let id) = value.holder else { return nil }
      return (Axis(value: id, axis: value.axis), value.channels)
    }
    let constants = site.absorbers.compactMap { absorber -> (Axis, Range<Int>)? in
      let operands = graph[absorber.operation].operands
      guard absorber.operand < operands.count else { return nil }
      return (Axis(value: operands[absorber.operand], axis: absorber.axis), absorber.channels)
    }
    return values + constants
  }
}
