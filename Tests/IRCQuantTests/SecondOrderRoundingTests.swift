import IRCQuant
import IRCSupport
import IRCTensor
import Testing

@Suite("Rounding by second moments")
struct SecondOrderRoundingTests {
  /// Weights [out, in] and inputs whose channels are related and differ in size; channel `dead` is always zero.
  struct Layer {
    let weights: [[Float]]
    let inputs: [[Float]]

    init(outputs: Int, width: Int, tokens: Int, seed: UInt64, dead: Int? = nil) {
      let numbers = RandomNumbers(seed: seed)
      var next = 0
      func draw() -> Double {
        next += 1
        return numbers.normal(next)
      }
      weights = (0..<outputs).map { _ in (0..<width).map { _ in Float(draw()) } }
      inputs = (0..<tokens).map { _ in
        let shared = draw()
        return (0..<width).map { channel in
          if channel == dead { return 0 }
          return Float((draw() + shared) * (channel % 7 == 3 ? 5 : 1))
        }
      }
    }

    var weightTensor: Tensor { Tensor([weights.count, weights[0].count], weights.flatMap { $0 }) }
    var inputTensor: Tensor { Tensor([inputs.count, inputs[0].count], inputs.flatMap { $0 }) }
  }

  private func codes(_ rounded: RoundedWeights) -> [[Int]] {
    let flat = rounded.codes.array(of: Int8.self).map(Int.init)
    let width = rounded.codes.columns
    return stride(from: 0, to: flat.count, by: width).map { Array(flat[$0..<$0 + width]) }
  }

  static let grids: [(Granularity, Bool)] = [
    (.tensor, true), (.tensor, false), (.row, true), (.row, false), (.group(16), true),
    (.group(16), false),
  ]

