import CKernels
import IRCGraph
import IRCOps
import IRCQuant
import IRCTensor
import Testing

@Suite struct QuantizationTests {
  static let specs: [QuantizationSpec] = [8, 7, 5, 4, 3, 2].flatMap { bits in
    [Granularity.tensor, .row, .group(1), .group(32), .group(100)].flatMap { granularity in
      [true, false].flatMap { symmetric in
        [ScaleFormat.f32, .f16].map {
          QuantizationSpec(
            .integer(bits: bits), granularity, isSymmetric: symmetric, scaleFormat: $0)
        }
      }
    }
  }

  /// The contract written out for one group.
  static func encode(
    _ x: [Float], _ spec: QuantizationSpec
  ) -> (scale: Float, zero: Int, codes: [Int]) {
    let bits = spec.format.bits
    let half = 1 << (bits - 1)
    var scale: Float
    if spec.isSymmetric {
      let largest = x.reduce(0) { max($0, abs($1)) }
      scale = bits == 8 ? largest / 127 : largest / (Float(half) - 0.5)
    } else {
      scale = ((x.max() ?? 0) - 0 < 0 ? 0 : max(0, x.max() ?? 0)) - min(0, x.min() ?? 0)
      scale /= Float((1 << bits) - 1)
    }
    if spec.scaleFormat == .f16 { scale = Float(Float16(scale)) }
    let low = spec.isSymmetric && bits == 8 ? -127 : -half
    func code(_ value: Float) -> Int {
      Int(min(max(value.rounded(.toNearestOrEven), -1e6), 1e6))
    }
    var zero = 0
    if !spec.isSymmetric {
      zero = min(max(code(Float(-half) - min(0, x.min() ?? 0) / scale), -half), half - 1)
    }
    let codes = x.map { min(max(code($0 * (1 / scale)) + zero, low), half - 1) }
    return (scale, zero, codes)
  }

  @Test(arguments: specs.indices)
  func followsTheContract(index: Int) throws {
    let spec = Self.specs[index]
    let (rows, columns) = (3, 72)
    let x = random([rows, columns], seed: 4, scale: 0.3)
    let floats = x.converted(to: Float.self).array(of: Float.self)
    var groups: [Range<Int>] = []
    switch spec.granularity {
    case .tensor: groups = [0..<rows * columns]
    case .row: groups = (0..<rows).map { $0 * columns..<($0 + 1) * columns }
    case .group(let size):
      for row in 0..<rows {
        for start in stride(from: 0, to: columns, by: size) {
          groups.append(row * columns + start..<row * columns + min(columns, start + size))
        }
      }
    }
    let expected = groups.map { Self.encode(Array(floats[$0]), spec) }
    for precision in [Precision.single, .double] {
      let parameters = try run(QuantizationParameters(spec: spec), [x], precision)
      #expect(parameters[0].values == expected.map { Double($0.scale) })
      if !spec.isSymmetric {
        #expect(parameters[1].array(of: Int8.self).map(Int.init) == expected.map(\.zero))
      }
      let codes = try run(Quantize(spec: spec), [x] + parameters, precision)[0]
      #expect(codes.array(of: Int8.self).map(Int.init) == expected.flatMap(\.codes))
      let values = try run(Dequantize(spec: spec), [codes] + parameters, precision)[0].values
      var position = 0
      for group in expected {
        for code in group.codes {
          #expect(values[position] == Double(Float(code - group.zero) * group.scale))
          position += 1
        }
      }
    }
  }

  /// The error of a value inside the range is at most half a step.
  @Test(arguments: specs.indices)
  func errorIsBounded(index: Int) throws {
    let spec = Self.specs[index]
    let x = random([5, 33], seed: 9, scale: 2)
    let parameters = try run(QuantizationParameters(spec: spec), [x])
    let codes = try run(Quantize(spec: spec), [x] + parameters)[0]
    let values = try run(Dequantize(spec: spec), [codes] + parameters)[0].values
    let largestScale = parameters[0].values.max() ?? 0
    for (before, after) in zip(x.values, values) {
      // A rounded zero point moves the ends by half a step; a half-precision scale by 2^-11 of the range.
      #expect(abs(before - after) <= largestScale * (spec.isSymmetric ? 0.57 : 1.07))
    }
  }

