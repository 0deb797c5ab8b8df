import IRCGraph
import IRCOps
import IRCSupport
import IRCTensor

/// Applies one transform to one site of a graph.
struct SiteRewriter {
  private(set) var graph: Graph
  private(set) var change = SiteChange()
  private let site: Site
  private let transform: ChannelTransform
  private let context: PassContext
  /// What a constant became, so that one that is read in several places stays one where it can.
  private var rewritten: [Rewrite: ValueID] = [:]
  private var attached: [Content: ValueID] = [:]

  /// What a constant of the transform holds, known without making it.
  private struct Content: Hashable {
    var label: String
    var digest: SHA256.Digest
    var isInverse = false
    var repeats: Int
    var block: Int
  }
  /// Where what a constant becomes is made: before the first of all operations that take up the transform through it.
  private var anchors: [ValueID: OperationID] = [:]

  private struct Rewrite: Hashable {
    var value: ValueID
    var axis: Int
    var channels: Range<Int>
    var form: ChannelTransform.Form
    var repeats: Int
  }

  init(
    _ graph: Graph, _ site: Site, _ transform: ChannelTransform, _ context: PassContext
  ) {
    self.graph = graph
    self.site = site
    self.transform = transform
    self.context = context
  }

  mutating func run() throws {
    try checkFrontier()
    try adapt()
    findAnchors()
    var results: [ValueID: Set<ValueID>] = [:]
    var order: [ValueID] = []
    // Places that go on reading a constant as it was.
    var others: [ValueID: Int] = [:]
    for absorber in site.absorbers {
      let old = graph[absorber.operation].operands[absorber.operand]
      if results[old] == nil {
        order.append(old)
        others[old] = graph.readerCount(of: old)
      }
      let new = try absorb(absorber, old)
      graph.setOperand(absorber.operand, of: absorber.operation, to: new)
      others[old, default: 0] -= 1
      results[old, default: []].insert(new)
    }
    // Looked up only where something else reads the constant, which is rare.
    let shared = order.filter { (others[$0] ?? 0) > 0 }
    let uses = shared.isEmpty ? [:] : graph.uses()
    let constants = shared.isEmpty ? [] : graph.constants()
    for old in order {
      // A constant made from another one is a copy already.
      let isStillRead = (uses[old] ?? []).contains { use in
        !graph[use.operation].results.contains(where: constants.contains)
      }
      let copies = (results[old]?.count ?? 0) + (isStillRead ? 1 : 0) - 1
      if copies > 0, let name = graph.parameterName(of: old) {
        change.untied.append((name, copies * graph.type(of: old).elementCount))
      }
    }
    for edge in site.frontier { try insert(at: edge) }
  }

  /// Refuses what cannot run online before anything is changed.
  private func checkFrontier() throws {
    for case .matrices(let matrices) in transform.factors where !site.isOffline {
      let shape = matrices.direct.shape
      let isRepeated = site.values.contains { $0.element.repeats != 1 }
      guard shape[0] == 1, shape[1] == transform.width, !isRepeated else {
        throw SiteError(
          description:
            "site '\(site.name)' would run blocks of dense matrices online, for which there is no kernel",
          hint: "use kind: hadamard at this site")
      }
    }
  }

  /// Makes the parameters explicit that take up the transform in operations that pass it only so.
  private mutating func adapt() throws {
    for id in site.adapted {
      let operation = graph[id]
      let types = operation.operands.map(graph.type(of:))
      guard
        site.absorbers.contains(where: {
          $0.operation == id && $0.operand == operation.operands.count
        }), let adaptation = operation.op.adaptation(types)
      else { continue }
      let unit = try graph.add(
        Generated(
          shape: adaptation.unit.shape.map { $0.fixed ?? 0 }, values: .splat(1)), before: id,
        at: context.derived(from: operation.location))
      try graph.replace(id, with: adaptation.becomes, operation.operands + unit)
    }
  }

  private mutating func findAnchors() {
    var readers: [OperationID: [ValueID]] = [:]
    var counts: [ValueID: Int] = [:]
    for absorber in site.absorbers {
      let value = graph[absorber.operation].operands[absorber.operand]
      readers[absorber.operation, default: []].append(value)
      counts[value, default: 0] += 1
    }
    // Nearly all constants have one reader, which is where they are made; finding the first of several takes the whole graph.
    if counts.values.allSatisfy({ $0 == 1 }) { return }
    for operation in graph.operations {
      for value in readers[operation.id] ?? [] where anchors[value] == nil {
        anchors[value] = operation.id
      }
    }
  }

