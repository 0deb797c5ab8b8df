import IRCQuant
import IRCSupport
import IRCTensor
import Testing

/// Values of codebooks and factors of binary codes, as they are fitted to numbers.
@Suite("Fitted values")
struct ValueFittingTests {
  static let codebooks: [NumericFormat] = (2...6).map { .codebook(bits: $0) }
  static let binary: [(bits: Int, isSymmetric: Bool)] = [2, 3, 4].flatMap { bits in
    [true, false].map { (bits, $0) }
  }

  private func normal(_ count: Int, seed: UInt64, scale: Double = 1) -> [Float] {
    let numbers = RandomNumbers(seed: seed)
    return (0..<count).map { Float(numbers.normal($0) * scale) }
  }

  /// The values that a row is fitted with, before any rounding of them.
  private func fit(
    _ x: [Float], _ format: NumericFormat, isSymmetric: Bool = true, importance: [Float]? = nil,
    scaleFormat: ScaleFormat = .f32
  ) throws -> [Float] {
    let spec = QuantizationSpec(format, .row, isSymmetric: isSymmetric, scaleFormat: scaleFormat)
    let set = try ScaleSet(
      fitting: Tensor([1, x.count], x), spec, .range, importance: importance)
    return set.scales.array(of: Float.self)
  }

  /// All sums of a binary code's factors.
  private func sums(_ numbers: [Float], bits: Int) -> [Float] {
    (0..<1 << bits).map { code in
      let offset = numbers.count > bits ? numbers[bits] : 0
      return (0..<bits).reduce(offset) { $0 + (code >> $1 & 1 == 1 ? numbers[$1] : -numbers[$1]) }
    }
  }

  /// The weighted sum of squared distances to the nearest value.
  private func error(_ x: [Float], _ values: [Float], _ importance: [Float]? = nil) -> Double {
    x.indices.reduce(0) { sum, index in
      let distance = values.map { abs(Double($0) - Double(x[index])) }.min() ?? 0
      return sum + Double(importance?[index] ?? 1) * distance * distance
    }
  }

  /// The least error of all ways to cut sorted numbers into `clusters`, by trying dynamic programming without its shortcuts.
  private func optimum(_ x: [Float], _ importance: [Float]?, clusters: Int) -> Double {
    let sorted = x.indices.sorted { x[$0] < x[$1] }
    let n = sorted.count
    func cost(_ range: Range<Int>) -> Double {
      var (weight, moment, square) = (0.0, 0.0, 0.0)
      for index in sorted[range] {
        let (w, value) = (Double(importance?[index] ?? 1), Double(x[index]))
        weight += w
        moment += w * value
        square += w * value * value
      }
      return max(0, square - moment * moment / weight)
    }
    var best = (0...n).map { cost(0..<$0) }
    for _ in 1..<clusters {
      best = (0...n).map { end in
        (0...end).map { best[$0] + (end > $0 ? cost($0..<end) : 0) }.min()!
      }
    }
    return best[n]
  }

  @Test("A codebook of few numbers is the optimum, weighted or not", arguments: [2, 3])
  func isOptimal(bits: Int) throws {
    for seed in UInt64(1)...12 {
      let x = normal(29, seed: seed)
      let importance = normal(29, seed: seed + 100).map { $0 * $0 + 0.01 }
      for weights in [nil, importance] {
        let values = try fit(x, .codebook(bits: bits), importance: weights)
        let best = optimum(x, weights, clusters: 1 << bits)
        #expect(abs(error(x, values, weights) - best) <= 1e-5 * best)
        #expect(values == values.sorted())
      }
    }
  }

  @Test("A codebook of many numbers is as good as the theory of normal numbers allows")
  func reachesLloydMax() throws {
    // Lloyd-Max quantizers of the normal distribution, mean square errors.
    for (bits, expected) in [(2, 0.11748), (3, 0.03454), (4, 0.009497)] {
      for count in [3000, 70000] {
        let x = normal(count, seed: 5)
        let power = x.reduce(0) { $0 + Double($1) * Double($1) }
        let values = try fit(x, .codebook(bits: bits))
        let ratio = error(x, values) / power
        #expect(ratio > 0.9 * expected && ratio < 1.04 * expected, "\(bits) bits of \(count)")
      }
    }
  }