  @Test(
    "Every code is that of the reference in double precision", arguments: [2, 3, 4, 8],
    [false, true])
  func equalsReference(bits: Int, ordered: Bool) throws {
    for (granularity, isSymmetric) in Self.grids {
      for scale in [ScaleFormat.f32, .f16] {
        let spec = QuantizationSpec(
          .integer(bits: bits), granularity, isSymmetric: isSymmetric, scaleFormat: scale)
        let layer = Layer(outputs: 12, width: 40, tokens: 160, seed: UInt64(bits), dead: 5)
        let factor = try #require(
          try InverseCholesky(
            of: SecondMoment(of: [layer.inputTensor]), damping: 0.01, ordered: ordered))
        #expect(factor.damping == 0.01 && factor.deadChannels == [5])
        let rounded = try SecondOrderRounding(spec, factor).round(layer.weightTensor)
        let reference = SecondOrderReference(
          spec, rows: layer.inputs.map { $0.map(Double.init) }, damping: 0.01, ordered: ordered)
        let actual = codes(rounded)
        let expected = reference.round(layer.weights.map { $0.map(Double.init) }, ties: actual)
        #expect(actual == expected, "\(spec)")
        #expect(rounded.zeros == nil || !isSymmetric)
        #expect(rounded.scales.shape[0] == (granularity == .tensor ? 1 : 12))
      }
    }
  }

  @Test(
    "Tables of values and scales of one byte are rounded with less error than to nearest",
    arguments: [
      QuantizationSpec(.table(.fp4), .group(32), scaleFormat: .e8m0),
      QuantizationSpec(.table(.fp4), .group(16), scaleFormat: .e4m3),
      QuantizationSpec(.table(.nf4), .group(32), scaleFormat: .f16),
      QuantizationSpec(.integer(bits: 4), .group(16), scaleFormat: .e4m3),
    ])
  func tables(spec: QuantizationSpec) throws {
    let layer = Layer(outputs: 24, width: 64, tokens: 400, seed: 17)
    let moment = try SecondMoment(of: [layer.inputTensor])
    let factor = try #require(try InverseCholesky(of: moment, damping: 0.01, ordered: false))
    let weights = layer.weightTensor
    let rounded = try SecondOrderRounding(spec, factor).round(weights)
    let energy = OutputEnergy(moment: secondMoment(layer))
    let error = try energy.of(rounded.values.subtracting(weights))
    let nearest = try energy.of(spec.nearestValues(of: weights).subtracting(weights))
    #expect(error < 0.9 * nearest, "\(error) against \(nearest)")
    // Scales are numbers of their format.
    let scales = rounded.scales.array(of: Float.self)
    #expect(scales.allSatisfy { $0 > 0 && $0.isFinite })
    switch spec.scaleFormat {
    case .e8m0: #expect(scales.allSatisfy { $0.significand == 1 })
    case .e4m3:
      // Each is the tensor's number times an E4M3: at most three bits behind the first.
      let whole = try spec.tensorScale(
        absoluteMaximum: #require(layer.weights.joined().map(abs).max()))
      #expect(whole > 0)
      for scale in scales {
        let number = scale / whole
        let steps = number.significand * 8
        #expect(abs(steps - steps.rounded()) < 1e-4 && number <= 448, "\(number)")
      }
    default: break
    }
  }

  private func secondMoment(_ layer: Layer) -> Tensor {
    let n = layer.inputs[0].count
    var sums = [Double](repeating: 0, count: n * n)
    for row in layer.inputs {
      for i in 0..<n { for j in 0..<n { sums[i * n + j] += Double(row[i]) * Double(row[j]) } }
    }
    return Tensor([n, n], sums.map { $0 / Double(layer.inputs.count) })
  }

  @Test(
    "Blocks of columns, groups that lie across them and runs of output channels change no code",
    arguments: [Granularity.row, .group(32), .group(48), .group(160), .group(200)])
  func blocks(granularity: Granularity) throws {
    let spec = QuantizationSpec(.integer(bits: 3), granularity, isSymmetric: false)
    let layer = Layer(outputs: 270, width: 300, tokens: 900, seed: 3)
    let factor = try #require(
      try InverseCholesky(of: SecondMoment(of: [layer.inputTensor]), damping: 0.01, ordered: false))
    let rounded = try SecondOrderRounding(spec, factor).round(layer.weightTensor)
    let reference = SecondOrderReference(
      spec, rows: layer.inputs.map { $0.map(Double.init) }, damping: 0.01, ordered: false)
    // Rows do not depend on each other: a few near both ends of the runs are enough.
    let chosen = [0, 1, 255, 256, 269]
    let all = codes(rounded)
    let actual = chosen.map { all[$0] }
    let expected = reference.round(
      chosen.map { layer.weights[$0].map(Double.init) }, ties: actual)
    #expect(actual == expected)
  }

  @Test("Tokens that weigh more count more, as in the reference")
  func weighed() throws {
    let spec = QuantizationSpec(.integer(bits: 3), .group(16))
    let layer = Layer(outputs: 12, width: 40, tokens: 160, seed: 9)
    let weights = (0..<160).map { Float($0 % 5) / 4 + 0.005 }
    let half = layer.inputTensor
    let moment = try SecondMoment(
      of: [half.slice(rows: 0..<70), half.slice(rows: 70..<160)],
      weights: [Array(weights[..<70]), Array(weights[70...])])
    let factor = try #require(
      try InverseCholesky(of: moment, damping: 0.01, ordered: false))
    let rounded = try SecondOrderRounding(spec, factor).round(layer.weightTensor)
    let reference = SecondOrderReference(
      spec, rows: layer.inputs.map { $0.map(Double.init) }, weights: weights.map(Double.init),
      damping: 0.01, ordered: false)
    let actual = codes(rounded)
    #expect(
      actual == reference.round(layer.weights.map { $0.map(Double.init) }, ties: actual))
  }

  @Test("The error that is reported is that of the outputs, and less than rounding to nearest has")
  func reducesError() throws {
    for bits in [2, 3, 4] {
      let spec = QuantizationSpec(.integer(bits: bits), .row)
      let layer = Layer(outputs: 32, width: 64, tokens: 400, seed: 11)
      let moment = try SecondMoment(of: [layer.inputTensor])
      let factor = try #require(
        try InverseCholesky(of: moment, damping: 0.0001, ordered: false))
      let rounded = try SecondOrderRounding(spec, factor).round(layer.weightTensor)
      let nearest = try spec.nearestValues(of: layer.weightTensor)
      func error(_ values: Tensor) -> Double {
        let q = values.array(of: Float.self)
        var sum = 0.0
        for x in layer.inputs {
          for out in 0..<32 {
            var difference = 0.0
            for i in 0..<64 {
              difference += Double(x[i]) * Double(layer.weights[out][i] - q[out * 64 + i])
            }
            sum += difference * difference
          }
        }
        return sum / Double(layer.inputs.count)
      }
      let (after, before) = (error(rounded.values), error(nearest))
      #expect(after < before * 0.6, "\(bits): \(before) to \(after)")
      #expect(abs(rounded.error - after) < 0.01 * after)
      let inputs = layer.inputs
      let moment64 = (0..<64).flatMap { i in
        (0..<64).map { j in
          inputs.reduce(0.0) { $0 + Double($1[i]) * Double($1[j]) } / Double(inputs.count)
        }
      }
      let energy = try OutputEnergy(moment: Tensor([64, 64], moment64))
        .of(layer.weightTensor.subtracting(nearest))
      #expect(abs(energy - before) < 1e-4 * before)
    }
  }

  @Test("Results do not depend on the number of threads")
  func threads() throws {
    defer { Parallel.setThreads(nil) }
    let layer = Layer(outputs: 600, width: 260, tokens: 700, seed: 5)
    let spec = QuantizationSpec(.integer(bits: 3), .group(32), isSymmetric: false)
    func bytes() throws -> [[UInt8]] {
      let moment = try SecondMoment(of: [layer.inputTensor])
      let factor = try #require(
        try InverseCholesky(of: moment, damping: 0.01, ordered: true))
      let rounded = try SecondOrderRounding(spec, factor, .search(norm: 2.4))
        .round(layer.weightTensor)
      return [factor.upper, rounded.codes, rounded.scales, rounded.zeros ?? rounded.codes]
        .map { $0.withBytes { Array($0) } }
    }
    Parallel.setThreads(1)
    let one = try bytes()
    Parallel.setThreads(3)
    #expect(try bytes() == one)
  }

  @Test("A matrix that is not positive gets more damping, and is refused if that does not help")
  func damping() throws {
    func factor(_ elements: [Double]) throws -> InverseCholesky? {
      try InverseCholesky(
        of: SecondMoment(matrix: Tensor([2, 2], elements), rows: 2), damping: 0.01, ordered: false)
    }
    #expect(try factor([1, 1.05, 1.05, 1])?.damping == 0.1)
    #expect(try factor([1, 3, 3, 1]) == nil)
    #expect(try factor([0, 0, 0, 0]) == nil)
    #expect(try factor([.infinity, 0, 0, 1]) == nil)
  }
}
