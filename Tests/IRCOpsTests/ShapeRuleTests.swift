import IRCGraph
import IRCOps
import IRCQuant
import IRCTensor
import Testing

/// Every operator refuses what does not fit, with a text that names the operand and what was expected.
@Suite struct ShapeRuleTests {
  struct Refusal: Sendable, CustomTestStringConvertible {
    let op: any Operator
    let types: [TensorType]
    let parts: [String]
    init(_ op: any Operator, _ types: [TensorType], _ parts: String...) {
      self.op = op
      self.types = types
      self.parts = parts
    }
    var testDescription: String { "\(op) \(types)" }
  }

  static let codes = TensorType(.i8, [4, 6])
  static let row = QuantizationSpec(.integer(bits: 8), .row)
  static let asymmetric = QuantizationSpec(.integer(bits: 4), .group(3), isSymmetric: false)
  static let tokens = TensorType(.i32, [.named("tokens")])
  static let x = TensorType(.f32, [.named("tokens"), 6])
  static let huge = TensorType(.f32, [.fixed(1 << 40), 2])

  static let integerAttention = IntegerAttention(
    Attention(heads: 2, keyValueHeads: 2, scale: 1, window: 0))

  static let refusals: [Refusal] = [
    Refusal(Add(), [f32(2, 3)], "takes 2 operands (a, b)", "found 1"),
    Refusal(Add(), [f32(2, 3), f32(3, 2)], "'b'", "f32[3, 2]", "f32[2, 3]"),
    Refusal(Add(), [codes, codes], "'a'", "i8[4, 6]", "f32"),
    Refusal(Multiply(), [f32(2, 3), f32(2)], "'b'", "f32[2]", "as long as its last axis"),
    Refusal(Negate(), [codes], "'x'"),
    Refusal(SiLU(), [], "takes 1 operands", "found 0"),
    Refusal(Reshape(shape: [5]), [f32(2, 3)], "'x'", "5 elements"),
    Refusal(Reshape(shape: [6]), [x], "fixed extents"),
    Refusal(Reshape(shape: [1 << 40, 1 << 40]), [f32(2)], "2^40"),
    Refusal(Slice(axis: 1, lower: 2, upper: 7), [f32(4, 6)], "at least 7 at axis 1"),
    Refusal(Slice(axis: 2, lower: 0, upper: 1), [f32(4, 6)], "axis 2"),
    Refusal(Slice(axis: 0, lower: 0, upper: 1), [x], "axis 0"),
    Refusal(Transpose(order: [0, 0]), [f32(4, 6)], "each axis once"),
    Refusal(Transpose(order: [1, 0]), [f32(4)], "rank 2"),
    Refusal(Concatenate(axis: 0), [], "one operand or more"),
    Refusal(Concatenate(axis: 0), [f32(2, 3), f32(2, 4)], "'part 1'", "but for axis 0"),
    Refusal(Concatenate(axis: 2), [f32(2, 3)], "an axis 2"),
    Refusal(Append(), [f32(2, 3), f32(1, 4)], "'new'", "f32[1, 3]"),
    Refusal(Append(), [codes, f32(1, 6)], "'new'", "i8[1, 6]"),
    Refusal(Append(), [TensorType(.i32, [2, 3]), f32(1, 3)], "'cache'", "or codes (i8)"),
    Refusal(ScaledSiLU(), [x, f32(5)], "'scale'", "f32[6]"),
    Refusal(ScaledSiLU(), [f32(2), f32(2)], "'x'", "rank 2"),
    Refusal(ChannelScale(axis: 1), [x, f32(5)], "'factors'", "f32[6]"),
    Refusal(ChannelScale(axis: 0), [x, f32(6)], "'x'", "fixed extent at axis 0"),
    Refusal(ChannelScale(axis: 2), [x, f32(6)], "'x'", "axis 2"),
    Refusal(ChannelScale(axis: 1), [codes, f32(6)], "'x'", "f32"),
    Refusal(ChannelGather(axis: 1), [x, f32(6)], "'order'", "i32[6]"),
    Refusal(ChannelGather(axis: 0), [x, tokens], "'x'", "fixed extent at axis 0"),
    Refusal(ChannelMatmul(axis: 1), [x, f32(6, 6)], "'matrices'", "f32[blocks, d, d]"),
    Refusal(ChannelMatmul(axis: 1), [x, f32(1, 6, 5)], "'matrices'", "f32[blocks, d, d]"),
    Refusal(ChannelMatmul(axis: 1, repeats: 3), [x, f32(1, 3, 3)], "'x'", "repeats = 9"),
    Refusal(ChannelMatmul(axis: 1, repeats: .max), [x, f32(2, 3, 3)], "'x'", "axis 1"),
    Refusal(HadamardTransform(axis: 1, block: 6, seed: nil), [x], "no Hadamard matrix of order 6"),
    Refusal(HadamardTransform(axis: 1, block: 0, seed: nil), [x], "order 0"),
    Refusal(HadamardTransform(axis: 1, block: 4, seed: nil), [x], "'x'", "a multiple of block 4"),
    Refusal(HadamardTransform(axis: 0, block: 1, seed: nil), [x], "'x'", "fixed extent at axis 0"),
    Refusal(HadamardTransform(axis: 2, block: 1, seed: nil), [x], "'x'", "axis 2"),
    Refusal(Parameter(name: "w", shape: [2], stored: .u8), [], "u8", "i32 or i8"),
    Refusal(Embedding(), [f32(2), f32(4, 6)], "'ids'", "i32"),
    Refusal(Embedding(), [tokens, f32(6)], "'table'", "rank 2"),
    Refusal(Linear(), [f32(6), f32(4, 6)], "'x'", "rank 2 or more"),
    Refusal(Linear(), [x, f32(4, 5)], "'weight'", "f32[4, 5]", "f32[out, 6]"),
    Refusal(Linear(), [x, f32(4, 6), f32(6)], "'bias'", "f32[4]"),
    Refusal(RMSNorm(epsilon: 1e-5), [x, f32(5)], "'gain'", "f32[6]"),
    Refusal(RMSNorm(epsilon: -1), [x], "negative"),
    Refusal(LayerNorm(epsilon: 1e-5), [x, f32(5)], "'gain'", "f32[6]"),
    Refusal(LayerNorm(epsilon: 1e-5), [x, f32(6), f32(1, 6)], "'bias'", "f32[6]"),
    Refusal(LayerNorm(epsilon: 1e-5), [f32(6)], "'x'", "rank 2 or more"),
    Refusal(LayerNorm(epsilon: -1), [x], "negative"),
    Refusal(ChannelCentre(axis: 0), [x], "'x'", "fixed extent at axis 0"),
    Refusal(ChannelCentre(axis: 1), [f32(2, 0)], "'x'", "at least one channel"),
    Refusal(Positions(), [tokens, TensorType(.i32, [2])], "'offset'", "i32[1]"),
    Refusal(RotaryEmbedding(headDimension: 4, theta: 10), [x, tokens], "multiple of head_dim 4"),
    Refusal(RotaryEmbedding(headDimension: 3, theta: 10), [x, tokens], "even"),
    Refusal(
      RotaryEmbedding(headDimension: 6, theta: 10), [x, TensorType(.i32, [3])], "'positions'"),
    Refusal(
      Attention(heads: 3, keyValueHeads: 2, scale: 1, window: 0), [x, x, x], "multiple of kv_heads"),
    Refusal(
      Attention(heads: 4, keyValueHeads: 2, scale: 1, window: 0), [x, x, x],
      "multiple of heads 4"),
    Refusal(
      Attention(heads: 6, keyValueHeads: 2, scale: 1, window: 0), [x, x, x], "'k'",
      "2 heads of 1 channels"),
    Refusal(
      Attention(heads: 2, keyValueHeads: 2, scale: 1, window: 0), [x, f32(5, 6), f32(4, 6)], "'v'"),
    Refusal(
      integerAttention, [x, f32(4, 6), f32(4, 2), codes, f32(4, 2)], "'key codes'",
      "i8[keys, 6]: 2 heads of 3 channels"),
    Refusal(
      integerAttention, [x, codes, f32(4, 1), codes, f32(4, 2)], "'key scales'", "f32[4, 2]"),
    Refusal(
      integerAttention, [x, codes, f32(4, 2), TensorType(.i8, [5, 6]), f32(5, 2)], "'value codes'",
      "i8[4, 6]"),
    Refusal(
      integerAttention, [x, codes, f32(4, 2), codes, f32(4, 3)], "'value scales'", "f32[4, 2]"),
    Refusal(CausalConvolution(), [x, f32(3, 6), f32(5, 4)], "'weight'", "f32[6, taps]"),
    Refusal(CausalConvolution(), [x, f32(2, 6), f32(6, 4)], "'state'", "f32[3, 6]"),
    Refusal(CausalConvolution(), [x, f32(3, 6), f32(6, 4), f32(1)], "'bias'"),
    Refusal(SelectiveScan(), [x, x, f32(5, 3), x, x, f32(6), f32(6, 3)], "'a'", "f32[6, states]"),
    Refusal(SelectiveScan(), [x, x, f32(6, 6), x, x, f32(5), f32(6, 6)], "'d'", "f32[6]"),
    Refusal(SelectiveScan(), [x, x, f32(6, 6), x, x, f32(6), f32(6, 5)], "'h'", "f32[6, 6]"),
    Refusal(QuantizationParameters(spec: row), [f32(6)], "rank 2"),
    Refusal(
      QuantizationParameters(spec: row), [TensorType(.f32, [2, .named("n")])], "fixed last extent"),
    Refusal(
      QuantizationParameters(spec: QuantizationSpec(.integer(bits: 9), .row)), [x], "int9"),
    Refusal(
      QuantizationParameters(spec: QuantizationSpec(.integer(bits: 8), .group(0))), [x],
      "group size 0"
    ),
    Refusal(Quantize(spec: row), [f32(4, 6), f32(4, 2)], "'scale'", "f32[4, 1]", "f32[1, 1]"),
    Refusal(Quantize(spec: asymmetric), [f32(4, 6), f32(4, 2)], "(x, scale, zero)"),
    Refusal(
      Quantize(spec: asymmetric), [f32(4, 6), f32(4, 2), TensorType(.i8, [4, 1])], "'zero'"),
    Refusal(Dequantize(spec: row), [f32(4, 6), f32(4, 1)], "'codes'", "i8"),
    Refusal(
      DequantizingEmbedding(weights: row), [tokens, TensorType(.i8, [4]), f32(4, 1)], "rank 2"),
    Refusal(
      DequantizingLinear(weights: row, bias: true), [x, codes, f32(4, 1)], "weight scale, bias"),
    Refusal(
      DequantizingLinear(weights: row, bias: false), [f32(2, 5), codes, f32(4, 1)],
      "'weight codes'", "i8[out, 5]"),
    Refusal(
      IntegerLinear(weights: row, activations: asymmetric, bias: false),
      [codes, f32(4, 2), TensorType(.i8, [4, 2]), codes, f32(4, 1)], "tensor or row"),
    Refusal(
      IntegerLinear(weights: row, activations: row, bias: false),
      [codes, f32(4, 1), TensorType(.i8, [4, 5]), f32(4, 1)], "'weight codes'", "i8[out, 6]"),
    Refusal(
      BranchingQuantize(spec: row, isDynamic: true), [x, f32(2, 5)], "'down'", "f32[rank, 6]"),
    Refusal(
      BranchingQuantize(spec: row, isDynamic: false), [x, f32(2, 6), f32(1, 1)],
      "granularity row, expected tensor"),
    Refusal(
      BranchingQuantize(
        spec: QuantizationSpec(.integer(bits: 8), .tensor), isDynamic: false),
      [x, f32(2, 6)], "(x, down, scale)"),
    Refusal(
      BranchingQuantize(spec: QuantizationSpec(.table(.fp4), .row), isDynamic: true),
      [x, f32(2, 6)], "no integers"),
    Refusal(
      BranchedDequantizingLinear(DequantizingLinear(weights: row, bias: false)),
      [x, codes, f32(4, 1), f32(3, 2), f32(4, 2)], "'hidden'", "each of the rows"),
    Refusal(
      BranchedIntegerLinear(IntegerLinear(weights: row, activations: row, bias: false)),
      [codes, f32(4, 1), codes, f32(4, 1), f32(4, 2), f32(4, 3)], "'up'", "f32[4, 2]"),
    Refusal(Parameter(name: "w", shape: [1 << 30, 1 << 30], stored: .f32), [], "2^40"),
    Refusal(Generated(shape: [3], values: .inline([1, 2])), [], "2 inline values", "3"),
    Refusal(Generated(shape: [17], values: .inline(Array(repeating: 0, count: 17))), [], "16"),
    Refusal(Linear(), [huge, f32(3, 2)], "'x'", "2^40"),
    Refusal(Concatenate(axis: 0), [f32(1 << 20, 1 << 20), f32(1, 1 << 20)], "2^40"),
  ]

