/// Follows a transform from one place through all ties, and forks where a product leaves a choice.
struct SiteSearch {
  typealias Place = SiteDraft.Place
  typealias Element = SiteDraft.Element

  let network: AxisNetwork
  private let operations: [OperationID: Operation]

  /// Most alternatives that are followed from one place.
  private static let limit = 256

  init(_ network: AxisNetwork) {
    self.network = network
    operations = Dictionary(uniqueKeysWithValues: network.operations.map { ($0.id, $0) })
  }

  /// Every way to transform `place` and whatever must move with it.
  func complete(from place: Place) -> [SiteDraft] {
    var budget = Self.limit
    return complete(SiteDraft(network.family, at: place), &budget)
  }

  private func complete(_ start: SiteDraft, _ budget: inout Int) -> [SiteDraft] {
    var draft = start
    guard budget > 0 else { return [] }
    budget -= 1
    do {
      while let task = draft.tasks.popLast() {
        switch task {
        case .place(let place): try visit(place, &draft)
        case .tie(let arrival):
          var hasChoice = false
          for choices in try follow(arrival, &draft) {
            guard !choices.isEmpty else { continue }
            let finished = choices.flatMap { complete($0, &budget) }
            if !finished.isEmpty { return finished }
            hasChoice = true
          }
          if hasChoice { return [] }
        }
      }
      return [draft]
    } catch {
      // This way is stopped somewhere; others may not be.
      return []
    }
  }

  // MARK: Places

  /// Queues every tie that a place is in; whatever touches it without a tie is at the frontier.
  private func visit(_ place: Place, _ draft: inout SiteDraft) throws(SiteDraft.Impossible) {
    switch place.holder {
    case .constant(let id, let operand):
      arrive(.operand(operand, place.axis), id, place, &draft)
    case .value(let value):
      try enter(place, value, &draft)
      for use in network.uses[value] ?? [] where network.ties[use.operation] != nil {
        if !arrive(.operand(use.operand, place.axis), use.operation, place, &draft) {
          try draft.meet(.exit(place, .init(operation: use.operation, operand: use.operand)))
        }
      }
      for name in network.outputs[value] ?? [] { try draft.meet(.output(place, name: name)) }
      for state in network.stateOfNext[value] ?? [] {
        try assign(state, like: place, &draft)
      }
    }
  }

  /// Follows a value to where it comes from.
  private func enter(
    _ place: Place, _ value: ValueID, _ draft: inout SiteDraft
  ) throws(SiteDraft.Impossible) {
    let producer = network.graph.producer(of: value)
    if producer.op is any StateLeaf {
      // States start as zeros, which every transform leaves alone.
      if let next = network.nextOfState[value] { try assign(next, like: place, &draft) }
    } else if !arrive(
      .result(network.graph.resultIndex(of: value), place.axis), producer.id, place, &draft)
    {
      let readers = (network.uses[value] ?? []).filter { use in
        network.ties(at: .operand(use.operand, place.axis), of: use.operation) != nil
      }
      try draft.meet(
        .entry(
          place, readers: readers.map { .init(operation: $0.operation, operand: $0.operand) },
          states: (network.stateOfNext[value] ?? []).compactMap { network.stateName($0) }))
    }
  }

  private func assign(
    _ value: ValueID, like place: Place, _ draft: inout SiteDraft
  ) throws(SiteDraft.Impossible) {
    guard let element = draft.elements[place] else { return }
    let other = Place(holder: .value(value), axis: place.axis, channels: place.channels)
    try draft.assign(other, element)
  }

  /// Queues the ties at a port; false if nothing passes there.
  @discardableResult
  private func arrive(
    _ port: OperatorAxis, _ id: OperationID, _ place: Place, _ draft: inout SiteDraft
  ) -> Bool {
    guard let ties = network.ties(at: port, of: id) else { return false }
    for (index, _) in ties {
      draft.tasks.append(
        .tie(.init(operation: id, tie: index, port: port, channels: place.channels)))
    }
    return true
  }

  // MARK: Ties

