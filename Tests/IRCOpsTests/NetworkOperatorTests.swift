import Foundation
import IRCGraph
import IRCOps
import IRCSupport
import IRCTensor
import Testing

@Suite struct NetworkOperatorTests {
  @Test func embeddingTakesRows() throws {
    let table = real([3, 2], [1, 2, 3, 4, 5, 6])
    #expect(try run(Embedding(), [ids([2, 0, 2]), table])[0].values == [5, 6, 1, 2, 5, 6])
    for bad: Int32 in [3, -1, .max, .min] {
      #expect(throws: OperatorError.self) { try run(Embedding(), [ids([0, bad]), table]) }
    }
  }

  @Test(arguments: [(1, 1, 1), (3, 5, 2), (2, 300, 4000), (8, 513, 700)])
  func linearSumsProducts(tokens: Int, inputs: Int, outputs: Int) throws {
    let x = random([tokens, inputs], seed: 1)
    let (w, bias) = (random([outputs, inputs], seed: 2), random([outputs], seed: 3))
    let (xs, ws, bs) = (x.values, w.values, bias.values)
    func expected(_ useBias: Bool) -> Tensor {
      var values: [Double] = []
      for t in 0..<tokens {
        for o in 0..<outputs {
          var sum = useBias ? bs[o] : 0
          for i in 0..<inputs { sum += xs[t * inputs + i] * ws[o * inputs + i] }
          values.append(sum)
        }
      }
      return real([tokens, outputs], values)
    }
    expectEqual(try run(Linear(), [x, w])[0], expected(false))
    expectEqual(try run(Linear(), [x, w, bias])[0], expected(true))
    expectEqual(try run(Linear(), [x, w, bias], .single)[0], expected(true), tolerance: 1e-5)
  }

  @Test func normalisesRows() throws {
    let (x, gain) = (random([3, 5], seed: 1, scale: 3), random([5], seed: 2))
    var plain: [Double] = []
    for row in 0..<3 {
      let values = x.values[row * 5..<row * 5 + 5]
      let mean = values.reduce(0) { $0 + $1 * $1 } / 5
      plain += values.map { $0 / (mean + 0.25).squareRoot() }
    }
    expectEqual(try run(RMSNorm(epsilon: 0.25), [x])[0], real([3, 5], plain))
    expectEqual(
      try run(RMSNorm(epsilon: 0.25), [x, gain])[0],
      real([3, 5], plain.indices.map { plain[$0] * gain.values[$0 % 5] }))
    let zeros = Tensor(zeros: [1, 4], .f64)
    #expect(try run(RMSNorm(epsilon: 1e-5), [zeros])[0].values == [0, 0, 0, 0])
  }

  @Test func centresAndNormalisesRows() throws {
    let x = random([3, 5], seed: 1, scale: 3)
    let (gain, bias) = (random([5], seed: 2), random([5], seed: 3))
    var plain: [Double] = []
    for row in 0..<3 {
      let values = x.values[row * 5..<row * 5 + 5]
      let mean = values.reduce(0, +) / 5
      let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 5
      plain += values.map { ($0 - mean) / (variance + 0.25).squareRoot() }
    }
    let scaled = plain.indices.map { plain[$0] * gain.values[$0 % 5] }
    let norm = LayerNorm(epsilon: 0.25)
    expectEqual(try run(norm, [x])[0], real([3, 5], plain))
    expectEqual(try run(norm, [x, gain])[0], real([3, 5], scaled))
    expectEqual(
      try run(norm, [x, gain, bias])[0],
      real([3, 5], scaled.indices.map { scaled[$0] + bias.values[$0 % 5] }))
    // Equal channels have no variance, and ε keeps the quotient finite.
    #expect(try run(LayerNorm(epsilon: 1e-5), [real([1, 2], [4, 4])])[0].values == [0, 0])
  }

  @Test func positionsGoOn() throws {
    let results = try run(Positions(), [ids([9, 9, 9]), ids([4])])
    #expect(results[0].array(of: Int32.self) == [4, 5, 6])
    #expect(results[1].array(of: Int32.self) == [7])
    #expect(throws: OperatorError.self) { try run(Positions(), [ids([1, 1]), ids([.max])]) }
  }

  @Test func rotaryTurnsPairs() throws {
    let x = random([2, 8], seed: 1)
    let op = RotaryEmbedding(headDimension: 4, theta: 100)
    let result = try run(op, [x, ids([0, 7])])[0]
    #expect(Array(result.values[..<8]) == Array(x.values[..<8]))
    var expected = Array(x.values[..<8])
    for head in [8, 12] {
      var (first, second): ([Double], [Double]) = ([], [])
      for pair in 0..<2 {
        let angle = 7 * pow(100, -Double(pair) / 2)
        let (a, b) = (x.values[head + pair], x.values[head + pair + 2])
        first.append(a * cos(angle) - b * sin(angle))
        second.append(b * cos(angle) + a * sin(angle))
      }
      expected += first + second
    }
    expectEqual(result, real([2, 8], expected))
  }