  @Test(arguments: refusals)
  func refusesWithReason(test: Refusal) throws {
    let message = try #require(refusal(test.op, test.types))
    for part in test.parts { #expect(message.contains(part), "\(message)") }
    #expect(!message.hasSuffix("."))
  }

  /// Dynamic extents go through as they are named.
  @Test func dynamicExtents() throws {
    let past = Dimension.named("past")
    let cache = TensorType(.f32, [past, 6])
    let grown = TensorType(.f32, [past + .named("tokens"), 6])
    #expect(try Append().resultTypes([cache, Self.x]) == [grown])
    let (codes, scales) = (
      TensorType(.i8, [past + .named("tokens"), 6]), TensorType(.f32, [past + .named("tokens"), 2])
    )
    #expect(
      try Append().resultTypes([
        TensorType(.i8, [past, 6]), TensorType(.i8, [.named("tokens"), 6]),
      ]) == [codes])
    #expect(
      try Self.integerAttention.resultTypes([Self.x, codes, scales, codes, scales]) == [Self.x])
    let attention = Attention(heads: 2, keyValueHeads: 2, scale: 1, window: 0)
    #expect(try attention.resultTypes([Self.x, grown, grown]) == [Self.x])
    #expect(
      try Linear().resultTypes([Self.x, f32(4, 6)]) == [TensorType(.f32, [.named("tokens"), 4])])
    #expect(
      try QuantizationParameters(spec: Self.asymmetric).resultTypes([Self.x]) == [
        TensorType(.f32, [.named("tokens"), 2]), TensorType(.i8, [.named("tokens"), 2]),
      ])
    #expect(
      try IntegerLinear(
        weights: Self.asymmetric, activations: Self.row, bias: true
      ).resultTypes([
        TensorType(.i8, Self.x.shape), TensorType(.f32, [.named("tokens"), 1]), Self.codes,
        f32(4, 2), TensorType(.i8, [4, 2]), f32(4),
      ]) == [TensorType(.f32, [.named("tokens"), 4])])
  }

  @Test func costs() throws {
    func macs(_ op: any Operator, _ types: [TensorType]) throws -> Int {
      op.cost(types, try op.resultTypes(types)).macs
    }
    #expect(try macs(Linear(), [f32(5, 6), f32(4, 6)]) == 5 * 6 * 4)
    #expect(try macs(Add(), [f32(5, 6), f32(5, 6)]) == 0)
    let product = DequantizingLinear(weights: Self.row, bias: false)
    #expect(
      try macs(
        BranchedDequantizingLinear(product),
        [f32(5, 6), Self.codes, f32(4, 1), f32(5, 2), f32(4, 2)]) == 5 * 4 * (6 + 2))
    #expect(
      try macs(BranchingQuantize(spec: Self.row, isDynamic: true), [f32(5, 6), f32(2, 6)])
        == 5 * 6 * 2)
    #expect(try macs(Multiply(), [f32(5, 6), f32(6)]) == 30)
    #expect(
      try macs(
        Attention(heads: 2, keyValueHeads: 1, scale: 1, window: 0),
        [f32(5, 6), f32(7, 3), f32(7, 3)]) == 2 * 5 * 6 * 7)
    #expect(try macs(CausalConvolution(), [f32(5, 6), f32(3, 6), f32(6, 4)]) == 5 * 6 * 4)
    #expect(try macs(SelectiveScan(), Scan.operands(5, 6, 3).map(\.type)) == 5 * 6 * (3 * 3 + 1))
    #expect(Linear().cost([f32(5, 6), f32(4, 6)], [f32(5, 4)]).bytes == 4 * (30 + 24 + 20))
  }
}

