/// A site while it is being found: places with what they take, and what is still to be looked at.
struct SiteDraft {
  typealias Place = Site.Place
  typealias Element = Site.Element

  /// A tie of an operation that a place with a transform has reached.
  struct Arrival {
    var operation: OperationID
    var tie: Int
    var port: OperatorAxis
    var channels: Range<Int>
  }

  /// Something to look at.
  enum Task {
    case place(Place)
    case tie(Arrival)
  }

  /// Why a draft cannot become a site.
  struct Impossible: Error {}

  /// A tie of the graph.
  struct TieID: Hashable {
    var operation: OperationID
    var index: Int
  }

  let family: TransformFamily
  private(set) var elements: [Place: Element] = [:]
  /// The places in the order in which they were found.
  private(set) var order: [Place] = []
  /// Places that a product leaves as they are.
  private var fixed: Set<Place> = []
  private(set) var frontier: [Site.Edge] = []
  private(set) var usedTies: [TieID: AxisTie] = [:]
  private(set) var group = TransformGroup.general
  private(set) var width: Int
  var tasks: [Task] = []

  /// Starts with T at a place.
  init(_ family: TransformFamily, at place: Place) {
    self.family = family
    width = place.channels.count
    elements[place] = .direct
    order = [place]
    tasks = [.place(place)]
  }

  /// What a place takes: 0 if it was decided to leave it alone, nil if nothing is known.
  func exponent(_ place: Place) throws(Impossible) -> Int? {
    if fixed.contains(place) { return 0 }
    guard let element = elements[place] else { return nil }
    // Products are of factors one by one; repeated ones would have to be told apart.
    guard element.repeats == 1 else { throw Impossible() }
    return element.isInverse ? -1 : 1
  }

  /// Lets a place take an element, or checks that it takes the same already.
  mutating func assign(_ place: Place, _ element: Element) throws(Impossible) {
    if fixed.contains(place) { throw Impossible() }
    guard let known = elements[place] else {
      elements[place] = element
      order.append(place)
      tasks.append(.place(place))
      return
    }
    if known == element { return }
    guard known == element.inverted else { throw Impossible() }
    // T = T⁻ᵀ holds for rotations, and for reorderings anyway; the only positive factors are ones.
    switch family {
    case .mixing, .pairing: try admit(.orthogonal)
    case .permuting: break
    case .scaling: throw Impossible()
    }
  }

  /// Leaves a place alone.
  mutating func fix(_ place: Place) throws(Impossible) {
    if elements[place] != nil { throw Impossible() }
    fixed.insert(place)
  }

  /// Narrows the group.
  mutating func admit(_ other: TransformGroup) throws(Impossible) {
    group = group.intersection(other)
    if group == .identity { throw Impossible() }
  }

  /// Notes that the site passes through a tie.
  mutating func use(_ tie: AxisTie, _ id: TieID) {
    usedTies[id] = tie
  }

  /// Notes that something outside the site stands at its edge.
  ///
  /// Factors and reorderings online are not worth having: there such a draft is dropped.
  mutating func meet(_ edge: Site.Edge) throws(Impossible) {
    guard family == .mixing else { throw Impossible() }
    frontier.append(edge)
  }
}
