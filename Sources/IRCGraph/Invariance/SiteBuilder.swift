/// Makes a site of a finished draft: who writes, who reads, what is at the edge, and what it is called.
struct SiteBuilder {
  private let draft: SiteDraft
  private let network: AxisNetwork
  /// The ties that the site passes through, in the graph's order.
  private let ties: [(id: SiteDraft.TieID, tie: AxisTie)]
  private var graph: Graph { network.graph }

  init(_ draft: SiteDraft, _ network: AxisNetwork) {
    self.draft = draft
    self.network = network
    func place(_ id: SiteDraft.TieID) -> (Int, Int) {
      (network.position(of: id.operation), id.index)
    }
    ties = draft.usedTies.sorted { place($0.key) < place($1.key) }.map { ($0.key, $0.value) }
  }

  /// The site; nil if a transform of it would serve nothing.
  func site() -> Site? {
    var absorbers: [Part: [Site.Absorber]] = [:]
    var inputs: [ValueID] = []
    var inputDirections: [Bool] = []
    for place in draft.order {
      guard case .constant(let id, let operand) = place.holder, let element = draft.elements[place]
      else { continue }
      let (part, input) = part(of: place, id, operand)
      absorbers[part, default: []].append(
        Site.Absorber(
          operation: id, operand: operand, axis: place.axis, channels: place.channels,
          element: element))
      if part == .reader, let input {
        inputDirections.append(draft.elements[input]?.isInverse ?? false)
        if case .value(let value) = input.holder, !inputs.contains(value) { inputs.append(value) }
      }
    }
    let frontier = usefulFrontier
    let readers = absorbers[.reader, default: []]
    let isContraction = Set(valueElements.map(\.element.isInverse)).count == 2
    let role = role(frontier)
    let isUseful =
      switch network.family {
      case .mixing: !readers.isEmpty || isContraction || role == .residual
      case .pairing: draft.group.isPaired
      case .scaling, .permuting: !absorbers.isEmpty
      }
    guard isUseful else { return nil }
    // T is what readers' inputs take, as far as they agree.
    let isFlipped = inputDirections.first == true
    func oriented(_ part: Part) -> [Site.Absorber] {
      absorbers[part, default: []].map { absorber in
        var absorber = absorber
        if isFlipped { absorber.element = absorber.element.inverted }
        return absorber
      }
    }
    let anchor = anchor(absorbers)
    return Site(
      name: "\(role.rawValue)/\(anchor.name)", location: anchor.location, role: role,
      family: network.family,
      group: draft.group, width: width, writers: oriented(.writer), readers: oriented(.reader),
      carriers: oriented(.carrier),
      values: valueElements.map { ($0.place, isFlipped ? $0.element.inverted : $0.element) },
      frontier: frontier, adapted: adapted, inputs: inputs)
  }

  /// Channels of T: those of a place where it does not repeat.
  private var width: Int {
    draft.order.map { $0.channels.count / (draft.elements[$0]?.repeats ?? 1) }.min() ?? 0
  }

  private var valueElements: [(place: Site.Place, element: Site.Element)] {
    draft.order.compactMap { place in
      guard case .value = place.holder, let element = draft.elements[place] else { return nil }
      return (place, element)
    }
  }

  private var adapted: [OperationID] {
    draft.order.compactMap { place in
      guard case .constant(let id, let operand) = place.holder,
        operand >= graph[id].operands.count
      else { return nil }
      return id
    }
  }

  // MARK: Parts

  /// What a constant does for the site.
  private enum Part {
    case writer, reader, carrier
  }

  /// A constant beside a value that moves is a reader if nothing behind the operation moves, and a writer the other way round.
  private func part(
    of place: Site.Place, _ id: OperationID, _ operand: Int
  ) -> (Part, input: Site.Place?) {
    let operation = graph[id]
    let port = OperatorAxis.operand(operand, place.axis)
    var input: Site.Place?
    for (tieID, tie) in ties where tieID.operation == id && tie.axes.contains(port) {
      for axis in tie.axes {
        guard case .operand = axis.port else { continue }
        input = input ?? moved(axis, operation)
      }
    }
    let movesResults = operation.results.contains { result in
      draft.order.contains { $0.holder == .value(result) }
    }
    switch (input, movesResults) {
    case (let input?, false): return (.reader, input)
    case (let input?, true): return (.carrier, input)
    case (nil, _): return (.writer, nil)
    }
  }

  /// The place of an axis, if it is a value that moves.
  private func moved(_ port: OperatorAxis, _ operation: Operation) -> Site.Place? {
    let axis = network.axis(port, of: operation)
    guard case .value = axis.holder else { return nil }
    return draft.order.first { $0.holder == axis.holder && $0.axis == axis.axis }
  }

  /// A value from outside is transformed for its readers in the site alone, so readers outside need nothing.
  private var usefulFrontier: [Site.Edge] {
    var entries: Set<Site.Place> = []
    for case .entry(let place, _, _) in draft.frontier { entries.insert(place) }
    return draft.frontier.filter { edge in
      switch edge {
      case .entry: true
      case .exit(let place, _), .output(let place, _): !entries.contains(place)
      }
    }
  }

  // MARK: Names

  private func role(_ frontier: [Site.Edge]) -> SiteRole {
    if let role = draft.usedTies.values.compactMap(\.role).min() { return role }
    for case .entry(let place, _, _) in frontier {
      guard case .value(let value) = place.holder else { continue }
      let producer = graph.producer(of: value)
      let port = OperatorAxis.result(graph.resultIndex(of: value), place.axis)
      let ties = (network.ties[producer.id] ?? []).filter { $0.axes.contains(port) }
      return ties.compactMap(\.role).min() ?? .input
    }
    return frontier.isEmpty ? .lowRank : .input
  }

  /// The tensor that reads the site first, else the one that writes it first, else where the first operation comes from.
  private func anchor(
    _ absorbers: [Part: [Site.Absorber]]
  ) -> (name: String, location: Location) {
    func named(_ tensor: String) -> (String, Location) {
      (tensor.hasSuffix(".weight") ? String(tensor.dropLast(7)) : tensor, .checkpoint(tensor))
    }
    for part in [Part.reader, .writer, .carrier] {
      for absorber in absorbers[part, default: []].sorted(by: isBefore) {
        let operands = graph[absorber.operation].operands
        if absorber.operand < operands.count,
          let name = graph.parameterName(of: operands[absorber.operand])
        {
          return named(name)
        }
      }
    }
    guard let operation = ties.first.map({ graph[$0.id.operation] }) else {
      return ("graph", .unknown)
    }
    return operation.location.checkpointName.map(named)
      ?? (operation.op.operatorName, operation.location)
  }

  private func isBefore(_ a: Site.Absorber, _ b: Site.Absorber) -> Bool {
    (network.position(of: a.operation), a.operand) < (network.position(of: b.operation), b.operand)
  }
}