  private mutating func absorb(_ absorber: Site.Absorber, _ value: ValueID) throws -> ValueID {
    let form = form(of: absorber.element)
    let key = Rewrite(
      value: value, axis: absorber.axis, channels: absorber.channels, form: form,
      repeats: absorber.element.repeats)
    if let known = rewritten[key] { return known }
    let anchor = anchors[value] ?? absorber.operation
    let made = try move(
      value, axis: absorber.axis, channels: absorber.channels, absorber.element, form,
      before: anchor)
    // It may be moved further, along another axis.
    anchors[made] = anchor
    rewritten[key] = made
    return made
  }

  // MARK: Online

  /// Other sites may have moved other channels of the same value before, so each reader goes on from what it reads now.
  private mutating func insert(at edge: Site.Edge) throws {
    switch edge {
    case .entry(let place, let readers, let states): try enter(place, readers, states)
    case .exit(let place, let use):
      let element = element(at: place)
      let moved = try move(
        graph[use.operation].operands[use.operand], axis: place.axis, channels: place.channels,
        element, undoing(element), before: use.operation, isOnline: true)
      graph.setOperand(use.operand, of: use.operation, to: moved)
      change.onlineCount += 1
    case .output(let place, let name):
      guard let value = graph.outputs.first(where: { $0.name == name })?.value else { return }
      let element = element(at: place)
      let moved = try move(
        value, axis: place.axis, channels: place.channels, element, undoing(element), before: nil,
        isOnline: true)
      graph.setOutput(name, moved)
      change.onlineCount += 1
    }
  }

  private mutating func enter(
    _ place: Site.Place, _ readers: [Site.Use], _ states: [String]
  ) throws {
    var sources: [ValueID] = []
    func note(_ value: ValueID) {
      if !sources.contains(value) { sources.append(value) }
    }
    for reader in readers { note(graph[reader.operation].operands[reader.operand]) }
    for (name, value) in graph.nextStates where states.contains(name) { note(value) }
    let element = element(at: place)
    for source in sources {
      let uses = readers.filter { graph[$0.operation].operands[$0.operand] == source }
      let moved = try move(
        source, axis: place.axis, channels: place.channels, element, form(of: element),
        before: first(of: uses), isOnline: true)
      for use in uses { graph.setOperand(use.operand, of: use.operation, to: moved) }
      for (name, next) in graph.nextStates where next == source && states.contains(name) {
        graph.setNextState(name, moved)
      }
      change.onlineCount += 1
    }
  }

  /// The earliest of some readers, so that what they read stands before all of them.
  private func first(of readers: [Site.Use]) -> OperationID? {
    let ids = Set(readers.map(\.operation))
    return graph.operations.first { ids.contains($0.id) }?.id
  }

  private func element(at place: Site.Place) -> Site.Element {
    site.values.first { $0.place == place }?.element ?? .direct
  }

  /// E itself: T, or T⁻ᵀ on the other side of a contraction.
  private func form(of element: Site.Element) -> ChannelTransform.Form {
    // For rotations the two are one, and a constant that is read on both sides stays one.
    element.isInverse && !transform.isOrthogonal
      ? .init(isInverse: true, isTransposed: true) : .init()
  }

  /// E⁻¹.
  private func undoing(_ element: Site.Element) -> ChannelTransform.Form {
    element.isInverse
      ? .init(isInverse: false, isTransposed: true) : .init(isInverse: true, isTransposed: false)
  }

  // MARK: Factors

  /// value·E along an axis, of some of its channels.
  private mutating func move(
    _ value: ValueID, axis: Int, channels: Range<Int>, _ element: Site.Element,
    _ form: ChannelTransform.Form, before anchor: OperationID?, isOnline: Bool = false
  ) throws -> ValueID {
    let location = context.derived(from: graph.producer(of: value).location)
    let extent = graph.type(of: value).shape[axis].fixed ?? 0
    let pieces = try pieces(of: value, axis, cutAt: channels, before: anchor, at: location)
    let inside = pieces.filter { channels.contains($0.channels.lowerBound) }.map(\.value)
    var moved = inside[0]
    if inside.count > 1 {
      moved = try graph.add(Concatenate(axis: axis), inside, before: anchor, at: location)[0]
    }
    for factor in transform.formed(form).factors {
      moved = try multiply(
        moved, axis, factor, element, before: anchor, at: location, isOnline: isOnline)
    }
    if channels == 0..<extent { return moved }
    let parts =
      pieces.filter { $0.channels.upperBound <= channels.lowerBound }.map(\.value) + [moved]
      + pieces.filter { $0.channels.lowerBound >= channels.upperBound }.map(\.value)
    return try graph.add(Concatenate(axis: axis), parts, before: anchor, at: location)[0]
  }

