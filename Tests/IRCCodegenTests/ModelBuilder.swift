import IRCGraph
import IRCOps
import IRCQuant
import IRCTensor

/// In which formats a test model computes.
struct Formats {
  var name: String
  var stored = ElementType.f32
  var weights: QuantizationSpec?
  var activations: QuantizationSpec?
  /// True if attention keeps keys and values as codes.
  var hasCodedCaches = false

  /// True if nothing is rounded.
  var isReal: Bool { weights == nil }

  private static func int(
    _ bits: Int, _ granularity: Granularity, symmetric: Bool = true, scale: ScaleFormat = .f32
  ) -> QuantizationSpec {
    QuantizationSpec(
      .integer(bits: bits), granularity, isSymmetric: symmetric, scaleFormat: scale)
  }

  static let float = Formats(name: "float")
  static let half = Formats(name: "half", stored: .f16)
  static let w8a8 = Formats(name: "w8a8", weights: int(8, .row), activations: int(8, .row))

  static let w8a8kv8 = Formats(
    name: "w8a8kv8", weights: int(8, .row), activations: int(8, .row), hasCodedCaches: true)

  static let all: [Formats] =
    [
      float, half, Formats(name: "bfloat", stored: .bf16), w8a8, w8a8kv8,
      Formats(name: "w8a8-tensor", weights: int(8, .tensor), activations: int(8, .row)),
      Formats(
        name: "w4a8", weights: int(4, .group(32), scale: .f16), activations: int(8, .row)),
      Formats(
        name: "w4a8-asymmetric", weights: int(4, .group(64), symmetric: false),
        activations: int(8, .row, symmetric: false)),
      Formats(name: "w4a4", weights: int(4, .group(32)), activations: int(4, .row)),
      Formats(name: "w8a8-static", weights: int(8, .row), activations: int(8, .tensor)),
      Formats(
        name: "w4a8-static-asymmetric", weights: int(4, .group(32), symmetric: false, scale: .f16),
        activations: int(8, .tensor, symmetric: false)),
      Formats(name: "w8a16", weights: int(8, .row)),
      Formats(name: "w4a16", stored: .f16, weights: int(4, .group(32), scale: .f16)),
      Formats(name: "w3a16", weights: int(3, .group(32), scale: .f16)),
      Formats(name: "w2a16-asymmetric", weights: int(2, .group(32), symmetric: false)),
      Formats(name: "w5a16", weights: int(5, .group(16), scale: .f16)),
      Formats(name: "w6a8", weights: int(6, .group(48)), activations: int(8, .row)),
      Formats(name: "w7a16", weights: int(7, .row)),
    ] + tables + fitted

  /// Formats whose values lie in the weights file.
  private static let fitted: [Formats] = [
    Formats(
      name: "codebook4",
      weights: QuantizationSpec(.codebook(bits: 4), .row, scaleFormat: .f16)),
    Formats(
      name: "codebook3-shared",
      weights: QuantizationSpec(.codebook(bits: 3), .tensor, scaleFormat: .f16)),
    Formats(name: "codebook2-groups", weights: QuantizationSpec(.codebook(bits: 2), .group(48))),
    Formats(
      name: "binary3", weights: QuantizationSpec(.binary(bits: 3), .group(32), scaleFormat: .f16)),
    Formats(
      name: "binary2-offset",
      weights: QuantizationSpec(.binary(bits: 2), .row, isSymmetric: false, scaleFormat: .f16)),
  ]

  /// Formats whose codes are places in a table.
  private static let tables: [Formats] = [
    Formats(name: "nf4", weights: table(.nf4, .group(32), .f16)),
    Formats(name: "mxfp4", weights: table(.fp4, .group(32), .e8m0)),
    Formats(name: "nvfp4", weights: table(.fp4, .group(16), .e4m3)),
    Formats(
      name: "mxfp4-a8", weights: table(.fp4, .group(32), .e8m0), activations: int(8, .row)),
    Formats(
      name: "nvfp4-a8", weights: table(.fp4, .group(16), .e4m3),
      activations: int(8, .row, symmetric: false)),
    Formats(name: "mxfp8-floor", weights: table(.fp8E5M2, .group(32), .e8m0Floor)),
  ]

  private static func table(
    _ format: TableFormat, _ granularity: Granularity, _ scales: ScaleFormat
  ) -> QuantizationSpec {
    QuantizationSpec(.table(format), granularity, scaleFormat: scales)
  }
}

/// Builds graphs in stage `kernels` as the passes would: a small model with random weights.
struct ModelBuilder {
  var graph: Graph
  private(set) var formats: Formats
  private var entries: [(name: String, entry: Checkpoint.Entry)] = []
  private var seed: UInt64

  init(_ name: String, _ formats: Formats, seed: UInt64 = 1) {
    graph = Graph(name: name)
    graph.stage = .kernels
    self.formats = formats
    self.seed = seed
  }

  /// The graph with its weights.
  func finished() throws -> Graph {
    var graph = graph
    graph.parameters = try Checkpoint(entries)
    return graph
  }

  // MARK: Leaves

  mutating func add(_ op: any Operator, _ operands: ValueID...) throws -> ValueID {
    try graph.add(op, operands)[0]
  }

  mutating func state(_ name: String, _ element: ElementType, _ shape: [Dimension]) throws
    -> ValueID
  {
    try add(State(name: name, type: TensorType(element, shape)))
  }

