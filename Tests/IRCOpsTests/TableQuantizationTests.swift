import IRCGraph
import IRCOps
import IRCQuant
import IRCTensor
import Testing

/// Codes in tables of values and scales of eight bits, as operators of the graph.
@Suite struct TableQuantizationTests {
  static let specs: [QuantizationSpec] =
    (TableFormat.allCases.map { .table($0) } + [.integer(bits: 4), .integer(bits: 6)]).flatMap {
      format in
      [Granularity.tensor, .row, .group(1), .group(16), .group(100)].flatMap { granularity in
        ScaleFormat.allCases.map { QuantizationSpec(format, granularity, scaleFormat: $0) }
      }
    }

  /// The values of the format's codes, in the order of the codes as numbers without sign.
  private static func values(_ format: NumericFormat) -> [Float] {
    switch format {
    case .table(let table): table.values
    case .integer(let bits):
      (0..<1 << bits).map { Float($0 < 1 << (bits - 1) ? $0 : $0 - 1 << bits) }
    case .codebook, .binary: []
    }
  }

  private func roundTrip(
    _ x: Tensor, _ spec: QuantizationSpec
  ) throws -> (scales: [Double], values: [Double]) {
    let parameters = try run(QuantizationParameters(spec: spec), [x], .single)
    let codes = try run(Quantize(spec: spec), [x] + parameters, .single)
    let values = try run(Dequantize(spec: spec), codes + parameters, .single)[0]
    return (parameters[0].values, values.values)
  }

  @Test("A value inside the range is at most half a gap of the table away", arguments: specs)
  func errorIsBounded(spec: QuantizationSpec) throws {
    let (rows, columns) = (5, 33)
    let x = random([rows, columns], seed: 9, scale: 2).converted(to: .single)
    let (scales, values) = try roundTrip(x, spec)
    let levels = Self.values(spec.format).filter(\.isFinite).map(Double.init).sorted()
    let gap = zip(levels.dropFirst(), levels).map { $0 - $1 }.max() ?? 0
    let groups = spec.granularity.scales(inRowOf: columns)
    let width = spec.granularity.groupWidth(of: columns)
    for (index, (before, after)) in zip(x.values, values).enumerated() {
      let place = index / columns * groups + (groups == 1 ? 0 : index % columns / width)
      let scale = scales[scales.count == 1 ? 0 : place]
      let reach = (before < 0 ? -levels[0] : levels[levels.count - 1]) * scale
      let beyond = max(0, abs(before) - reach)
      // Products and quotients are rounded too.
      #expect(abs(before - after) <= scale * gap / 2 + beyond + abs(before) * 3e-7)
      // A scale of eight bits leaves no more than a third of the range out, one of more bits nothing.
      #expect(beyond <= abs(before) * (spec.scaleFormat == .e8m0Floor ? 0.51 : 0.34))
    }
  }

  @Test(
    "Zeros stay zero, NaN becomes zero, and an infinity spoils its group only", arguments: specs)
  func specialGroups(spec: QuantizationSpec) throws {
    let zeros = Tensor(zeros: [2, 40], .f64)
    #expect(try roundTrip(zeros, spec).values.allSatisfy { $0 == 0 })
    let tiny = Tensor([2, 40], [Double](repeating: 0x1p-149, count: 80))
    #expect(try roundTrip(tiny, spec).values.allSatisfy { abs($0) <= 0x1p-123 })

    var numbers = [Double](repeating: 0.75, count: 80)
    numbers[3] = .nan
    let (_, values) = try roundTrip(Tensor([2, 40], numbers), spec)
    #expect(values[3] == 0)
    #expect(values[4...].allSatisfy { $0 > 0.4 && $0 < 1.1 })

    numbers[3] = .infinity
    let spoilt = try roundTrip(Tensor([2, 40], numbers), spec).values
    if spec.scaleFormat == .f16 {
      // The scale saturates, so that the infinity becomes the largest number there is.
      let largest = Self.values(spec.format).filter(\.isFinite).max() ?? 0
      #expect(spoilt[3] == Double(largest * 65504))
      return
    }
    #expect(spoilt[3].isNaN)
    if spec.granularity != .tensor, spec.scaleFormat != .e4m3 {
      #expect(spoilt[40...].allSatisfy { $0 > 0.4 && $0 < 1.1 })
    } else {
      #expect(spoilt.allSatisfy { $0.isNaN })
    }
  }