@Suite struct AttributeTests {
  static let operators: [any Operator] =
    [
      Parameter(name: "a \"b\"", shape: [2, 3], stored: .bf16),
      Generated(shape: [2], values: .splat(-0.5)), Generated(shape: [], values: .iota),
      Generated(shape: [2, 2], values: .random(seed: .max, scale: 1e-30)),
      Generated(shape: [2], values: .inline([1, -2.5])),
      Parameter(name: "order", shape: [2], stored: .i32),
      Add(), Multiply(), Negate(), Exponential(), SiLU(), ScaledSiLU(), Softplus(),
      ChannelScale(axis: 1, isInverse: true), ChannelGather(axis: 2),
      ChannelMatmul(axis: 1, repeats: 3, isTransposed: true, isOrthogonal: true),
      HadamardTransform(axis: 1, block: 12, seed: nil),
      HadamardTransform(axis: 1, block: 12, seed: -7, isTransposed: true),
      Reshape(shape: [2, 3]), Slice(axis: 1, lower: 2, upper: 3), Transpose(order: [1, 0]),
      Concatenate(axis: 2), Embedding(), Linear(), RMSNorm(epsilon: 1e-6),
      LayerNorm(epsilon: 1e-6), ChannelCentre(axis: 3), Positions(),
      RotaryEmbedding(headDimension: 8, theta: 10000), Append(),
      Attention(heads: 8, keyValueHeads: 4, scale: 0.25, window: 7), CausalConvolution(),
      SelectiveScan(),
    ]
    + QuantizationTests.specs.flatMap { spec -> [any Operator] in
      [
        QuantizationParameters(spec: spec), Quantize(spec: spec), Dequantize(spec: spec),
        DequantizingLinear(weights: spec, bias: true), DequantizingEmbedding(weights: spec),
        IntegerLinear(
          weights: spec, activations: QuantizationSpec(.integer(bits: 8), .row), bias: false),
        BranchingQuantize(spec: spec, isDynamic: spec.isSymmetric),
        BranchedDequantizingLinear(DequantizingLinear(weights: spec, bias: false)),
        BranchedIntegerLinear(
          IntegerLinear(
            weights: spec, activations: QuantizationSpec(.integer(bits: 8), .row), bias: true)),
      ]
    }