  /// A checkpoint tensor of random numbers around `mean`.
  mutating func parameter(
    _ name: String, _ shape: [Int], scale: Double, mean: Double = 0, stored: ElementType? = nil
  ) throws -> ValueID {
    seed += 1
    let numbers = RandomNumbers(seed: seed)
    let values = (0..<shape.reduce(1, *)).map { Float(mean + scale * numbers.normal($0)) }
    let type = stored ?? formats.stored
    entries.append((name, .init(shape: shape, stored: type, values: values)))
    return try add(Parameter(name: name, shape: shape, stored: type))
  }

  /// Lets the next parameter have the numbers of the last.
  mutating func repeatSeed() { seed -= 1 }

  /// Changes one element of the parameter that was made last.
  mutating func spoil(element: Int, _ value: Float) {
    entries[entries.count - 1].entry.values[element] = value
  }

  /// The same builder, in other formats from here on.
  func with(_ formats: Formats) -> ModelBuilder {
    var copy = self
    copy.formats = formats
    return copy
  }

  // MARK: Layers

  /// Codes, scale and perhaps zero point of a weight.
  private mutating func quantized(_ weight: ValueID, _ spec: QuantizationSpec) throws -> [ValueID] {
    let parameters = try graph.add(QuantizationParameters(spec: spec), [weight])
    return try graph.add(Quantize(spec: spec), [weight] + parameters) + parameters
  }

  /// Codes, scale and perhaps zero point of activations: found as it runs, or one fixed scale for all.
  private mutating func quantizedActivations(
    _ x: ValueID, _ spec: QuantizationSpec
  ) throws -> [ValueID] {
    if spec.granularity == .row { return try quantized(x, spec) }
    let parameters = try fixedParameters(spec)
    return try graph.add(Quantize(spec: spec), [x] + parameters) + parameters
  }

  /// One scale and perhaps zero point for all activations.
  private mutating func fixedParameters(_ spec: QuantizationSpec) throws -> [ValueID] {
    if spec.isSymmetric { return [try add(Generated(shape: [1, 1], values: .inline([0.037])))] }
    let range = try add(Generated(shape: [1, 2], values: .inline([-3, 2])))
    return try graph.add(
      QuantizationParameters(
        spec: QuantizationSpec(spec.format, .tensor, isSymmetric: false)), [range])
  }

  mutating func linear(
    _ x: ValueID, _ name: String, _ inputs: Int, _ outputs: Int, bias: Bool = false,
    gain: ValueID? = nil
  ) throws -> ValueID {
    var weight = try parameter(
      "\(name).weight", [outputs, inputs], scale: 1 / Double(inputs).squareRoot())
    if let gain { weight = try add(Multiply(), weight, gain) }
    let offset = bias ? [try parameter("\(name).bias", [outputs], scale: 0.3)] : []
    return try product(x, weight, offset)
  }

  /// x·Wᵀ + bias in the model's formats.
  mutating func product(_ x: ValueID, _ weight: ValueID, _ bias: [ValueID]) throws -> ValueID {
    guard let spec = formats.weights else { return try graph.add(Linear(), [x, weight] + bias)[0] }
    let stored = try quantized(weight, spec)
    guard let activations = formats.activations else {
      return try graph.add(
        DequantizingLinear(weights: spec, bias: !bias.isEmpty), [x] + stored + bias)[0]
    }
    let codes = try quantizedActivations(x, activations)
    return try graph.add(
      IntegerLinear(weights: spec, activations: activations, bias: !bias.isEmpty),
      codes + stored + bias)[0]
  }

  /// The sum of two products of one value, each with a branch; the branches share their first factor.
  mutating func branchedPair(
    _ x: ValueID, _ name: String, _ inputs: Int, _ outputs: Int, rank: Int, stored: ElementType
  ) throws -> ValueID {
    let spec = formats.weights ?? Formats.w8a8.weights!
    let down = try parameter("\(name)/down", [rank, inputs], scale: 0.2, stored: stored)
    var input = [x]
    var hidden = x
    if let activations = formats.activations {
      let isDynamic = activations.granularity == .row
      let fixed = try isDynamic ? [] : fixedParameters(activations)
      let made = try graph.add(
        BranchingQuantize(spec: activations, isDynamic: isDynamic), [x, down] + fixed)
      input = made.dropLast() + fixed
      hidden = made[made.count - 1]
    } else {
      hidden = try add(Linear(), x, down)
    }
    var parts: [ValueID] = []
    for index in 0..<2 {
      let weight = try parameter("\(name).\(index).weight", [outputs, inputs], scale: 0.2)
      let stored =
        try input + quantized(weight, spec)
        + (index == 0 ? [parameter("\(name).bias", [outputs], scale: 0.3)] : [])
        + [hidden, parameter("\(name).\(index)/up", [outputs, rank], scale: 0.2, stored: stored)]
      let op: any Operator =
        formats.activations.map {
          BranchedIntegerLinear(IntegerLinear(weights: spec, activations: $0, bias: index == 0))
        } ?? BranchedDequantizingLinear(DequantizingLinear(weights: spec, bias: index == 0))
      parts.append(try graph.add(op, stored)[0])
    }
    return try add(Add(), parts[0], parts[1])
  }

  mutating func embedding(_ ids: ValueID, _ table: ValueID) throws -> ValueID {
    guard let spec = formats.weights else { return try add(Embedding(), ids, table) }
    return try graph.add(
      DequantizingEmbedding(weights: spec), [ids] + quantized(table, spec))[0]
  }
}
