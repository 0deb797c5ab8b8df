import IRCGraph
import IRCOps
import IRCTensor
import Synchronization

/// Values of the constants that run-time operations read, computed on first use and shared by all runs and threads.
///
/// Which ones are kept is decided beforehand, in the graph's order, until the byte limit is reached; mapped tensors cost
/// nothing. The others are computed for each use. So results and memory do not depend on timing.
final class ConstantStore: Sendable {
  /// One constant: the first to ask computes it while the others wait.
  private final class Slot: Sendable {
    let tensor = Mutex<Tensor?>(nil)
  }

  private let evaluator: ConstantEvaluator
  private let slots: [ValueID: Slot]

  init(_ evaluator: ConstantEvaluator, roots: [ValueID], byteLimit: Int) {
    self.evaluator = evaluator
    var slots: [ValueID: Slot] = [:]
    var room = max(0, byteLimit)
    for root in roots {
      let bytes = evaluator.keptBytes(of: root)
      guard bytes <= room else { continue }
      room -= bytes
      slots[root] = Slot()
    }
    self.slots = slots
  }

  /// True if the value stays once it is computed.
  func keeps(_ value: ValueID) -> Bool { slots[value] != nil }

  /// The value of a constant.
  func tensor(_ value: ValueID) throws -> Tensor {
    guard let slot = slots[value] else { return try evaluate(value) }
    // Waiting is safe: a constant waits only for those that it is made from, and those never for it.
    return try slot.tensor.withLock { tensor in
      if let tensor { return tensor }
      let made = try evaluate(value)
      tensor = made
      return made
    }
  }

  private func evaluate(_ value: ValueID) throws -> Tensor {
    let made = try evaluator.evaluate([value]) { other in
      other == value ? nil : slots[other]?.tensor.withLock { $0 }
    }
    guard let tensor = made.first else { throw OperatorError("a constant has no value") }
    return tensor
  }
}

extension ConstantEvaluator {
  /// Bytes that keeping a constant costs: none for a view of a mapped tensor of the running precision.
  func keptBytes(of value: ValueID) -> Int {
    var producer = graph.producer(of: value)
    while producer.op is Reshape, let operand = producer.operands.first {
      producer = graph.producer(of: operand)
    }
    if let parameter = producer.op as? Parameter,
      parameter.stored == context.precision.elementType
    {
      return 0
    }
    let type = graph.type(of: value)
    let size =
      type.element == .f32 ? context.precision.elementType.byteCount : type.element.byteCount
    return type.elementCount * size
  }
}
