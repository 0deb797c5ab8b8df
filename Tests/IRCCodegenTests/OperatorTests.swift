import IRCCodegen
import IRCGraph
import IRCOps
import IRCQuant
import IRCTensor
import Testing

/// One operator at a time between an exact embedding and the logits, against the interpreter on the same inputs.
@Suite struct OperatorTests {
  /// A graph around one operator.
  struct Case: CustomTestStringConvertible, Sendable {
    let testDescription: String
    /// Makes the output of two values [tokens, 44] and [tokens, 44].
    let build: @Sendable (inout ModelBuilder, ValueID, ValueID) throws -> ValueID

    init(
      _ name: String,
      _ build: @escaping @Sendable (inout ModelBuilder, ValueID, ValueID) throws -> ValueID
    ) {
      testDescription = name
      self.build = build
    }
  }

  private static let width = 44

  private static func integer(
    _ bits: Int, _ granularity: Granularity, symmetric: Bool = true
  ) -> QuantizationSpec {
    QuantizationSpec(.integer(bits: bits), granularity, isSymmetric: symmetric)
  }

  private static func words(_ spec: QuantizationSpec) -> String {
    "\(spec.format) \(spec.granularity)" + (spec.isSymmetric ? "" : " asymmetric")
  }

  /// Integer products: every weight width with every kind of activation, bit for bit.
  private static var products: [Case] {
    let weights = [
      integer(8, .row), integer(8, .tensor), integer(4, .group(32)), integer(3, .group(32)),
      integer(2, .group(32), symmetric: false), integer(4, .row, symmetric: false),
      integer(5, .group(16)), integer(6, .row), integer(7, .group(10), symmetric: false),
      QuantizationSpec(.integer(bits: 4), .group(16), scaleFormat: .e8m0),
      QuantizationSpec(.integer(bits: 6), .group(32), scaleFormat: .e4m3),
    ]
    let activations = [
      integer(8, .row), integer(4, .row, symmetric: false), integer(8, .tensor),
      integer(8, .tensor, symmetric: false),
    ]
    return weights.flatMap { w in
      activations.map { x in
        Case("integer_linear \(words(w)), activations \(words(x))") { b, value, _ in
          let kept = b.formats
          b = b.with(Formats(name: kept.name, weights: w, activations: x))
          return try b.linear(value, "layer", width, 37, bias: true)
        }
      }
        + [
          Case("dequantizing_linear \(words(w))") { b, value, _ in
            b = b.with(Formats(name: "weights", weights: w))
            return try b.linear(value, "layer", width, 37, bias: true)
          }
        ]
    }
  }

  /// Every table of values, and one with every kind of scale.
  private static let tables: [Case] =
    (TableFormat.allCases.map { ($0, .f32) } + ScaleFormat.allCases.map { (.fp4, $0) }).map {
      (format: TableFormat, scales: ScaleFormat) in
      let spec = QuantizationSpec(.table(format), .group(16), scaleFormat: scales)
      return Case(
        "dequantizing_linear \(words(spec)) \(scales.rawValue)"
      ) { b, value, _ in
        b = b.with(Formats(name: "weights", weights: spec))
        return try b.linear(value, "layer", width, 37, bias: true)
      }
    }

