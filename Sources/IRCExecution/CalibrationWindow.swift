import IRCGraph
import IRCSupport
import IRCTensor
import Synchronization

/// One window of calibration text on its way through a network, with the values that are live.
final class CalibrationWindow: Sendable {
  private let extents: [String: Int]
  private let places: Mutex<[Tensor?]>

  init(_ ids: [Int32], in interpreter: Interpreter) throws {
    var places = [Tensor?](repeating: nil, count: interpreter.plan.placeCount)
    extents = try interpreter.bindLeaves(
      [GraphLanguageModel.input: Tensor([ids.count], ids)], [:], &places)
    self.places = Mutex(places)
  }

  /// What is at a place.
  subscript(place: Int) -> Tensor? { places.withLock { $0[place] } }

  /// What is at every place.
  var snapshot: [Tensor?] { places.withLock { $0 } }

  /// Runs some steps of the plan with their constants.
  ///
  /// - Parameter kept: after which step a place may be emptied, if it has to be kept beyond its last use.
  func run(
    _ segment: Range<Int>, _ constants: [[Int: Tensor]], _ kept: [Int: Int],
    in interpreter: Interpreter
  ) throws {
    try places.withLock { places in
      for (index, constants) in zip(segment, constants) {
        let step = interpreter.plan.steps[index]
        try interpreter.checkSizes(of: step, with: extents)
        let results = try step.run(places, constants, in: interpreter)
        for (place, tensor) in zip(step.results, results) { places[place] = tensor }
        for place in step.released where kept[place] ?? -1 < index { places[place] = nil }
      }
    }
  }

  /// Empties the places that were kept until now and have no use any more.
  func forget(after position: Int, _ kept: [Int: Int], _ lastUses: [Int: Int]) {
    places.withLock { places in
      for (place, last) in kept where last == position && lastUses[place] ?? -1 <= position {
        places[place] = nil
      }
    }
  }
}

extension ExecutionPlan.Step {
  /// The results, with operands from places and constants by operand.
  func run(
    _ places: [Tensor?], _ constants: [Int: Tensor], in interpreter: Interpreter
  ) throws -> [Tensor] {
    let tensors = operands.enumerated().compactMap { index, operand in
      if case .place(let place) = operand { places[place] } else { constants[index] }
    }
    return try operation.run(tensors, in: interpreter.context)
  }
}
