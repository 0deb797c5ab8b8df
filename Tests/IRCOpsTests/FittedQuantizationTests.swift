import IRCGraph
import IRCOps
import IRCQuant
import IRCTensor
import Testing

/// Formats whose values are an operand, as operators of the graph.
@Suite struct FittedQuantizationTests {
  static let specs: [QuantizationSpec] =
    [(.codebook(bits: 2), true), (.codebook(bits: 4), true), (.codebook(bits: 6), true)].flatMap(
      all)
    + [(.binary(bits: 2), true), (.binary(bits: 3), false), (.binary(bits: 4), true)].flatMap(all)

  private static func all(_ format: NumericFormat, _ isSymmetric: Bool) -> [QuantizationSpec] {
    [Granularity.tensor, .row, .group(1), .group(16), .group(100)].flatMap { granularity in
      [ScaleFormat.f32, .f16].map {
        QuantizationSpec(format, granularity, isSymmetric: isSymmetric, scaleFormat: $0)
      }
    }
  }

  /// What the codes of a group stand for.
  private static func values(_ numbers: ArraySlice<Double>, _ spec: QuantizationSpec) -> [Float] {
    let numbers = numbers.map(Float.init)
    guard case .binary(let bits) = spec.format else { return numbers }
    return (0..<1 << bits).map { code in
      (0..<bits).reduce(spec.isSymmetric ? 0 : numbers[bits]) {
        $0 + (code >> $1 & 1 == 1 ? numbers[$1] : -numbers[$1])
      }
    }
  }

  @Test("Every number becomes the nearest value of its group", arguments: specs)
  func nearest(spec: QuantizationSpec) throws {
    let (rows, columns) = (5, 33)
    let x = random([rows, columns], seed: 9, scale: 2).converted(to: .single)
    let numbers = try run(QuantizationParameters(spec: spec), [x], .single)
    let codes = try run(Quantize(spec: spec), [x] + numbers, .single)
    let rounded = try run(Dequantize(spec: spec), codes + numbers, .single)[0].values
    let groups = spec.granularity == .tensor ? 0 : spec.granularity.scales(inRowOf: columns)
    let width = spec.granularity.groupWidth(of: columns)
    let all = numbers[0].values
    for (index, (before, after)) in zip(x.values, rounded).enumerated() {
      let group = index / columns * groups + (groups == 0 ? 0 : index % columns / width)
      let count = spec.numbersPerGroup
      let values = Self.values(all[group * count..<(group + 1) * count], spec)
      let code = Int(codes[0].array(of: Int8.self)[index]) & (1 << spec.format.bits - 1)
      #expect(after == Double(values[code]))
      let distance = values.map { abs(Double($0) - before) }.min() ?? 0
      #expect(abs(after - before) <= distance + 1e-6)
    }
  }

  @Test("Every code is decoded to its value, and encoded from it", arguments: specs)
  func everyCode(spec: QuantizationSpec) throws {
    let count = 1 << spec.format.bits
    let groups = spec.granularity == .tensor ? 1 : spec.granularity.scales(inRowOf: count)
    // Powers of two, so that all sums differ and are exact.
    let one: [Double] =
      switch spec.format {
      case .binary(let bits): (0..<spec.numbersPerGroup).map { $0 == bits ? 100 : Double(1 << $0) }
      default: (0..<count).map { Double(($0 * 7) % count) - 3.5 }
      }
    let shape = [1, groups * one.count]
    let numbers = real(shape, (0..<groups).flatMap { _ in one })
    let codes = Tensor(
      [1, count], (0..<count).map { Int8($0 < count / 2 ? $0 : $0 - count) })
    let values = try run(Dequantize(spec: spec), [codes, numbers], .single)[0]
    #expect(values.values == Self.values(one[...], spec).map(Double.init))
    let back = try run(Quantize(spec: spec), [values, numbers], .single)[0]
    #expect(back.array(of: Int8.self) == codes.array(of: Int8.self))
  }