  @Test(
    "Kernel operators give what their parts give",
    arguments: specs.filter {
      $0.granularity == .group(16) || $0.granularity == .row
    })
  func kernelsEqualTheirParts(spec: QuantizationSpec) throws {
    let weight = random([6, 72], seed: 1)
    let parameters = try run(QuantizationParameters(spec: spec), [weight], .single)
    let stored = try run(Quantize(spec: spec), [weight] + parameters, .single) + parameters
    let x = random([3, 72], seed: 2)
    let values = try run(Dequantize(spec: spec), stored, .single)[0]
    let whole = try run(DequantizingLinear(weights: spec, bias: false), [x] + stored, .single)[0]
    #expect(whole.values == (try run(Linear(), [x, values], .single)[0].values))
    let rows = try run(DequantizingEmbedding(weights: spec), [ids([5, 0])] + stored, .single)[0]
    #expect(rows.values == (try run(Embedding(), [ids([5, 0]), values], .single)[0].values))
  }

  @Test("Integer products multiply levels", arguments: [TableFormat.fp4, .nf4Int8, .log2])
  func levels(format: TableFormat) throws {
    let spec = QuantizationSpec(.table(format), .group(16), scaleFormat: .e8m0)
    let weight = random([5, 72], seed: 1)
    let parameters = try run(QuantizationParameters(spec: spec), [weight], .single)
    let stored = try run(Quantize(spec: spec), [weight] + parameters, .single) + parameters
    let activations = QuantizationSpec(.integer(bits: 8), .row)
    let x = random([3, 72], seed: 2)
    let xParameters = try run(QuantizationParameters(spec: activations), [x], .single)
    let xStored = try run(Quantize(spec: activations), [x] + xParameters, .single) + xParameters
    let op = IntegerLinear(weights: spec, activations: activations, bias: false)
    let product = try run(op, xStored + stored, .single)[0].values
    // The definition: values times values, in double precision.
    let exact = try run(op, xStored + stored, .double)[0].values
    let scale = exact.map(abs).max() ?? 0
    #expect(scale > 0.1)
    for (a, b) in zip(product, exact) { #expect(abs(a - b) <= 1e-6 * scale) }
  }

  @Test("Tables without levels are no integers to multiply, and tables have no zero points")
  func refusals() throws {
    let table = QuantizationSpec(.table(.nf4), .row)
    let integer = QuantizationSpec(.integer(bits: 8), .row)
    let codes = TensorType(.i8, [4, 32])
    let scale = TensorType(.f32, [4, 1])
    for (weights, activations) in [(table, integer), (integer, table)] {
      #expect(throws: OperatorError.self) {
        try IntegerLinear(weights: weights, activations: activations, bias: false)
          .resultTypes([codes, scale, codes, scale])
      }
    }
    #expect(throws: OperatorError.self) {
      try QuantizationParameters(spec: QuantizationSpec(.table(.fp4), .row, isSymmetric: false))
        .resultTypes([TensorType(.f32, [4, 32])])
    }
  }

  @Test("Attributes read back", arguments: specs)
  func attributes(spec: QuantizationSpec) throws {
    var graph = Graph(name: "formats")
    let x = try graph.add(Generated(shape: [4, 32], values: .iota))
    graph.addOutput("scale", try graph.add(QuantizationParameters(spec: spec), x)[0])
    graph.stage = .quantized
    let text = graph.text
    #expect(try GraphParser.parse(text, file: "t.irc", registry: .standard) == graph)
  }
}