  @Test func oneScaleForEveryRow() throws {
    let spec = QuantizationSpec(.integer(bits: 8), .row)
    let x = real([2, 3], [0.1, 0.26, -0.5, 10, -10, 0.05])
    let codes = try run(Quantize(spec: spec), [x, real([1, 1], [0.1])])[0]
    #expect(codes.array(of: Int8.self) == [1, 3, -5, 100, -100, 0])
    #expect(
      try run(Dequantize(spec: spec), [codes, real([1, 1], [0.5])])[0].values
        == [0.5, 1.5, -2.5, 50, -50, 0])
  }

  @Test func groupsOfZerosAreZero() throws {
    for spec in Self.specs {
      let zeros = Tensor(zeros: [2, 40], .f64)
      let parameters = try run(QuantizationParameters(spec: spec), [zeros])
      let codes = try run(Quantize(spec: spec), [zeros] + parameters)[0]
      let values = try run(Dequantize(spec: spec), [codes] + parameters)[0]
      #expect(values.values.allSatisfy { $0 == 0 })
    }
  }
}

@Suite struct KernelOperatorTests {
  static let weights = QuantizationTests.specs.filter { $0.granularity != .group(1) }

  private func quantized(_ x: Tensor, _ spec: QuantizationSpec) throws -> [Tensor] {
    let parameters = try run(QuantizationParameters(spec: spec), [x], .single)
    return try run(Quantize(spec: spec), [x] + parameters, .single) + parameters
  }