  @Test("One table serves a whole matrix, whatever the granularity", arguments: specs)
  func oneTable(spec: QuantizationSpec) throws {
    let x = random([4, 20], seed: 3)
    let single = QuantizationSpec(
      spec.format, .tensor, isSymmetric: spec.isSymmetric, scaleFormat: spec.scaleFormat)
    let numbers = try run(QuantizationParameters(spec: single), [x], .single)
    let a = try run(Quantize(spec: single), [x] + numbers, .single)
    let b = try run(Quantize(spec: spec), [x] + numbers, .single)
    #expect(a[0].array(of: Int8.self) == b[0].array(of: Int8.self))
    #expect(
      try run(Dequantize(spec: single), a + numbers, .single)[0].values
        == run(Dequantize(spec: spec), b + numbers, .single)[0].values)
  }

  @Test(
    "Zeros stay zero, NaN becomes what is nearest to zero, an infinity spoils its group only",
    arguments: specs)
  func specialGroups(spec: QuantizationSpec) throws {
    func roundTrip(_ x: [Double]) throws -> [Double] {
      let x = Tensor([2, 40], x)
      let numbers = try run(QuantizationParameters(spec: spec), [x], .single)
      let codes = try run(Quantize(spec: spec), [x] + numbers, .single)
      return try run(Dequantize(spec: spec), codes + numbers, .single)[0].values
    }
    #expect(try roundTrip([Double](repeating: 0, count: 80)).allSatisfy { $0 == 0 })
    let tiny = try roundTrip([Double](repeating: 0x1p-149, count: 80))
    #expect(tiny.allSatisfy { abs($0) <= 0x1p-126 })
    var numbers = [Double](repeating: 0.75, count: 80)
    numbers[3] = .nan
    let values = try roundTrip(numbers)
    #expect(values[4...].allSatisfy { $0 == 0.75 } && values[3].isFinite)
    numbers[3] = .infinity
    let spoilt = try roundTrip(numbers)
    #expect(spoilt[3].isNaN)
    if spec.granularity != .tensor { #expect(spoilt[40...].allSatisfy { $0 == 0.75 }) }
  }

  @Test("Kernel operators give what their parts give", arguments: specs)
  func kernelsEqualTheirParts(spec: QuantizationSpec) throws {
    let weight = random([6, 72], seed: 1)
    let numbers = try run(QuantizationParameters(spec: spec), [weight], .single)
    let stored = try run(Quantize(spec: spec), [weight] + numbers, .single) + numbers
    let x = random([3, 72], seed: 2)
    let values = try run(Dequantize(spec: spec), stored, .single)[0]
    let whole = try run(DequantizingLinear(weights: spec, bias: false), [x] + stored, .single)[0]
    #expect(whole.values == (try run(Linear(), [x, values], .single)[0].values))
    let rows = try run(DequantizingEmbedding(weights: spec), [ids([5, 0])] + stored, .single)[0]
    #expect(rows.values == (try run(Embedding(), [ids([5, 0]), values], .single)[0].values))
  }

  @Test("Attributes read back", arguments: specs)
  func attributes(spec: QuantizationSpec) throws {
    var graph = Graph(name: "formats")
    let x = try graph.add(Generated(shape: [4, 32], values: .iota))
    let numbers = try graph.add(QuantizationParameters(spec: spec), x)
    let codes = try graph.add(Quantize(spec: spec), [x[0]] + numbers)
    graph.addOutput("y", try graph.add(Dequantize(spec: spec), codes + numbers)[0])
    graph.stage = .quantized
    #expect(try GraphParser.parse(graph.text, file: "t.irc", registry: .standard) == graph)
  }

  @Test("Tables of the wrong size, integer products and powers of two as values are refused")
  func refusals() throws {
    let spec = QuantizationSpec(.codebook(bits: 3), .row)
    let x = TensorType(.f32, [4, 32])
    for columns in [1, 7, 9, 16] {
      #expect(throws: OperatorError.self) {
        try Quantize(spec: spec).resultTypes([x, TensorType(.f32, [4, .fixed(columns)])])
      }
    }
    #expect(try Quantize(spec: spec).resultTypes([x, TensorType(.f32, [4, 8])]).count == 1)
    #expect(throws: OperatorError.self) {
      try QuantizationParameters(
        spec: QuantizationSpec(.binary(bits: 3), .row, scaleFormat: .e8m0)
      ).resultTypes([x])
    }
    let codes = TensorType(.i8, [4, 32])
    #expect(throws: OperatorError.self) {
      try IntegerLinear(
        weights: spec, activations: QuantizationSpec(.integer(bits: 8), .row), bias: false
      ).resultTypes([codes, TensorType(.f32, [4, 1]), codes, TensorType(.f32, [4, 8])])
    }
  }
}