  /// A value in pieces along an axis, none of which reaches over the ends of `cut`: those that it was put together from, so
  /// that what is done to one of them again meets what was done before.
  private mutating func pieces(
    of value: ValueID, _ axis: Int, cutAt cut: Range<Int>, before anchor: OperationID?,
    at location: Location
  ) throws -> [(value: ValueID, channels: Range<Int>)] {
    let producer = graph.producer(of: value)
    var whole = [value]
    if let concatenation = producer.op as? Concatenate, concatenation.axis == axis {
      whole = producer.operands
    }
    var lower = 0
    var pieces: [(value: ValueID, channels: Range<Int>)] = []
    for piece in whole {
      let upper = lower + (graph.type(of: piece).shape[axis].fixed ?? 0)
      let ends =
        [lower] + [cut.lowerBound, cut.upperBound].filter { lower < $0 && $0 < upper } + [upper]
      for (from, to) in zip(ends, ends.dropFirst()) {
        let isAll = from == lower && to == upper
        let part =
          isAll
          ? piece
          : try graph.add(
            Slice(axis: axis, lower: from - lower, upper: to - lower), [piece], before: anchor,
            at: location)[0]
        pieces.append((part, from..<to))
      }
      lower = upper
    }
    return pieces
  }

  private mutating func multiply(
    _ value: ValueID, _ axis: Int, _ factor: ChannelTransform.Factor, _ element: Site.Element,
    before anchor: OperationID?, at location: Location, isOnline: Bool
  ) throws -> ValueID {
    let op: any Operator
    var operands = [value]
    switch factor {
    case .hadamard(let block, let seed, let isTransposed):
      op = HadamardTransform(axis: axis, block: block, seed: seed, isTransposed: isTransposed)
    case .matrices(let matrices):
      let form = matrices.form
      let isOrthogonal = matrices.inverse == nil
      let tensor = form.isInverse ? matrices.inverse ?? matrices.direct : matrices.direct
      let isTransposed = isOrthogonal ? form.reverses : form.isTransposed
      let usesInverse = form.isInverse && !isOrthogonal
      if isOnline {
        let weights = try attach(
          Content(
            label: "online", digest: matrices.identity, isInverse: usesInverse, repeats: 1, block: 0
          )
        ) { tensor.reshaped([tensor.shape[1], tensor.shape[1]]) }
        return try multiplyOnline(value, weights, isTransposed, before: anchor, at: location)
      }
      let blocks = RepeatedBlocks(
        element, of: transform.width, unit: tensor.shape[1] * matrices.repeats)
      operands.append(
        try attach(
          Content(
            label: "matrices", digest: matrices.identity, isInverse: usesInverse,
            repeats: element.repeats, block: element.block)
        ) { blocks.expand(tensor) })
      // One matrix for all blocks serves the repeated ones as well.
      op = ChannelMatmul(
        axis: axis, repeats: matrices.repeats * (tensor.shape[0] == 1 ? element.repeats : 1),
        isTransposed: isTransposed, isOrthogonal: isOrthogonal)
    case .diagonal(let factors, let isInverse):
      let blocks = RepeatedBlocks(element, of: transform.width, unit: 1)
      operands.append(
        try attach(
          Content(
            label: "factors", digest: factors.contentHash, repeats: element.repeats,
            block: element.block)
        ) { blocks.expand(factors) })
      op = ChannelScale(axis: axis, isInverse: isInverse)
    case .permutation(let order):
      let blocks = RepeatedBlocks(element, of: transform.width, unit: 1)
      let places = blocks.expand(order: order).map(Int32.init)
      let tensor = Tensor([places.count], places)
      operands.append(
        try attach(
          Content(label: "order", digest: tensor.contentHash, repeats: 1, block: 0)
        ) { tensor })
      op = ChannelGather(axis: axis)
    }
    return try graph.add(op, operands, before: anchor, at: location)[0]
  }

  /// x·M at run time is a linear layer with the weights Mᵀ.
  private mutating func multiplyOnline(
    _ value: ValueID, _ weights: ValueID, _ isTransposed: Bool, before anchor: OperationID?,
    at location: Location
  ) throws -> ValueID {
    let transposed =
      isTransposed
      ? weights
      : try graph.add(Transpose(order: [1, 0]), [weights], before: anchor, at: location)[0]
    return try graph.add(Linear(), [value, transposed], before: anchor, at: location)[0]
  }

  /// A constant of the graph that holds a computed tensor; the same one for the same content.
  private mutating func attach(
    _ content: Content, _ make: () -> Tensor
  ) throws -> ValueID {
    if let known = attached[content] { return known }
    // Before everything, since what reads it may stand anywhere. An earlier transform of the site may have the name.
    let value = try graph.attach(
      make(), numberedFrom: "\(context.instance)/\(site.name)/\(content.label)",
      before: graph.operations.first?.id, at: context.derived(from: .unknown))
    attached[content] = value
    return value
  }
}