  /// Carries the transform over a tie; returns the ways to go on if there is a choice, those to try first in front.
  private func follow(
    _ arrival: SiteDraft.Arrival, _ draft: inout SiteDraft
  ) throws(SiteDraft.Impossible) -> [[SiteDraft]] {
    guard let operation = operations[arrival.operation],
      let tie = network.ties[arrival.operation]?[arrival.tie]
    else { return [] }
    if tie.transport == .product {
      if network.family == .permuting {
        try spread(tie, arrival, operation, &draft)
        return []
      }
      return try resolve(tie, arrival, operation, &draft)
    }
    try spread(tie, arrival, operation, &draft)
    return []
  }

  /// Gives every other axis of a tie what the one arrived at determines.
  private func spread(
    _ tie: AxisTie, _ arrival: SiteDraft.Arrival, _ operation: Operation, _ draft: inout SiteDraft
  ) throws(SiteDraft.Impossible) {
    guard let from = tie.axes.firstIndex(of: arrival.port),
      let here = place(arrival.port, arrival.channels, operation),
      let element = draft.elements[here]
    else { return }
    let steps = tie.transport.steps
    // First to the first axis of the tie, against its transport, then along it.
    guard
      let first = try from == 0
        ? (arrival.channels, element)
        : backward(steps, arrival.channels, element, tie, operation)
    else { return }
    try narrow(tie, operation, first, &draft)
    for index in tie.axes.indices where index != from {
      let moved = try index == 0 ? first : forward(steps, first, tie, operation)
      // A slice of other channels does not move.
      guard let moved else { continue }
      guard let there = place(tie.axes[index], moved.0, operation) else {
        throw SiteDraft.Impossible()
      }
      try draft.assign(there, moved.1)
    }
    draft.use(tie, .init(operation: operation.id, index: arrival.tie))
  }

  /// Narrows the site's group by what a tie admits at its first axis.
  private func narrow(
    _ tie: AxisTie, _ operation: Operation, _ first: (Range<Int>, Element),
    _ draft: inout SiteDraft
  ) throws(SiteDraft.Impossible) {
    guard var part = network.family.part(of: tie.group) else { throw SiteDraft.Impossible() }
    let division: (inner: TransformGroup, count: Int)? =
      switch part {
      case .blocks(let inner, let count): (inner, count)
      default: part.isPaired ? (part, 1) : nil
      }
    if let (inner, count) = division {
      // In blocks of the transform, which stand `repeats` times.
      let extent = network.extent(network.axis(tie.axes[0], of: operation)) ?? 0
      let (channels, element) = first
      guard extent > 0, count > 0, extent.isMultiple(of: count) else {
        throw SiteDraft.Impossible()
      }
      let block = extent / count
      guard channels.lowerBound.isMultiple(of: block), channels.count.isMultiple(of: block),
        (channels.count / block).isMultiple(of: element.repeats)
      else { throw SiteDraft.Impossible() }
      part = .blocks(of: inner, count: channels.count / block / element.repeats)
    }
    try draft.admit(part)
  }

  /// Elements at the other axes, from the one at the first; nil if the channels are not among theirs.
  private func forward(
    _ steps: [Transport], _ first: (Range<Int>, Element), _ tie: AxisTie, _ operation: Operation
  ) throws(SiteDraft.Impossible) -> (Range<Int>, Element)? {
    var (channels, element) = first
    for step in steps {
      switch step {
      case .identity, .product, .sequence: break
      case .inverseTranspose: element = element.inverted
      case .slice(let lower, let upper):
        guard lower <= channels.lowerBound, channels.upperBound <= upper else { return nil }
        channels = channels.lowerBound - lower..<channels.upperBound - lower
      case .blockRepeat(let times):
        let block = try repeatedBlock(tie, operation, channels, element)
        channels = channels.lowerBound * times..<channels.upperBound * times
        element = Element(
          inverse: element.isInverse, repeats: element.repeats * times, block: block)
      case .reversal: throw SiteDraft.Impossible()
      }
    }
    return (channels, element)
  }

