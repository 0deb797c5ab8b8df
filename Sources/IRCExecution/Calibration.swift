public import IRCGraph
import IRCOps
import IRCSupport
import IRCTensor
import Synchronization

/// Runs a network over calibration text and measures values on the way.
public enum Calibration {
  /// Statistics of run-time values, from one pass over the windows, each from a fresh state, on all threads.
  ///
  /// Everything that is kept adds up the same in any order, so the result does not depend on the number of threads.
  ///
  /// - Parameters:
  ///   - graph: a language model.
  ///   - values: real values of the graph that depend on its input.
  ///   - windows: token ids.
  ///   - cacheLimit: as in `Interpreter.init`.
  ///   - progress: called after each window with how many are done and how many there are.
  /// - Throws: `Diagnostic` when there are no windows, a value cannot be measured, or an operation fails.
  public static func collect(
    _ graph: Graph, values: Set<ValueID>, windows: [[Int32]], cacheLimit: Int = 1 << 30,
    progress: (@Sendable (_ done: Int, _ total: Int) -> Void)? = nil
  ) throws -> [ValueID: ValueStatistics] {
    try check(windows)
    try check(values.sorted(), of: graph)
    let model = try GraphLanguageModel(graph, cacheLimit: cacheLimit)
    let accumulators = Dictionary(uniqueKeysWithValues: values.map { ($0, Accumulator()) })
    let done = Mutex(0)
    try Parallel.forEach(windows.count) { index in
      let ids = windows[index]
      if !ids.isEmpty {
        _ = try model.interpreter.run(
          inputs: [GraphLanguageModel.input: Tensor([ids.count], ids)]
        ) { value, tensor in
          accumulators[value]?.add(tensor)
        }
      }
      if let progress {
        done.withLock {
          $0 += 1
          progress($0, windows.count)
        }
      }
    }
    return accumulators.mapValues(\.statistics)
  }

  /// Complains of windows without any token.
  static func check(_ windows: [[Int32]]) throws {
    if windows.contains(where: { !$0.isEmpty }) { return }
    throw Diagnostic(
      "calibration.no-tokens", "the calibration text has no tokens",
      hint: "name a longer text under 'calibration' in the model file")
  }

  /// Complains of values that are constant or not real.
  static func check(_ values: [ValueID], of graph: Graph) throws {
    let constants = graph.constants()
    for value in values {
      let isConstant = constants.contains(value)
      guard isConstant || graph.type(of: value).element != .f32 else { continue }
      throw notMeasurable(
        value, of: graph, "is \(isConstant ? "a constant" : "not real") and has no statistics",
        hint: "only real values that depend on the input can be measured")
    }
  }

  /// The error that a value cannot be measured.
  static func notMeasurable(
    _ value: ValueID, of graph: Graph, _ reason: String, hint: String
  ) -> Diagnostic {
    let producer = graph.producer(of: value)
    return Diagnostic(
      "calibration.not-measurable",
      "the result of operation \(producer.title) \(reason)",
      hint: hint)
  }

  /// Counts of one value, filled from several threads.
  private final class Accumulator: Sendable {
    private let histogram = Mutex(MagnitudeHistogram())

    func add(_ tensor: Tensor) {
      unsafe tensor.withElements(as: Float.self) { elements in
        let elements = unsafe SharedElements(elements)
        histogram.withLock { unsafe $0.add(elements.elements) }
      }
    }

    var statistics: ValueStatistics { ValueStatistics(histogram.withLock { $0 }) }
  }
}

/// Elements that a lock's closure reads.
///
/// SAFETY: used only while the tensor lends them, on the same thread.
@safe
private struct SharedElements: @unchecked Sendable {
  let elements: UnsafeBufferPointer<Float>
  init(_ elements: UnsafeBufferPointer<Float>) { unsafe self.elements = elements }
}
