import CKernels
import IRCExecution
import IRCGraph
import IRCOps
import IRCSupport
import IRCTensor

/// Rows of a real constant in single precision: straight from the mapped checkpoint where that is what it is, perhaps times
/// gains, else folded a block at a time.
struct RealRows: Sendable {
  private enum Source: Sendable {
    case parameter(Parameter, Tensor, gains: [Tensor])
    case folded(RowBlocks)
  }

  private let source: Source
  /// Name for messages.
  private let name: String
  /// Elements of a row of the outermost axis.
  private let width: Int

  init(_ value: ValueID, name: String, _ graph: Graph, _ folder: ConstantFolder) throws {
    self.name = name
    width = (graph.type(of: value).fixedShape ?? []).dropFirst().reduce(1, *)
    if let pattern = RealRows.pattern(value, graph) {
      let tensor = try graph.parameters.tensor(named: pattern.parameter.name)
      if tensor.shape == pattern.parameter.shape, tensor.elementType == pattern.parameter.stored {
        source = .parameter(pattern.parameter, tensor, gains: try folder.fold(pattern.gains))
        return
      }
    }
    source = .folded(try folder.rows(of: [value]))
  }

  /// The parameter and the gains that a constant is the product of, in the order in which they multiply.
  static func pattern(
    _ value: ValueID, _ graph: Graph
  ) -> (parameter: Parameter, gains: [ValueID])? {
    var gains: [ValueID] = []
    var value = value
    while true {
      let producer = graph.producer(of: value)
      if let parameter = producer.op as? Parameter {
        let isWide = [.f32, .f16, .bf16].contains(parameter.stored)
        return isWide && (gains.isEmpty || parameter.shape.count == 2)
          ? (parameter, gains.reversed()) : nil
      }
      guard producer.op is Multiply, graph.type(of: producer.operands[1]).rank == 1,
        graph.type(of: value).rank == 2
      else { return nil }
      gains.append(producer.operands[1])
      value = producer.operands[0]
    }
  }

  /// Lends the rows `range`, checked to be finite.
  ///
  /// - Throws: `Diagnostic` `weights.non-finite` naming the tensor and the element.
  func withRows<Result>(
    _ range: Range<Int>, _ body: (UnsafePointer<Float>) throws -> Result
  ) throws -> Result {
    switch source {
    case .folded(let blocks):
      let tensor = try blocks.evaluate(rows: range)[0]
      return try unsafe tensor.withElements(as: Float.self) { elements in
        guard let start = elements.baseAddress else { throw OperatorError("no elements") }
        try unsafe checkFinite(
          start, count: elements.count, of: name, from: range.lowerBound * width, width: width)
        return try unsafe body(start)
      }
    case .parameter(let parameter, let tensor, let gains):
      return try unsafe withFloats(of: tensor.slice(rows: range)) { start in
        try unsafe checkFinite(
          start, count: range.count * width, of: parameter.name, from: range.lowerBound * width,
          width: width)
        return unsafe try multiplied(start, range.count, by: gains[...], body)
      }
    }
  }

  /// Multiplies the columns by each gain in turn.
  private func multiplied<Result>(
    _ rows: UnsafePointer<Float>, _ count: Int, by gains: ArraySlice<Tensor>,
    _ body: (UnsafePointer<Float>) throws -> Result
  ) throws -> Result {
    guard let gain = gains.first else { return try unsafe body(rows) }
    return try unsafe withScratch(count * width) { product in
      unsafe gain.withElements(as: Float.self) { gain in
        if let gain = gain.baseAddress {
          unsafe irc_mul_columns_f32(product, rows, gain, count, width)
        }
      }
      return try unsafe multiplied(product, count, by: gains.dropFirst(), body)
    }
  }
}

/// Lends the elements of a stored tensor in single precision; f32 without a copy.
func withFloats<Result>(
  of tensor: Tensor, _ body: (UnsafePointer<Float>) throws -> Result
) throws -> Result {
  let count = tensor.count
  return try unsafe tensor.withBytes { bytes in
    guard let start = bytes.baseAddress else { throw OperatorError("no elements") }
    if tensor.elementType == .f32 {
      return try unsafe body(start.assumingMemoryBound(to: Float.self))
    }
    return try unsafe withScratch(count) { floats in
      let words = unsafe start.assumingMemoryBound(to: UInt16.self)
      if tensor.elementType == .f16 {
        unsafe irc_f16_to_f32(floats, words, count)
      } else {
        unsafe irc_bf16_to_f32(floats, words, count)
      }
      return try unsafe body(floats)
    }
  }
}

/// Lends memory for `count` floats that hold anything.
func withScratch<Result>(
  _ count: Int, _ body: (UnsafeMutablePointer<Float>) throws -> Result
) rethrows -> Result {
  let memory = UnsafeMutablePointer<Float>.allocate(capacity: max(1, count))
  defer { unsafe memory.deallocate() }
  return try unsafe body(memory)
}

/// Fails if a value is infinite or not a number.
///
/// - Parameters:
///   - from: index of the first element in the tensor
///   - width: elements of a row of the outermost axis
func checkFinite(
  _ start: UnsafePointer<Float>, count: Int, of name: String, from first: Int, width: Int
) throws {
  var bad = 0
  if unsafe irc_count_nonfinite_f32(start, count, &bad) == 0 { return }
  let value = unsafe start[bad]
  let element = first + bad
  let place = width > 1 ? "[\(element / width), \(element % width)]" : "[\(element)]"
  throw Diagnostic(
    "weights.non-finite",
    "tensor '\(name)' has the value \(value.isNaN ? "NaN" : "\(value)") at element \(place)",
    hint: "the checkpoint is damaged, or it was trained to overflow; no scale can represent it")
}