  private static let elementwise: [Case] = [
    Case("embedding") { _, x, _ in x },
    Case("add") { b, x, y in try b.add(Add(), x, y) },
    Case("mul") { b, x, y in try b.add(Multiply(), x, y) },
    Case("mul by a gain") { b, x, _ in
      try b.add(Multiply(), x, b.parameter("gain", [width], scale: 1))
    },
    Case("neg") { b, x, _ in try b.add(Negate(), x) },
    Case("exp") { b, x, _ in try b.add(Exponential(), x) },
    Case("silu") { b, x, _ in try b.add(SiLU(), x) },
    Case("softplus") { b, x, _ in try b.add(Softplus(), x) },
    Case("scaled_silu") { b, x, _ in
      try b.add(ScaledSiLU(), x, b.parameter("scale", [width], scale: 1))
    },
    Case("channel_scale") { b, x, _ in
      try b.add(ChannelScale(axis: 1), x, b.parameter("factors", [width], scale: 1))
    },
    Case("channel_scale, inverse, of a slice") { b, x, _ in
      let slice = try b.add(Slice(axis: 1, lower: 3, upper: 40), x)
      return try b.add(
        ChannelScale(axis: 1, isInverse: true), slice,
        b.parameter("factors", [37], scale: 0.1, mean: 1))
    },
    Case("rms_norm") { b, x, _ in try b.add(RMSNorm(epsilon: 1e-5), x) },
    Case("layer_norm") { b, x, _ in try b.add(LayerNorm(epsilon: 1e-5), x) },
    Case("layer_norm of a slice, with gain and bias") { b, x, _ in
      let slice = try b.add(Slice(axis: 1, lower: 3, upper: 40), x)
      return try b.add(
        LayerNorm(epsilon: 1e-5), slice, b.parameter("gain", [37], scale: 1),
        b.parameter("bias", [37], scale: 1))
    },
    Case("slice") { b, x, _ in try b.add(Slice(axis: 1, lower: 3, upper: 40), x) },
    Case("slice of a slice, then neg and exp on its rows") { b, x, _ in
      let slice = try b.add(
        Slice(axis: 1, lower: 5, upper: 20), b.add(Slice(axis: 1, lower: 3, upper: 40), x))
      return try b.add(Exponential(), b.add(Negate(), slice))
    },
    Case("concat") { b, x, y in
      try b.add(Concatenate(axis: 1), x, b.add(Slice(axis: 1, lower: 1, upper: 9), y), x)
    },
    Case("linear") { b, x, _ in
      try b.linear(x, "layer", width, 37, bias: true)
    },
    Case("linear in half precision") { b, x, _ in
      let weight = try b.parameter("layer", [37, width], scale: 0.2, stored: .f16)
      return try b.add(Linear(), x, weight)
    },
    // What folding the bias of a norm and centring leave for the weights file.
    Case("linear with weights and a bias computed from constants") { b, x, _ in
      let weight = try b.parameter("layer", [37, width], scale: 0.2)
      let beta = try b.parameter("beta", [width], scale: 1)
      let product = try b.add(Linear(), b.add(Reshape(shape: [1, width]), beta), weight)
      let bias = try b.add(ChannelCentre(axis: 0), b.add(Reshape(shape: [37]), product))
      return try b.add(Linear(), x, b.add(ChannelCentre(axis: 0), weight), bias)
    },
    Case("quantize and dequantize") { b, x, _ in
      try roundTrip(&b, x, integer(8, .row))
    },
    Case("quantize and dequantize, asymmetric in 4 bits") { b, x, _ in
      try roundTrip(&b, x, integer(4, .row, symmetric: false))
    },
    Case("rope") { b, x, _ in
      let ids = b.graph.operations[0].result
      let offset = try b.state("position", .i32, [1])
      let positions = try b.graph.add(Positions(), [ids, offset])
      b.graph.setNextState("position", positions[1])
      return try b.add(RotaryEmbedding(headDimension: 22, theta: 500), x, positions[0])
    },
  ]