  /// Two query heads per key head, a window, and keys from before: everything that a decoder uses.
  @Test(arguments: [(3, 3, 0), (2, 5, 0), (4, 6, 2), (1, 1, 1), (70, 150, 9)])
  func attentionWeighsValues(tokens: Int, keys: Int, window: Int) throws {
    let (heads, groups, size) = (4, 2, 3)
    let q = random([tokens, heads * size], seed: 1)
    let (k, v) = (random([keys, groups * size], seed: 2), random([keys, groups * size], seed: 3))
    let op = Attention(heads: heads, keyValueHeads: groups, scale: 0.7, window: window)
    var expected: [Double] = []
    let (qs, ks, vs) = (q.values, k.values, v.values)
    for t in 0..<tokens {
      let position = keys - tokens + t
      for h in 0..<heads {
        let first = window == 0 ? 0 : max(0, position - window + 1)
        var weights: [Double] = []
        for j in first...position {
          var dot = 0.0
          for c in 0..<size {
            dot += qs[(t * heads + h) * size + c] * ks[(j * groups + h / 2) * size + c]
          }
          weights.append(exp(0.7 * dot))
        }
        let total = weights.reduce(0, +)
        for c in 0..<size {
          var sum = 0.0
          for (offset, weight) in weights.enumerated() {
            sum += weight / total * vs[((first + offset) * groups + h / 2) * size + c]
          }
          expected.append(sum)
        }
      }
    }
    let result = real([tokens, heads * size], expected)
    expectEqual(try run(op, [q, k, v])[0], result)
    expectEqual(try run(op, [q, k, v], .single)[0], result, tolerance: 1e-5)
  }

  @Test func attentionNeedsAKeyForEachQuery() {
    let op = Attention(heads: 1, keyValueHeads: 1, scale: 1, window: 0)
    for precision in [Precision.single, .double] {
      #expect(throws: OperatorError.self) {
        try op.evaluate(
          [
            Tensor(zeros: [2, 2], precision.elementType),
            Tensor(zeros: [1, 2], precision.elementType),
          ]
            + [Tensor(zeros: [1, 2], precision.elementType)],
          in: EvaluationContext(precision: precision, parameters: NoParameters()))
      }
    }
  }
}

@Suite struct ParameterTests {
  struct Source: ParameterSource {
    let tensors: [String: Tensor]
    func tensor(named name: String) throws -> Tensor {
      guard let tensor = tensors[name] else { throw OperatorError("no tensor '\(name)'") }
      return tensor
    }
  }

  /// Bits of half-precision and brain-float numbers as a mapped file would hold them.
  static func mapped(_ bits: [UInt16], _ type: ElementType, _ shape: [Int]) throws -> Tensor {
    let path = NSTemporaryDirectory() + "irc-parameter-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: path) }
    let bytes = bits.flatMap { [UInt8($0 & 255), UInt8($0 >> 8)] }
    try Data(bytes).write(to: URL(fileURLWithPath: path))
    return Tensor(mapping: try MappedFile(path: path), at: 0, shape: shape, type)
  }

  @Test func everyHalfIsWidenedExactly() throws {
    let bits = (0...UInt16.max).map { $0 }
    let tensor = try Self.mapped(bits, .f16, [bits.count])
    let values = tensor.converted(to: Float.self).array(of: Float.self)
    for (pattern, value) in zip(bits, values) {
      let expected = Float(Float16(bitPattern: pattern))
      #expect(value == expected || value.isNaN && expected.isNaN, "\(pattern)")
      if !expected.isNaN { #expect(value.sign == expected.sign) }
    }
  }

  @Test func convertsStoredTypes() throws {
    let source = Source(tensors: [
      "half": try Self.mapped([0x3C00, 0xC000, 0x3800, 0x0001], .f16, [2, 2]),
      "brain": try Self.mapped([0x3F80, 0xC000, 0x3F00, 0x7F80], .bf16, [2, 2]),
      "full": Tensor([2, 2], [Float(1), -2, 0.5, 4]),
    ])
    let expected: [(String, ElementType, Double)] = [
      ("half", .f16, 0x1p-24), ("brain", .bf16, .infinity), ("full", .f32, 4),
    ]
    for (name, stored, last) in expected {
      let op = Parameter(name: name, shape: [2, 2], stored: stored)
      for precision in [Precision.single, .double] {
        #expect(try run(op, [], precision, parameters: source)[0].values == [1, -2, 0.5, last])
        let context = EvaluationContext(precision: precision, parameters: source)
        #expect(try op.evaluate(rows: 1..<2, in: context).values == [0.5, last])
      }
    }
  }

  @Test func refusesWhatTheCheckpointDoesNotHave() throws {
    let source = Source(tensors: ["a": Tensor([2], [Float(1), 2])])
    for op in [
      Parameter(name: "a", shape: [3], stored: .f32),
      Parameter(name: "a", shape: [2], stored: .f16),
      Parameter(name: "b", shape: [2], stored: .f32),
    ] {
      #expect(throws: OperatorError.self) { try run(op, [], .single, parameters: source) }
    }
    #expect(refusal(Parameter(name: "a", shape: [2], stored: .u8), [])?.contains("u8") == true)
  }
}
