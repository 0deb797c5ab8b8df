public import IRCGraph
import IRCOps
import IRCSupport
public import IRCTensor

/// A place on the way of the network over its calibration text.
public struct CalibrationStop: Sendable {
  /// Values to be handed over; the stop is reached as soon as all of them are there.
  public var values: [ValueID]
  /// Values further on to be handed over too, computed from what is there at that time and then forgotten.
  public var ahead: [ValueID]

  /// Names a place.
  public init(_ values: [ValueID], ahead: [ValueID] = []) {
    self.values = values
    self.ahead = ahead
  }
}

/// What is known at a stop.
public struct CalibrationValues: Sendable {
  /// For each value of the stop, what it is in each window, in the order of the text.
  public let values: [[Tensor]]
  /// Likewise for the values further on.
  public let ahead: [[Tensor]]
}

/// A constant that an operation reads from now on in place of its own.
public struct OperandReplacement: Sendable {
  /// The operation.
  public var operation: OperationID
  /// Which of its operands.
  public var operand: Int
  /// The value, of the type of the operand.
  public var tensor: Tensor

  /// Names the operand and what it is to be.
  public init(_ operation: OperationID, operand: Int, _ tensor: Tensor) {
    self.operation = operation
    self.operand = operand
    self.tensor = tensor
  }
}

/// One pass over calibration text that stops on the way and goes on with other weights: later layers see what was done to earlier
/// ones, and nothing is computed twice.
///
/// All windows wait for each other at the stops, so that the constants between two stops are computed once and then forgotten.
/// Memory is the live values of all windows at a stop, the constants up to the next one (256 MiB, or one if it is larger) and what
/// replaces others until it has been read: nothing grows with the depth of the network. Windows run on all threads; each is
/// computed as if it were alone, so results do not depend on how many there are.
public struct CalibrationWalk: Sendable {
  private let interpreter: Interpreter
  private let stops: [CalibrationStop]
  private let windows: [[Int32]]
  private let places: [ValueID: Int]
  /// After which step each stop is reached; -1: before the first.
  private let positions: [Int]

  /// Prepares to walk over `graph`, a language model.
  ///
  /// - Throws: `Diagnostic` when there are no windows, or a value of a stop is constant or not real.
  public init(_ graph: Graph, stops: [CalibrationStop], windows: [[Int32]]) throws {
    try Calibration.check(windows)
    let values = stops.flatMap { $0.values + $0.ahead }
    try Calibration.check(values, of: graph)
    _ = try GraphLanguageModel(graph, cacheLimit: 0)
    self.windows = windows.filter { !$0.isEmpty }
    self.stops = stops
    interpreter = try Interpreter(
      graph.part(computing: values), precision: .single, cacheLimit: 0, keepsOutputs: false)
    var places: [ValueID: Int] = [:]
    var steps: [Int: Int] = [:]
    for leaf in interpreter.plan.leaves {
      places[leaf.value] = leaf.place
      steps[leaf.place] = -1
    }
    for (index, step) in interpreter.plan.steps.enumerated() {
      for (value, place) in zip(step.operation.results, step.results) {
        places[value] = place
        steps[place] = index
      }
    }
    self.places = places
    positions = stops.map { stop in
      stop.values.compactMap { places[$0].flatMap { steps[$0] } }.max() ?? -1
    }
  }