  /// The element at the first axis, from one at another.
  private func backward(
    _ steps: [Transport], _ channels: Range<Int>, _ element: Element, _ tie: AxisTie,
    _ operation: Operation
  ) throws(SiteDraft.Impossible) -> (Range<Int>, Element)? {
    var (channels, element) = (channels, element)
    for step in steps.reversed() {
      switch step {
      case .identity, .product, .sequence: break
      case .inverseTranspose: element = element.inverted
      case .slice(let lower, _):
        channels = channels.lowerBound + lower..<channels.upperBound + lower
      case .blockRepeat(let times):
        // A transform that does not repeat is found from the other end.
        guard element.repeats.isMultiple(of: times), channels.lowerBound == 0 else {
          throw SiteDraft.Impossible()
        }
        channels = 0..<channels.upperBound / times
        let repeats = element.repeats / times
        element = Element(
          inverse: element.isInverse, repeats: repeats, block: repeats == 1 ? 0 : element.block)
      case .reversal: throw SiteDraft.Impossible()
      }
    }
    return (channels, element)
  }

  /// Channels of the blocks that a tie repeats; the whole axis must move.
  private func repeatedBlock(
    _ tie: AxisTie, _ operation: Operation, _ channels: Range<Int>, _ element: Element
  ) throws(SiteDraft.Impossible) -> Int {
    guard case .blocks(_, let count) = tie.group, count > 0,
      let extent = network.extent(network.axis(tie.axes[0], of: operation)),
      channels == 0..<extent, element.repeats == 1 || element.block == extent / count
    else { throw SiteDraft.Impossible() }
    return extent / count
  }

  /// Decides which factor of a product, or its result, goes with the axis arrived at.
  ///
  /// A constant factor takes the transform up at once. Else it goes on through the product. That two factors of run time undo
  /// each other is a combination of two such ways if there are two, and so it is only tried where the product stops it.
  private func resolve(
    _ tie: AxisTie, _ arrival: SiteDraft.Arrival, _ operation: Operation, _ draft: inout SiteDraft
  ) throws(SiteDraft.Impossible) -> [[SiteDraft]] {
    var open: [(place: Place, sign: Int)] = []
    var rest = 0
    for (index, port) in tie.axes.enumerated() {
      guard let place = place(port, arrival.channels, operation) else {
        throw SiteDraft.Impossible()
      }
      // Exponents of the factors add up to that of the result.
      let sign = index == tie.axes.count - 1 ? -1 : 1
      if let exponent = try draft.exponent(place) {
        rest += sign * exponent
      } else {
        open.append((place, sign))
      }
    }
    guard let part = network.family.part(of: tie.group) else { throw SiteDraft.Impossible() }
    try draft.admit(part)
    draft.use(tie, .init(operation: operation.id, index: arrival.tie))
    if rest == 0 {
      for (place, _) in open { try draft.fix(place) }
      return []
    }
    guard rest.magnitude == 1, !open.isEmpty else { throw SiteDraft.Impossible() }
    let cameFromResult = arrival.port == tie.axes.last
    var tiers: [[SiteDraft]] = [[], [], []]
    for (chosen, sign) in open {
      var alternative = draft
      for (place, _) in open where place != chosen { try alternative.fix(place) }
      try alternative.assign(chosen, Element(inverse: sign * rest > 0))
      let isConstant = if case .constant = chosen.holder { true } else { false }
      let goesOn = cameFromResult || sign < 0
      tiers[isConstant ? 0 : goesOn ? 1 : 2].append(alternative)
    }
    return tiers
  }

  /// A stretch of an operation's axis, if ties move it as a whole.
  private func place(
    _ port: OperatorAxis, _ channels: Range<Int>, _ operation: Operation
  ) -> Place? {
    let axis = network.axis(port, of: operation)
    guard network.segments(of: axis).contains(channels) else { return nil }
    return Place(holder: axis.holder, axis: axis.axis, channels: channels)
  }
}

extension Transport {
  /// The transport as elementary steps.
  var steps: [Transport] {
    if case .sequence(let steps) = self { steps.flatMap(\.steps) } else { [self] }
  }
}
