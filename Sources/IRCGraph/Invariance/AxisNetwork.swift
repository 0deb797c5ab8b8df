/// How the run-time operations of a graph tie channel axes together, for one family of transforms.
struct AxisNetwork {
  let graph: Graph
  let family: TransformFamily
  /// Run-time operations that tie something, with their rules; an operation that can adapt has the rule of what it becomes.
  private(set) var ties: [OperationID: [AxisTie]] = [:]
  private(set) var adapted: [OperationID: Adaptation] = [:]
  /// Readers of each value.
  let uses: [ValueID: [(operation: OperationID, operand: Int)]]
  /// For a state that is read: the value that it has after the run, and the other way round.
  private(set) var nextOfState: [ValueID: ValueID] = [:]
  private(set) var stateOfNext: [ValueID: [ValueID]] = [:]
  /// Names of the outputs that show a value.
  private(set) var outputs: [ValueID: [String]] = [:]
  /// Operations in order.
  private(set) var operations: [Operation] = []
  private let constants: Set<ValueID>
  private var positions: [OperationID: Int] = [:]
  /// Where an axis must be cut so that every tie moves whole stretches.
  private var cuts: [Axis: Set<Int>] = [:]

  /// One axis of a value or of a constant operand.
  struct Axis: Hashable {
    var holder: Site.Place.Holder
    var axis: Int
  }

  init(_ graph: Graph, _ family: TransformFamily) {
    self.graph = graph
    self.family = family
    constants = graph.constants()
    uses = graph.uses()
    var states: [String: ValueID] = [:]
    for operation in graph.operations {
      if let leaf = operation.op as? any StateLeaf { states[leaf.name] = operation.result }
      if operation.op is any RuntimeLeaf || operation.results.allSatisfy(constants.contains) {
        continue
      }
      positions[operation.id] = operations.count
      operations.append(operation)
      let types = operation.operands.map(graph.type(of:))
      var rule = operation.op.invariance(types)
      if family == .scaling, let adaptation = operation.op.adaptation(types) {
        rule = adaptation.becomes.invariance(types + [adaptation.unit])
        adapted[operation.id] = adaptation
      }
      ties[operation.id] = rule.ties
    }
    for (name, value) in graph.nextStates {
      guard let state = states[name] else { continue }
      nextOfState[state] = value
      stateOfNext[value, default: []].append(state)
    }
    for (name, value) in graph.outputs { outputs[value, default: []].append(name) }
    findCuts()
  }

  /// Where an axis of an operation's operand or result stands in the graph.
  func axis(_ port: OperatorAxis, of operation: Operation) -> Axis {
    switch port.port {
    case .result(let index): Axis(holder: .value(operation.results[index]), axis: port.axis)
    case .operand(let index):
      index < operation.operands.count && !constants.contains(operation.operands[index])
        ? Axis(holder: .value(operation.operands[index]), axis: port.axis)
        : Axis(holder: .constant(operation.id, operand: index), axis: port.axis)
    }
  }

  /// Channels of an axis; nil if their number is dynamic.
  func extent(_ axis: Axis) -> Int? {
    let type: TensorType
    switch axis.holder {
    case .value(let value): type = graph.type(of: value)
    case .constant(let id, let operand):
      let operands = graph[id].operands
      if operand < operands.count {
        type = graph.type(of: operands[operand])
      } else if let unit = adapted[id]?.unit {
        type = unit
      } else {
        return nil
      }
    }
    return axis.axis < type.rank ? type.shape[axis.axis].fixed : nil
  }

  /// The ties of an operation that move a port, or nil if something stops every transform of the family there.
  func ties(at port: OperatorAxis, of id: OperationID) -> [(index: Int, tie: AxisTie)]? {
    guard let all = ties[id] else { return nil }
    var found: [(Int, AxisTie)] = []
    for (index, tie) in all.enumerated() where tie.axes.contains(port) {
      guard family.part(of: tie.group) != nil else { return nil }
      found.append((index, tie))
    }
    return found.isEmpty ? nil : found
  }

  /// Name of the state that a value is read from.
  func stateName(_ state: ValueID) -> String? {
    (graph.producer(of: state).op as? any StateLeaf)?.name
  }

  /// The stretches of an axis, in order.
  func segments(of axis: Axis) -> [Range<Int>] {
    guard let extent = extent(axis), extent > 0 else { return [] }
    let cuts = self.cuts[axis, default: []].union([0, extent]).sorted()
    return zip(cuts, cuts.dropFirst()).map { $0..<$1 }
  }

  /// Where an operation stands in the graph's order.
  func position(of id: OperationID) -> Int { positions[id] ?? .max }

  // MARK: Cuts

  /// Slices cut an axis, and ties carry the cuts on, until nothing changes.
  private mutating func findCuts() {
    var isChanged = true
    while isChanged {
      isChanged = false
      for operation in operations {
        for tie in ties[operation.id] ?? [] where family.part(of: tie.group) != nil {
          if share(tie, operation) { isChanged = true }
        }
      }
      for (state, next) in nextOfState {
        for axis in graph.type(of: state).shape.indices {
          let pair = [state, next].map { Axis(holder: .value($0), axis: axis) }
          if share(pair) { isChanged = true }
        }
      }
    }
  }

  private mutating func share(_ tie: AxisTie, _ operation: Operation) -> Bool {
    let axes = tie.axes.map { axis($0, of: operation) }
    switch tie.transport {
    case .identity, .inverseTranspose, .product: return share(axes)
    case .slice(let lower, let upper):
      let whole = axes[0]
      let before = axes.map { cuts[$0, default: []].count }
      for part in axes.dropFirst() {
        let inside = cuts[whole, default: []].filter { lower < $0 && $0 < upper }
        cuts[part, default: []].formUnion(inside.map { $0 - lower })
        cuts[whole, default: []].formUnion(cuts[part, default: []].map { $0 + lower })
        cuts[whole, default: []].formUnion([lower, upper])
      }
      return before != axes.map { cuts[$0, default: []].count }
    // A repeated or reversed axis moves as a whole or not at all.
    case .blockRepeat, .reversal, .sequence: return false
    }
  }

  private mutating func share(_ axes: [Axis]) -> Bool {
    let union = axes.reduce(into: Set<Int>()) { $0.formUnion(cuts[$1, default: []]) }
    guard !union.isEmpty else { return false }
    var isChanged = false
    for axis in axes where cuts[axis, default: []] != union {
      cuts[axis] = union
      isChanged = true
    }
    return isChanged
  }
}