  /// Walks and calls `visit` at each stop, in the order in which they are reached, with the stop's index.
  ///
  /// - Parameter visit: returns what operations behind the stop are to read from now on.
  /// - Throws: `Diagnostic` naming the operation that failed; what `visit` throws.
  public func run(
    _ visit: (Int, CalibrationValues) throws -> [OperandReplacement]
  ) throws {
    let steps = interpreter.plan.steps
    let windows = try windows.map { try CalibrationWindow($0, in: interpreter) }
    let kept = keptUntil()
    var lastUses: [Int: Int] = [:]
    for (index, step) in steps.enumerated() {
      for place in step.released { lastUses[place] = index }
    }
    var replaced: [OperationID: [Int: Tensor]] = [:]
    var next = 0
    var position = -1
    let order = stops.indices.sorted { (positions[$0], $0) < (positions[$1], $1) }
    while next < order.count {
      let target = positions[order[next]]
      while position < target {
        let segment = position + 1..<segmentEnd(after: position, target)
        let constants = try segment.map { index in
          let id = steps[index].operation.id
          return try self.constants(of: steps[index], replaced.removeValue(forKey: id) ?? [:])
        }
        try Parallel.forEach(windows.count) {
          try windows[$0].run(segment, constants, kept, in: interpreter)
        }
        position = segment.upperBound - 1
      }
      let stop = stops[order[next]]
      let values = CalibrationValues(
        values: stop.values.map { value in
          places[value].map { place in windows.compactMap { $0[place] } } ?? []
        }, ahead: try ahead(stop.ahead, after: position, windows, replaced))
      for replacement in try visit(order[next], values) {
        replaced[replacement.operation, default: [:]][replacement.operand] = replacement.tensor
      }
      next += 1
      let isLast = next == order.count || positions[order[next]] > position
      if isLast { for window in windows { window.forget(after: position, kept, lastUses) } }
    }
  }

  /// After which step each place that a stop hands over is no longer held for it.
  private func keptUntil() -> [Int: Int] {
    var kept: [Int: Int] = [:]
    for (stop, position) in zip(stops, positions) {
      for value in stop.values {
        if let place = places[value] { kept[place] = max(kept[place] ?? -1, position) }
      }
    }
    return kept
  }

  /// Where windows wait for each other: at the next stop, or earlier if the constants up to there take much memory.
  private func segmentEnd(after position: Int, _ target: Int) -> Int {
    var room = Self.constantLimit
    for index in position + 1...target {
      for case .constant(let value) in interpreter.plan.steps[index].operands {
        room -= interpreter.evaluator.keptBytes(of: value)
      }
      if room < 0, index > position + 1 { return index }
    }
    return target + 1
  }

  /// Bytes of constants that are held at a time, unless one alone takes more.
  private static let constantLimit = 1 << 28

  /// The constants that an operation reads, by operand.
  private func constants(
    of step: ExecutionPlan.Step, _ replaced: [Int: Tensor]
  ) throws -> [Int: Tensor] {
    var result = replaced
    for (index, operand) in step.operands.enumerated() where result[index] == nil {
      if case .constant(let value) = operand {
        result[index] = try interpreter.evaluator.evaluate([value])[0]
      }
    }
    return result
  }

  /// Values that steps after `index` make, for each window.
  private func ahead(
    _ values: [ValueID], after index: Int, _ windows: [CalibrationWindow],
    _ replaced: [OperationID: [Int: Tensor]]
  ) throws -> [[Tensor]] {
    let targets = values.compactMap { places[$0] }
    guard let first = windows.first, !targets.isEmpty else { return [] }
    // What is there need not be computed; what was there and is needed still is.
    var needed = Set(targets.filter { first[$0] == nil })
    var slice: [ExecutionPlan.Step] = []
    for step in interpreter.plan.steps[(index + 1)...].reversed()
    where step.results.contains(where: needed.contains) {
      slice.append(step)
      for case .place(let place) in step.operands where first[place] == nil {
        needed.insert(place)
      }
    }
    slice.reverse()
    let constants = try slice.map { try self.constants(of: $0, replaced[$0.operation.id] ?? [:]) }
    let results = try Parallel.map(windows.count) { [slice] window in
      var places = windows[window].snapshot
      for (step, constants) in zip(slice, constants) {
        let tensors = try step.run(places, constants, in: interpreter)
        for (place, tensor) in zip(step.results, tensors) { places[place] = tensor }
      }
      return targets.compactMap { places[$0] }
    }
    return targets.indices.map { target in results.map { $0[target] } }
  }
}