  @Test(arguments: operators.indices)
  func readsWhatItWrites(index: Int) throws {
    let op = Self.operators[index]
    let kind = try #require(OperatorRegistry.standard[op.operatorName])
    var reader = AttributeReader(op.attributes)
    let copy = kind.init(reading: &reader)
    #expect(reader.problems.isEmpty)
    #expect(reader.unused.isEmpty)
    #expect(AnyHashable(copy) == AnyHashable(op))
  }

  @Test func missingAttributesAreNamed() {
    for name in OperatorRegistry.standard.names {
      var reader = AttributeReader([])
      let op = OperatorRegistry.standard[name]?.init(reading: &reader)
      // What was made of stand-ins must not trap either.
      _ = try? op?.resultTypes([])
      _ = try? op?.resultTypes([f32(2, 2), f32(2, 2)])
      if let op, !(op is any RuntimeLeaf) {
        #expect(reader.problems.count == op.attributes.count, "\(name)")
      }
    }
    #expect(OperatorRegistry.standard.names.count == 40)
  }

  @Test func illTypedAttributesAreRefused() {
    let cases: [(String, Attribute, any Operator.Type)] = [
      ("values", .call("random", [.int(1)]), Generated.self),
      ("values", .call("inline", [.symbol("x")]), Generated.self),
      ("values", .call("splat", [.float(.infinity)]), Generated.self),
      ("granularity", .call("group", [.int(0)]), Quantize.self),
      ("format", .symbol("int99"), Quantize.self),
      ("weights", .call("quantized", [.symbol("int8")]), DequantizingLinear.self),
      ("head_dim", .int(1), RotaryEmbedding.self), ("heads", .int(0), Attention.self),
      ("seed", .symbol("any"), HadamardTransform.self),
      ("block", .int(0), HadamardTransform.self), ("repeats", .int(0), ChannelMatmul.self),
      ("stored", .symbol("f99"), Parameter.self), ("shape", .list([.int(-1)]), Reshape.self),
    ]
    for (name, value, kind) in cases {
      var reader = AttributeReader([(name, value)])
      _ = kind.init(reading: &reader)
      #expect(
        reader.problems.contains { $0.message.contains("'\(name)' must be") },
        "\(name): \(reader.problems)"
      )
    }
  }
}
