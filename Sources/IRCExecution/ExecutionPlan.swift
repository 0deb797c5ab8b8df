import IRCGraph
import IRCOps
import IRCSupport

/// What the interpreter does for a graph, worked out once: run-time operations in order, with numbered places for values.
struct ExecutionPlan: Sendable {
  /// Where an operand comes from.
  enum Source: Sendable, Hashable {
    /// A place that an earlier step fills.
    case place(Int)
    /// A value that depends on neither inputs nor states.
    case constant(ValueID)
  }

  /// One run-time operation.
  struct Step: Sendable {
    let operation: Operation
    let operands: [Source]
    /// Places of the results.
    let results: [Int]
    /// Places whose values nothing reads after this step.
    let released: [Int]
  }

  /// An input or a state.
  struct Leaf: Sendable {
    let name: String
    let type: TensorType
    let isState: Bool
    let value: ValueID
    let place: Int
  }

  /// Inputs and states in the graph's order.
  private(set) var leaves: [Leaf] = []
  private(set) var steps: [Step] = []
  /// What the graph computes.
  private(set) var outputs: [(name: String, source: Source)] = []
  /// What the states become.
  private(set) var nextStates: [(name: String, source: Source)] = []
  private(set) var placeCount = 0
  /// Constants that run-time operations, outputs or states read, in order of first use.
  private(set) var roots: [ValueID] = []

  /// Plans a graph that the verifier accepts.
  ///
  /// - Parameter keepsOutputs: whether outputs and next states stay in their places to the end.
  init(_ graph: Graph, keepsOutputs: Bool = true) {
    let constants = graph.constants()
    var places: [ValueID: Int] = [:]
    var knownRoots: Set<ValueID> = []
    var lastUse: [Int: Int] = [:]
    var drafts: [(operation: Operation, operands: [Source], results: [Int])] = []

    func assign(_ value: ValueID) -> Int {
      places[value] = placeCount
      placeCount += 1
      return placeCount - 1
    }
    func source(_ value: ValueID) -> Source {
      if let place = places[value] { return .place(place) }
      if knownRoots.insert(value).inserted { roots.append(value) }
      return .constant(value)
    }
    for operation in graph.operations {
      if let leaf = operation.op as? any RuntimeLeaf {
        leaves.append(
          Leaf(
            name: leaf.name, type: leaf.type, isState: leaf is any StateLeaf,
            value: operation.result, place: assign(operation.result)))
      } else if !operation.results.allSatisfy(constants.contains) {
        let operands = operation.operands.map(source)
        for case .place(let place) in operands { lastUse[place] = drafts.count }
        let results = operation.results.map(assign)
        // A result that nothing reads goes at once.
        for place in results { lastUse[place] = drafts.count }
        drafts.append((operation, operands, results))
      }
    }
    outputs = graph.outputs.map { ($0.name, source($0.value)) }
    nextStates = graph.nextStates.map { ($0.name, source($0.value)) }
    for (_, kept) in keepsOutputs ? outputs + nextStates : [] {
      if case .place(let place) = kept { lastUse[place] = nil }
    }
    var released = Array(repeating: [Int](), count: drafts.count)
    for place in 0..<placeCount {
      if let step = lastUse[place] { released[step].append(place) }
    }
    steps = zip(drafts, released).map { draft, released in
      Step(
        operation: draft.operation, operands: draft.operands, results: draft.results,
        released: released)
    }
  }
}