  @Test(arguments: weights.indices)
  func dequantizingEqualsItsParts(index: Int) throws {
    let spec = Self.weights[index]
    let w = try quantized(random([6, 72], seed: 1), spec)
    let (x, bias) = (random([3, 72], seed: 2), random([6], seed: 3))
    for precision in [Precision.single, .double] {
      let values = try run(Dequantize(spec: spec), w, precision)[0]
      let parts = try run(Linear(), [x, values, bias], precision)[0]
      let whole = try run(
        DequantizingLinear(weights: spec, bias: true), [x] + w + [bias], precision)[0]
      #expect(whole.values == parts.values)
      let plain = try run(DequantizingLinear(weights: spec, bias: false), [x] + w, precision)[0]
      #expect(plain.values == (try run(Linear(), [x, values], precision)[0].values))
      let tokens = ids([5, 0, 0, 3])
      let rows = try run(DequantizingEmbedding(weights: spec), [tokens] + w, precision)[0]
      #expect(rows.values == (try run(Embedding(), [tokens, values], precision)[0].values))
    }
    #expect(throws: OperatorError.self) {
      try run(DequantizingEmbedding(weights: spec), [ids([6])] + w)
    }
  }

  /// The sums by integers and the float steps one by one, in the documented order.
  @Test(arguments: weights.indices, [(1, 72), (3, 72), (2, 1300)])
  func integerProductIsExact(index: Int, size: (tokens: Int, inputs: Int)) throws {
    let spec = Self.weights[index]
    let (tokens, inputs) = size
    let outputs = 5
    let w = try quantized(random([outputs, inputs], seed: 1), spec)
    let bias = random([outputs], seed: 3)
    for activations in [
      QuantizationSpec(.integer(bits: 8), .row), QuantizationSpec(.integer(bits: 8), .tensor),
      QuantizationSpec(.integer(bits: 4), .row, isSymmetric: false),
    ] {
      let x = try quantized(random([tokens, inputs], seed: 2), activations)
      let op = IntegerLinear(weights: spec, activations: activations, bias: true)
      let result = try run(op, x + w + [bias], .single)[0].array(of: Float.self)
      let (codes, wCodes) = (x[0].array(of: Int8.self), w[0].array(of: Int8.self))
      let (xScale, wScale) = (x[1].array(of: Float.self), w[1].array(of: Float.self))
      let xZero = activations.isSymmetric ? [0] : x[2].array(of: Int8.self)
      let wZero = spec.isSymmetric ? [0] : w[2].array(of: Int8.self)
      var group = inputs
      if case .group(let length) = spec.granularity { group = min(length, inputs) }
      let groups = spec.granularity == .tensor ? 1 : w[1].columns
      for token in 0..<tokens {
        for output in 0..<outputs {
          var sum: Float = 0
          for g in 0..<groups {
            let place = spec.granularity == .tensor ? 0 : output * groups + g
            var exact: Int32 = 0
            for i in g * group..<min(inputs, (g + 1) * group) {
              let wz = Int32(wZero.count == 1 ? wZero[0] : wZero[place])
              let xz = Int32(xZero.count == 1 ? xZero[0] : xZero[token])
              exact +=
                (Int32(wCodes[output * inputs + i]) - wz) * (Int32(codes[token * inputs + i]) - xz)
            }
            sum = sum + Float(exact) * wScale[place]
          }
          let value = sum * xScale[xScale.count == 1 ? 0 : token]
          let expected = value + bias.converted(to: Float.self).array(of: Float.self)[output]
          #expect(result[token * outputs + output] == expected)
        }
      }
      // The simulation before lowering differs by rounding only.
      let values = try run(Dequantize(spec: spec), w, .double)[0]
      let inputs = try run(Dequantize(spec: activations), x, .double)[0]
      expectEqual(
        real([tokens, outputs], result.map(Double.init)),
        try run(Linear(), [inputs, values, bias])[0], tolerance: 1e-5)
    }
  }

  /// What a compiled model computes from packed weights, bit for bit.
  @Test(arguments: weights.indices)
  func integerProductEqualsTheKernel(index: Int) throws {
    let spec = Self.weights[index]
    guard spec.granularity != .group(100), spec.granularity != .tensor else { return }
    let (tokens, inputs, outputs) = (3, 172, 7)
    let w = try quantized(random([outputs, inputs], seed: 1), spec)
    let bias = random([outputs], seed: 3).converted(to: .single)
    let activations = QuantizationSpec(
      .integer(bits: 8), .row, isSymmetric: index.isMultiple(of: 2))
    let x = try quantized(random([tokens, inputs], seed: 2), activations)
    let op = IntegerLinear(weights: spec, activations: activations, bias: true)
    let result = try run(op, x + w + [bias], .single)[0].array(of: Float.self)

    let bits = UInt32(spec.format.bits)
    var packed = [UInt8](repeating: 0, count: outputs * irc_packed_row_bytes(inputs, bits))
    irc_pack_rows(&packed, w[0].array(of: Int8.self), inputs, outputs, inputs, bits)
    let padded = irc_padded(inputs)
    var codes = [Int8](repeating: 0, count: tokens * padded)
    for token in 0..<tokens {
      for (column, code) in x[0].slice(rows: token..<token + 1).array(of: Int8.self).enumerated() {
        codes[token * padded + column] = code
      }
    }
    var group = inputs
    if case .group(let length) = spec.granularity { group = length }
    let zeros = spec.isSymmetric ? nil : w[2].array(of: Int8.self)
    let xZeros = activations.isSymmetric ? nil : x[2].array(of: Int8.self).map(Int32.init)
    var y = [Float](repeating: 0, count: tokens * outputs)
    var scratch = [Float](repeating: 0, count: irc_linear_scratch_bytes(inputs) / 4)
    packed.withUnsafeBytes { packed in
      w[1].withElements(as: Float.self) { scales in
        func call(_ zeros: UnsafePointer<Int8>?, _ xZeros: UnsafePointer<Int32>?) {
          var weights = irc_packed_weights(
            codes: packed.baseAddress, scales: scales.baseAddress, zeros: zeros, bits: bits,
            scale_type: IRC_SCALE_F32, out: outputs, in: inputs, group: group,
            groups: w[1].columns, row_bytes: irc_packed_row_bytes(inputs, bits), values: nil,
            tensor_scale: nil, kind: IRC_CODES_SCALED,
            layout: IRC_LAYOUT_ROWS, levels: nil, level_step: 0)
          irc_linear_q_i8(
            &y, outputs, codes, padded, x[1].array(of: Float.self), xZeros, 1, &weights,
            bias.array(of: Float.self), tokens, &scratch)
        }
        switch (zeros, xZeros) {
        case (nil, nil): call(nil, nil)
        case (let zeros?, nil): zeros.withUnsafeBufferPointer { call($0.baseAddress, nil) }
        case (nil, let others?): others.withUnsafeBufferPointer { call(nil, $0.baseAddress) }
        case (let zeros?, let others?):
          zeros.withUnsafeBufferPointer { zeros in
            others.withUnsafeBufferPointer { call(zeros.baseAddress, $0.baseAddress) }
          }
        }
      }
    }
    #expect(result == y)
  }
}