  @Test("Runs of neighbours cost next to nothing against the optimum", arguments: [2, 3])
  func runsAreGood(bits: Int) throws {
    let x = normal(700, seed: 8).map { $0 * $0 * $0 }
    let best = optimum(x, nil, clusters: 1 << bits)
    #expect(try error(x, fit(x, .codebook(bits: bits))) <= 1.002 * best)
  }

  @Test("As many values as different numbers are these numbers", arguments: codebooks)
  func listsFewNumbers(format: NumericFormat) throws {
    let values: [Float] = [-2.5, 0.125, 7]
    let fitted = try fit(values + values + [0.125], format)
    #expect(fitted.count == 1 << format.bits)
    #expect(Array(fitted.prefix(3)) == values && fitted.dropFirst(3).allSatisfy { $0 == 7 })
  }

  @Test("Errors stay below those of an even grid over the range", arguments: codebooks)
  func codebookBound(format: NumericFormat) throws {
    for n in [1, 2, 3, 5, 7, 8, 31, 32, 33, 172, 600] {
      let x = normal(n, seed: UInt64(n), scale: 3)
      let values = try fit(x, format, scaleFormat: .f16)
      let width = Double((x.max() ?? 0) - (x.min() ?? 0))
      // Half a step of the grid, and what rounding to eleven bits adds.
      let bound = width / Double(2 << format.bits) + 10 * 0x1p-11
      #expect(error(x, values) <= Double(n) * bound * bound, "\(n)")
    }
  }

  @Test("Factors are at least as good as an even grid over the range", arguments: binary)
  func binaryBound(bits: Int, isSymmetric: Bool) throws {
    for n in [1, 2, 3, 5, 7, 8, 31, 32, 33, 172, 600] {
      let x = normal(n, seed: UInt64(n), scale: 3).map { $0 + (isSymmetric ? 0 : 4) }
      let numbers = try fit(x, .binary(bits: bits), isSymmetric: isSymmetric, scaleFormat: .f16)
      #expect(numbers.count == (isSymmetric ? bits : bits + 1))
      #expect(numbers.prefix(bits).allSatisfy { $0 >= 0 })
      #expect(Array(numbers.prefix(bits)) == numbers.prefix(bits).sorted())
      let (low, high) = (Double(x.min() ?? 0), Double(x.max() ?? 0))
      let width = isSymmetric ? 2 * max(-low, high) : high - low
      let bound = width / Double(2 << bits) + 20 * 0x1p-11
      #expect(error(x, sums(numbers, bits: bits)) <= Double(n) * bound * bound, "\(n)")
    }
  }

  @Test("Two factors come near the best of all assignments of few numbers")
  func binaryAgainstAllAssignments() throws {
    var found = 0
    for seed in UInt64(1)...20 {
      let x = normal(6, seed: seed)
      let ours = try error(x, sums(fit(x, .binary(bits: 2)), bits: 2))
      var best = Double.infinity
      for assignment in 0..<1 << 12 {
        // Least squares of two factors under given signs.
        var (aa, ab, ya, yb) = (0.0, 0.0, 0.0, 0.0)
        for (index, value) in x.enumerated() {
          let a: Double = assignment >> (2 * index) & 1 == 1 ? 1 : -1
          let b: Double = assignment >> (2 * index + 1) & 1 == 1 ? 1 : -1
          aa += 1
          ab += a * b
          ya += a * Double(value)
          yb += b * Double(value)
        }
        let determinant = aa * aa - ab * ab
        if determinant < 1e-9 { continue }
        let factors = [(ya * aa - yb * ab) / determinant, (yb * aa - ya * ab) / determinant]
        best = min(best, error(x, sums(factors.map(Float.init), bits: 2)))
      }
      #expect(ours >= best * (1 - 1e-5) - 1e-9)
      if ours <= best * 1.001 + 1e-9 { found += 1 }
    }
    // Least squares and nearest sums in turn end where neither helps, which need not be the best.
    #expect(found >= 10, "\(found) of 20")
  }