  /// Transforms of one value that is widened to fit them, one after another.
  private static let transforms: [Case] = [
    [HadamardTransform(axis: 1, block: 44, seed: nil)],
    [HadamardTransform(axis: 1, block: 44, seed: 5, isTransposed: true)],
    [HadamardTransform(axis: 1, block: 4, seed: 2)],
    [HadamardTransform(axis: 1, block: 1, seed: 1)],
    [HadamardTransform(axis: 1, block: 96, seed: 9)],
    [HadamardTransform(axis: 1, block: 28, seed: nil)],
    [HadamardTransform(axis: 1, block: 52, seed: 1)],
    [HadamardTransform(axis: 1, block: 172, seed: nil, isTransposed: true)],
    [HadamardTransform(axis: 1, block: 688, seed: -4)],
    [HadamardTransform(axis: 1, block: 128, seed: 3)],
    // Two of one matrix, and its transpose.
    [
      HadamardTransform(axis: 1, block: 240, seed: 3),
      HadamardTransform(axis: 1, block: 240, seed: 4),
      HadamardTransform(axis: 1, block: 240, seed: 4, isTransposed: true),
    ],
  ].map { transforms in
    Case("hadamard \(transforms.map { "\($0.block) \($0.seed ?? 0)" })") { b, x, _ in
      let block = transforms[0].block
      // A multiple of the block that is at least two of them, cut from repetitions.
      let width = block * max(2, 64 / block)
      let copies = Array(repeating: x, count: (width + Self.width) / Self.width + 1)
      var y = try b.graph.add(Concatenate(axis: 1), copies)[0]
      y = try b.add(Slice(axis: 1, lower: 5, upper: 5 + width), y)
      for transform in transforms { y = try b.add(transform, y) }
      return y
    }
  }

  /// What an online rotation is for: the codes of a linear layer's input.
  private static let rotated: [Case] = [integer(8, .row), integer(4, .row)].map { activations in
    Case("hadamard before integer_linear, \(words(activations))") { b, x, _ in
      let rotated = try b.add(HadamardTransform(axis: 1, block: 44, seed: 7), x)
      b = b.with(Formats(name: "w8", weights: integer(8, .row), activations: activations))
      return try b.linear(rotated, "layer", width, 37)
    }
  }

  /// Products with branches in half and in single precision, of one quantizer or of values.
  private static var branched: [Case] {
    let activations = [
      integer(8, .row), integer(4, .row), integer(8, .row, symmetric: false), integer(8, .tensor),
      integer(4, .tensor, symmetric: false),
    ]
    return [ElementType.f16, .f32].flatMap { stored in
      activations.map { spec in
        Case("branched_integer_linear \(stored.rawValue), activations \(words(spec))") { b, x, _ in
          b = b.with(
            Formats(name: "w4", weights: integer(4, .group(16)), activations: spec))
          return try b.branchedPair(x, "layer", width, 37, rank: 5, stored: stored)
        }
      } + [
        Case("branched_dequantizing_linear \(stored.rawValue)") { b, x, _ in
          b = b.with(Formats(name: "w4", weights: integer(4, .group(32), symmetric: false)))
          return try b.branchedPair(x, "layer", width, 37, rank: 6, stored: stored)
        }
      ]
    }
  }

  private static func roundTrip(
    _ b: inout ModelBuilder, _ x: ValueID, _ spec: QuantizationSpec
  ) throws -> ValueID {
    let parameters = try b.graph.add(QuantizationParameters(spec: spec), [x])
    let codes = try b.graph.add(Quantize(spec: spec), [x] + parameters)
    return try b.graph.add(Dequantize(spec: spec), codes + parameters)[0]
  }

  @Test(
    "gives the interpreter's result", .enabled(if: Compilers.gcc != nil, "gcc is not installed"),
    arguments: elementwise + transforms + rotated + products + tables + branched)
  func matches(_ example: Case) throws {
    var b = ModelBuilder("operator", .float)
    let ids = try b.add(Input(name: "ids", type: TensorType(.i32, [.named("tokens")])))
    let values = try ["x", "y"].map {
      try b.add(Embedding(), ids, b.parameter($0, [61, Self.width], scale: 2))
    }
    b.graph.addOutput("logits", try example.build(&b, values[0], values[1]))
    var graph = try b.finished()
    graph.stage = .kernels
    graph.removeDeadOperations()
    let emitted = try EmittedModel(
      graph, .init(name: "tiny-model", chunk: 4, contextLength: 64, target: .portable))
    let program = try emitted.compileDriver(
      try #require(Compilers.gcc), ["-O1"] + Compilers.strict)
    let sample: [Int32] = [0, 60, 17, 17, 3, 44, 9, 12, 31, 2, 5]
    let logits = try emitted.logits(program, sample)
    let reference = try InterpreterReference.logits(graph, sample)
    #expect(logits == reference)
  }
}
