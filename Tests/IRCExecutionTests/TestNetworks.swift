import IRCGraph
import IRCOps
import IRCTensor

/// Small networks of generated weights, with everything that real ones have.
enum TestNetwork {
  static let vocabulary = 24

  /// A decoder with attention: cache, grouped heads, rotary positions.
  static func llama(width: Int = 16, layers: Int = 2, window: Int = 0) throws -> Graph {
    var builder = try Builder("tiny-llama", width: width)
    let head = width / 4
    let offset = try builder.graph.add(State(name: "position", type: TensorType(.i32, [1])))[0]
    let places = try builder.graph.add(Positions(), [builder.ids, offset])
    builder.graph.setNextState("position", places[1])
    for layer in 0..<layers {
      let x = try builder.norm(builder.stream)
      let rope = RotaryEmbedding(headDimension: head, theta: 100)
      let cached = TensorType(.f32, [.named("past"), .fixed(2 * head)])
      let q = try builder.add(rope, [builder.linear(x, width), places[0]])
      let k = try builder.add(rope, [builder.linear(x, 2 * head), places[0]])
      let v = try builder.linear(x, 2 * head, bias: true)
      let keys = try builder.state("layers.\(layer).k", cached, Append(), k)
      let values = try builder.state("layers.\(layer).v", cached, Append(), v)
      let y = try builder.add(
        Attention(heads: 4, keyValueHeads: 2, scale: 0.5, window: window), [q, keys, values])
      try builder.addToStream(builder.linear(y, width))
      let z = try builder.norm(builder.stream)
      let gate = try builder.add(SiLU(), [builder.linear(z, 2 * width)])
      let up = try builder.linear(z, 2 * width)
      try builder.addToStream(builder.linear(builder.add(Multiply(), [gate, up]), width))
    }
    return try builder.finished()
  }

  /// A stack of selective state spaces.
  static func mamba(
    width: Int = 12, inner: Int = 20, states: Int = 4, rank: Int = 3, layers: Int = 2,
    vocabulary: Int = TestNetwork.vocabulary
  ) throws -> Graph {
    var builder = try Builder("tiny-mamba", width: width, vocabulary: vocabulary)
    for layer in 0..<layers {
      let xn = try builder.norm(builder.stream)
      let xz = try builder.linear(xn, 2 * inner)
      let x = try builder.add(Slice(axis: 1, lower: 0, upper: inner), [xz])
      let z = try builder.add(Slice(axis: 1, lower: inner, upper: 2 * inner), [xz])
      let conv = try builder.graph.add(
        State(name: "layers.\(layer).conv", type: TensorType(.f32, [3, .fixed(inner)])))[0]
      let taps = try builder.add(
        Reshape(shape: [inner, 4]), [builder.constant([inner, 1, 4], 0.4)])
      let convolved = try builder.graph.add(
        CausalConvolution(), [x, conv, taps, builder.constant([inner], 0.1)])
      builder.graph.setNextState("layers.\(layer).conv", convolved[1])
      let u = try builder.add(SiLU(), [convolved[0]])
      let parts = try builder.linear(u, rank + 2 * states)
      let low = try builder.add(Slice(axis: 1, lower: 0, upper: rank), [parts])
      let b = try builder.add(Slice(axis: 1, lower: rank, upper: rank + states), [parts])
      let c = try builder.add(
        Slice(axis: 1, lower: rank + states, upper: rank + 2 * states), [parts])
      let delta = try builder.add(Softplus(), [builder.linear(low, inner, bias: true)])
      let logs = try builder.constant([inner, states], 0.5)
      let a = try builder.add(Negate(), [builder.add(Exponential(), [logs])])
      let h = try builder.graph.add(
        State(name: "layers.\(layer).h", type: TensorType(.f32, [.fixed(inner), .fixed(states)])))[
          0]
      let scanned = try builder.graph.add(
        SelectiveScan(), [u, delta, a, b, c, builder.constant([inner], 1), h])
      builder.graph.setNextState("layers.\(layer).h", scanned[1])
      let gate = try builder.add(SiLU(), [z])
      let gated = try builder.add(Multiply(), [scanned[0], gate])
      try builder.addToStream(builder.linear(gated, width))
    }
    return try builder.finished()
  }

  /// Token ids of a sequence.
  static func ids(_ count: Int, seed: UInt64 = 1, below bound: Int = vocabulary) -> [Int32] {
    let numbers = RandomNumbers(seed: seed)
    return (0..<count).map { Int32(numbers.integer($0, below: bound)) }
  }

  /// Adds operations one after the other; every constant has a seed of its own.
  struct Builder {
    var graph: Graph
    let ids: ValueID
    var stream: ValueID
    private let table: ValueID
    private let width: Int
    private var seed: UInt64 = 100

    init(_ name: String, width: Int, vocabulary: Int = TestNetwork.vocabulary) throws {
      graph = Graph(name: name)
      self.width = width
      ids = try graph.add(Input(name: "ids", type: TensorType(.i32, [.named("tokens")])))[0]
      table = try graph.add(
        Generated(shape: [vocabulary, width], values: .random(seed: 7, scale: 1)))[0]
      stream = try graph.add(Embedding(), [ids, table])[0]
    }

    mutating func add(_ op: any Operator, _ operands: [ValueID]) throws -> ValueID {
      try graph.add(op, operands)[0]
    }

    mutating func constant(_ shape: [Int], _ scale: Double) throws -> ValueID {
      seed += 1
      return try graph.add(Generated(shape: shape, values: .random(seed: seed, scale: scale)))[0]
    }

    mutating func norm(_ x: ValueID) throws -> ValueID {
      try add(RMSNorm(epsilon: 1e-5), [x, constant([width], 1)])
    }

    mutating func linear(_ x: ValueID, _ outputs: Int, bias: Bool = false) throws -> ValueID {
      let inputs = graph.type(of: x).shape.last?.fixed ?? 0
      let weight = try constant([outputs, inputs], 1 / Double(inputs).squareRoot())
      return try add(Linear(), [x, weight] + (bias ? [constant([outputs], 0.3)] : []))
    }

    mutating func state(
      _ name: String, _ type: TensorType, _ op: any Operator, _ new: ValueID
    ) throws -> ValueID {
      let before = try graph.add(State(name: name, type: type))[0]
      let after = try add(op, [before, new])
      graph.setNextState(name, after)
      return after
    }

    mutating func addToStream(_ x: ValueID) throws { stream = try add(Add(), [stream, x]) }

    mutating func finished() throws -> Graph {
      let last = try norm(stream)
      graph.addOutput("logits", try add(Linear(), [last, table]))
      return graph
    }
  }
}

extension Tensor {
  /// All elements in double precision.
  var values: [Double] { converted(to: Double.self).array(of: Double.self) }
}

/// Largest difference in relation to the largest magnitude of `b`.
func relativeDifference(_ a: [Double], _ b: [Double]) -> Double {
  guard a.count == b.count else { return .infinity }
  let scale = b.reduce(0) { max($0, abs($1)) }
  return zip(a, b).reduce(0) { max($0, abs($1.0 - $1.1)) } / max(scale, 1e-300)
}