  @Test("Factors reach the errors that LUT-GEMM's alternation has on normal numbers")
  func binaryOnNormalNumbers() throws {
    // Groups of 128 normal numbers: .113, .035 and .011 with 2, 3 and 4 bits.
    for (bits, expected) in [(2, 0.113), (3, 0.036), (4, 0.0125)] {
      let x = normal(128 * 50, seed: 3)
      let spec = QuantizationSpec(.binary(bits: bits), .group(128))
      let weights = Tensor([1, x.count], x)
      let rounded = try spec.nearestValues(of: weights)
      #expect(rounded.subtracting(weights).squaredNorm / weights.squaredNorm < expected)
    }
  }

  @Test("Fitting by importance lowers the weighted error, and only that")
  func weighs() throws {
    let formats: [(NumericFormat, Bool)] = [
      (.codebook(bits: 2), true), (.codebook(bits: 4), true), (.binary(bits: 3), true),
      (.binary(bits: 3), false),
    ]
    for (format, isSymmetric) in formats {
      let x = normal(200, seed: 4)
      let importance = (0..<200).map { Float($0 % 10 == 0 ? 40 : 1) }
      func values(_ importance: [Float]?) throws -> [Float] {
        let numbers = try fit(x, format, isSymmetric: isSymmetric, importance: importance)
        if case .binary(let bits) = format { return sums(numbers, bits: bits) }
        return numbers
      }
      let (plain, weighted) = try (values(nil), values(importance))
      #expect(error(x, weighted, importance) < error(x, plain, importance))
      #expect(error(x, weighted) > error(x, plain))
      // Without any importance all count alike.
      #expect(try values([Float](repeating: 0, count: 200)) == plain)
    }
  }

  @Test("A whole tensor weighs its columns in every row, also beyond 65536 numbers")
  func weighsTensors() throws {
    for rows in [4, 400] {
      let x = Tensor([rows, 200], normal(200 * rows, seed: 4))
      let importance = (0..<200).map { Float($0 % 10 == 0 ? 40 : 1) }
      let spec = QuantizationSpec(.codebook(bits: 3), .tensor)
      let errors = try [nil, importance].map {
        try spec.nearestValues(of: x, under: ScaleSet(fitting: x, spec, .range, importance: $0))
          .subtracting(x).scalingColumns(by: importance.map { $0.squareRoot() }).squaredNorm
      }
      #expect(errors[1] < errors[0])
    }
  }

  @Test("Groups of zeros, of subnormal and huge numbers, and with NaN or infinity are defined")
  func special() throws {
    for format in Self.codebooks + [.binary(bits: 2), .binary(bits: 4)] {
      for isSymmetric in format.isInteger || Self.codebooks.contains(format)
        ? [true] : [true, false]
      {
        func values(_ x: [Float], _ scales: ScaleFormat) throws -> [Float] {
          let numbers = try fit(x, format, isSymmetric: isSymmetric, scaleFormat: scales)
          if case .binary(let bits) = format { return sums(numbers, bits: bits) }
          return numbers
        }
        for scales in [ScaleFormat.f32, .f16] {
          #expect(try values([0, -0, 0], scales).allSatisfy { $0 == 0 })
          #expect(try values([.nan, .nan], scales).allSatisfy { $0 == 0 })
          #expect(try values([.nan, 3, 3], scales).contains(3))
          #expect(try values([1, .infinity], scales).allSatisfy { $0.isNaN })
          #expect(try values([1, -.infinity, .nan], scales).allSatisfy { $0.isNaN })
          #expect(try values([0x1p-149, 0x1p-140], scales).allSatisfy { abs($0) <= 0x1p-139 })
        }
        let huge = try values([-3e38, 1e38, 3e38], .f32)
        // Sums that no number needs may leave the range; rounding never takes them.
        #expect(huge.contains { $0.isFinite && $0 > 2.5e38 })
        #expect(try values([-1e6, 1e6], .f16).allSatisfy { abs($0) <= 65504 * 4 })
      }
    }
  }

