public import IRCGraph
import IRCOps
import IRCSupport
import IRCTensor

/// Whether two graphs compute the same, as far as probe tokens can tell.
public enum FunctionCheck {
  /// How far the outputs of two graphs lie apart.
  public struct Difference: Sendable, Hashable {
    /// Largest difference of each output in relation to its largest magnitude before, in the order of the outputs.
    public let outputs: [Output]
    /// The first element that differs by more than the tolerance.
    public let firstExceeding: Excess?

    /// Largest relative difference of all outputs.
    public var largest: Double { outputs.map(\.largest).max() ?? 0 }
  }

  /// The difference of one output.
  public struct Output: Sendable, Hashable {
    /// Its name.
    public let name: String
    /// Largest difference in relation to the largest magnitude before; infinite where one side alone is not a number.
    public let largest: Double
  }

  /// One element that differs too much.
  public struct Excess: Sendable, Hashable, CustomStringConvertible {
    /// Name of the output.
    public let output: String
    /// Place of the element in each axis.
    public let index: [Int]
    /// Its value before.
    public let before: Double
    /// Its value after.
    public let after: Double

    public var description: String {
      "output '\(output)' at \(index) was \(before) and is \(after)"
    }
  }

  /// Bytes of constants that are kept while a graph runs; larger models stream.
  private static let cacheLimit = 64 << 20

  /// Runs both graphs on the same tokens and compares their outputs.
  ///
  /// Small models read the tokens in two parts, so that what the states carry over is compared as well; of large ones,
  /// whose weights are worth reading only once, all tokens are read at once.
  ///
  /// - Parameters:
  ///   - probe: ids for the input `ids`; not empty.
  ///   - tolerance: allowed difference in relation to the largest magnitude of an output.
  /// - Throws: `Diagnostic` when a graph does not run on the tokens, or the outputs have other names or shapes.
  public static func compare(
    _ before: Graph, _ after: Graph, probe: [Int32], tolerance: Double,
    precision: Precision = .single
  ) throws -> Difference {
    let bytes = before.operations(of: Parameter.self).reduce(0) {
      $0 + $1.op.shape.reduce(1, *) * $1.op.stored.byteCount
    }
    let isSplit = probe.count > 1 && bytes <= cacheLimit
    let parts =
      isSplit
      ? [Array(probe.prefix(probe.count / 2)), Array(probe.dropFirst(probe.count / 2))] : [probe]
    let left = try run(before, parts, precision)
    let right = try run(after, parts, precision)
    var outputs: [Output] = []
    var firstExceeding: Excess?
    for (name, _) in before.outputs {
      var largest = 0.0
      for (part, (a, b)) in zip(left, right).enumerated() {
        guard let a = a[name], let b = b[name], a.shape == b.shape, a.elementType == b.elementType
        else { throw otherOutputs(name, after) }
        let offset = part == 0 ? 0 : parts[0].count
        let (difference, excess) = compare(name, a, b, tolerance, rowOffset: offset)
        largest = max(largest, difference)
        firstExceeding = firstExceeding ?? excess
      }
      outputs.append(Output(name: name, largest: largest))
    }
    return Difference(outputs: outputs, firstExceeding: firstExceeding)
  }

  private static func run(
    _ graph: Graph, _ parts: [[Int32]], _ precision: Precision
  ) throws -> [[String: Tensor]] {
    let interpreter = try Interpreter(graph, precision: precision, cacheLimit: cacheLimit)
    var states = interpreter.initialStates()
    return try parts.map { ids in
      try interpreter.run(
        inputs: [GraphLanguageModel.input: Tensor([ids.count], ids)], states: &states)
    }
  }

  private static func compare(
    _ name: String, _ before: Tensor, _ after: Tensor, _ tolerance: Double, rowOffset: Int
  ) -> (largest: Double, excess: Excess?) {
    let (a, b) = (before.realValues, after.realValues)
    let scale = a.reduce(0) { max($0, $1.isFinite ? abs($1) : 0) }
    var largest = 0.0
    var excess: Excess?
    for index in a.indices where a[index] != b[index] && !(a[index].isNaN && b[index].isNaN) {
      let distance = abs(a[index] - b[index])
      // Of a zero output any difference counts as it is.
      let relative = distance.isFinite ? (scale > 0 ? distance / scale : distance) : .infinity
      largest = max(largest, relative)
      if relative > tolerance, excess == nil {
        var place = before.place(of: index)
        if !place.isEmpty { place[0] += rowOffset }
        excess = Excess(output: name, index: place, before: a[index], after: b[index])
      }
    }
    return (largest, excess)
  }

  private static func otherOutputs(_ name: String, _ graph: Graph) -> Diagnostic {
    Diagnostic(
      "run.outputs-differ",
      "output '\(name)' is missing from graph '\(graph.name)' or has another type",
      hint: "graphs can be compared when their outputs have the same names and types")
  }
}

extension Tensor {
  /// All elements in double precision, whatever they are.
  fileprivate var realValues: [Double] {
    let tensor = elementType == .f64 ? self : converted(to: Double.self)
    return tensor.array(of: Double.self)
  }

  /// Index in each axis of the element at `position`.
  fileprivate func place(of position: Int) -> [Int] {
    var rest = position
    return shape.reversed().map { extent in
      defer { rest /= max(1, extent) }
      return rest % max(1, extent)
    }.reversed()
  }
}