  @Test("Fits do not depend on the number of threads")
  func threads() throws {
    defer { Parallel.setThreads(nil) }
    let x = Tensor([301, 700], normal(301 * 700, seed: 2))
    for spec in [
      QuantizationSpec(.codebook(bits: 4), .row), QuantizationSpec(.codebook(bits: 3), .group(96)),
      QuantizationSpec(.binary(bits: 3), .group(128), scaleFormat: .f16),
      QuantizationSpec(.codebook(bits: 2), .tensor),
    ] {
      let values = try [1, 2, 5].map { count in
        Parallel.setThreads(count)
        return try ScaleSet(fitting: x, spec, .range).scales.array(of: Float.self)
      }
      #expect(values[0] == values[1] && values[0] == values[2])
    }
  }

  @Test("Rounding by second moments keeps given values and beats rounding to nearest")
  func secondOrder() throws {
    let layer = SecondOrderRoundingTests.Layer(
      outputs: 70, width: 48, tokens: 300, seed: 3, dead: 5)
    let moment = try SecondMoment(of: [layer.inputTensor])
    let formats: [QuantizationSpec] = [
      QuantizationSpec(.codebook(bits: 3), .row), QuantizationSpec(.codebook(bits: 2), .group(16)),
      QuantizationSpec(.codebook(bits: 3), .tensor), QuantizationSpec(.binary(bits: 3), .row),
      QuantizationSpec(.binary(bits: 2), .group(16), isSymmetric: false),
    ]
    for spec in formats {
      for ordered in [false, true] {
        let factor = try #require(
          try InverseCholesky(of: moment, damping: 0.01, ordered: ordered))
        let given = try ScaleSet(fitting: layer.weightTensor, spec, .range)
        for set in [given, nil] {
          let rounded = try SecondOrderRounding(spec, factor, given: set).round(layer.weightTensor)
          if let set {
            #expect(rounded.scales.array(of: Float.self) == set.scales.array(of: Float.self))
          }
          #expect(rounded.zeros == nil && rounded.scales.shape == given.scales.shape)
          func output(_ values: Tensor) throws -> Double {
            let error = values.subtracting(layer.weightTensor)
            return try layer.inputs.reduce(0) { sum, x in
              let column = Tensor([x.count, 1], x)
              return sum + (try error.product(column)).squaredNorm
            }
          }
          let nearest = try spec.nearestValues(of: layer.weightTensor, under: given)
          #expect(try output(rounded.values) < 0.8 * output(nearest), "\(spec) \(ordered)")
        }
      }
    }
  }

  @Test("Stored bits count every value")
  func storedBits() {
    func bits(_ format: NumericFormat, _ granularity: Granularity, _ isSymmetric: Bool = true)
      -> Int
    {
      QuantizationSpec(format, granularity, isSymmetric: isSymmetric, scaleFormat: .f16)
        .storedBits(rows: 10, columns: 100)
    }
    #expect(bits(.codebook(bits: 4), .row) == 10 * 128 * 4 + 10 * 16 * 16)
    #expect(bits(.codebook(bits: 3), .tensor) == 10 * 128 * 3 + 8 * 16)
    #expect(bits(.binary(bits: 3), .group(64)) == 10 * 128 * 3 + 20 * 3 * 16)
    #expect(bits(.binary(bits: 3), .group(64), false) == 10 * 128 * 3 + 20 * 4 * 16)
  }

  @Test("What does not fit together is said")
  func problems() {
    #expect(
      QuantizationSpec(.codebook(bits: 4), .row, isSymmetric: false).problem?.contains(
        "no zero points") == true)
    for scales in [ScaleFormat.e8m0, .e8m0Floor, .e4m3] {
      for format in [NumericFormat.codebook(bits: 4), .binary(bits: 2)] {
        #expect(
          QuantizationSpec(format, .row, scaleFormat: scales).problem?.contains("f16 or f32")
            == true)
      }
    }
    #expect(QuantizationSpec(.binary(bits: 2), .row, isSymmetric: false).problem == nil)
    #expect(QuantizationSpec(.binary(bits: 2), .group(0)).problem?.contains("at least 1") == true)
  }
}
