import Foundation
import IRCGraph
import IRCOps
import IRCTensor
import Testing

@Suite struct MambaOperatorTests {
  @Test func goldenScan() throws {
    for (precision, tolerance) in [(Precision.double, 1e-9), (.single, 1e-6)] {
      let results = try run(
        SelectiveScan(),
        [
          real([3, 1], [1, 2, -1]), real([3, 1], [0.1, 0.5, 1]), real([1, 2], [-1, -2]),
          real([3, 2], [1, 0.5, 0.2, -1, 0.3, 0.3]), real([3, 2], [1, 1, 0.5, 2, -1, 1]),
          real([1], [0.5]), real([1, 2], [0, 0]),
        ], precision)
      expectEqual(
        results[0], real([3, 1], [0.65, -0.832885523, -0.728734834]), tolerance: tolerance)
      expectEqual(
        results[1], real([1, 2], [-0.2041111, -0.43284593]), tolerance: max(tolerance, 1e-7))
    }
  }

  @Test func goldenConvolution() throws {
    for (precision, tolerance) in [(Precision.double, 1e-14), (.single, 1e-6)] {
      let results = try run(
        CausalConvolution(),
        [
          real([5, 1], [1, -2, 3, 0.5, -1]), real([3, 1], [0, 0, 0]),
          real([1, 4], [0.1, 0.2, 0.3, 0.4]), real([1], [0.05]),
        ], precision)
      expectEqual(
        results[0], real([5, 1], [0.45, -0.45, 0.85, 0.85, 0.2]), tolerance: tolerance)
      #expect(results[1].values == [3, 0.5, -1])
    }
  }

  @Test(arguments: [(1, 1, 1), (2, 3, 4), (7, 20, 3), (1, 17, 4), (3, 16, 2)])
  func convolutionByDefinition(tokens: Int, channels: Int, taps: Int) throws {
    let x = random([tokens, channels], seed: 1)
    let state = random([taps - 1, channels], seed: 2)
    let (w, bias) = (random([channels, taps], seed: 3), random([channels], seed: 4))
    let rows = state.values + x.values
    var expected: [Double] = []
    for t in 0..<tokens {
      for e in 0..<channels {
        var sum = bias.values[e]
        for k in 0..<taps { sum += w.values[e * taps + k] * rows[(t + k) * channels + e] }
        expected.append(sum)
      }
    }
    for (precision, tolerance) in [(Precision.double, 1e-13), (.single, 1e-5)] {
      let results = try run(CausalConvolution(), [x, state, w, bias], precision)
      expectEqual(results[0], real([tokens, channels], expected), tolerance: tolerance)
      expectEqual(
        results[1],
        real([taps - 1, channels], Array(rows.suffix((taps - 1) * channels))), tolerance: 1e-7)
      let plain = try run(CausalConvolution(), [x, state, w], precision)[0]
      let shifted = (0..<tokens * channels).map { expected[$0] - bias.values[$0 % channels] }
      expectEqual(plain, real([tokens, channels], shifted), tolerance: tolerance)
    }
  }

  @Test(arguments: [(1, 1, 1), (4, 3, 16), (3, 5, 7), (2, 2, 33)])
  func scanByDefinition(tokens: Int, channels: Int, states: Int) throws {
    let operands = Scan.operands(tokens, channels, states)
    let (u, delta, a) = (operands[0].values, operands[1].values, operands[2].values)
    let (b, c, d) = (operands[3].values, operands[4].values, operands[5].values)
    var h = operands[6].values
    var y: [Double] = []
    for t in 0..<tokens {
      for e in 0..<channels {
        let index = t * channels + e
        var sum = d[e] * u[index]
        for n in 0..<states {
          h[e * states + n] =
            exp(delta[index] * a[e * states + n]) * h[e * states + n]
            + delta[index] * b[t * states + n] * u[index]
          sum += c[t * states + n] * h[e * states + n]
        }
        y.append(sum)
      }
    }
    for (precision, tolerance) in [(Precision.double, 1e-13), (.single, 1e-5)] {
      let results = try run(SelectiveScan(), operands, precision)
      expectEqual(results[0], real([tokens, channels], y), tolerance: tolerance)
      expectEqual(results[1], real([channels, states], h), tolerance: tolerance)
    }
  }
}

/// Operands of a scan as a network has them: positive steps, negative decays.
enum Scan {
  static func operands(_ tokens: Int, _ channels: Int, _ states: Int) -> [Tensor] {
    let steps = random([tokens, channels], seed: 12).values.map { abs($0) * 0.5 + 0.01 }
    let decays = random([channels, states], seed: 13).values.map { -abs($0) - 0.1 }
    return [
      random([tokens, channels], seed: 11), real([tokens, channels], steps),
      real([channels, states], decays), random([tokens, states], seed: 14),
      random([tokens, states], seed: 15), random([channels], seed: 16),
      random([channels, states], seed: 17),
    ]
  }
}

/// Reading tokens at once and one after the other must be the same computation, states included.
@Suite struct PrefillTests {
  @Test(arguments: [1, 2, 3, 5])
  func convolutionAndScan(chunk: Int) throws {
    let (tokens, channels, states) = (11, 5, 6)
    let x = random([tokens, channels], seed: 1)
    let (w, bias) = (random([channels, 4], seed: 3), random([channels], seed: 4))
    let scan = Scan.operands(tokens, channels, states)
    var (history, h) = (Tensor(zeros: [3, channels], .f64), scan[6])
    let whole = try run(CausalConvolution(), [x, history, w, bias])
    let wholeScan = try run(SelectiveScan(), scan)
    var (convolved, scanned): ([Double], [Double]) = ([], [])
    for start in stride(from: 0, to: tokens, by: chunk) {
      let rows = start..<min(tokens, start + chunk)
      let part = try run(CausalConvolution(), [x.slice(rows: rows), history, w, bias])
      convolved += part[0].values
      history = part[1]
      let cut = [0, 1, 3, 4].map { scan[$0].slice(rows: rows) }
      let step = try run(
        SelectiveScan(), [cut[0], cut[1], scan[2], cut[2], cut[3], scan[5], h])
      scanned += step[0].values
      h = step[1]
    }
    expectEqual(real([tokens, channels], convolved), whole[0])
    expectEqual(history, whole[1])
    expectEqual(real([tokens, channels], scanned), wholeScan[0])
    expectEqual(h, wholeScan[1])
  }

  @Test(arguments: [1, 2, 4], [0, 3])
  func attention(chunk: Int, window: Int) throws {
    let (tokens, width) = (9, 6)
    let op = Attention(heads: 3, keyValueHeads: 3, scale: 0.5, window: window)
    let rope = RotaryEmbedding(headDimension: 2, theta: 50)
    let parts = (1...3).map { random([tokens, width], seed: UInt64($0)) }
    func step(
      _ rows: Range<Int>, _ keys: Tensor, _ values: Tensor, _ offset: Tensor
    ) throws -> (y: Tensor, keys: Tensor, values: Tensor, offset: Tensor) {
      let cut = parts.map { $0.slice(rows: rows) }
      let places = try run(Positions(), [ids(rows.map { _ in 0 }), offset])
      let q = try run(rope, [cut[0], places[0]])[0]
      let k = try run(Append(), [keys, try run(rope, [cut[1], places[0]])[0]])[0]
      let v = try run(Append(), [values, cut[2]])[0]
      return (try run(op, [q, k, v])[0], k, v, places[1])
    }
    let empty = Tensor(zeros: [0, width], .f64)
    let whole = try step(0..<tokens, empty, empty, ids([0]))
    var (keys, values, offset, y) = (empty, empty, ids([0]), [Double]())
    for start in stride(from: 0, to: tokens, by: chunk) {
      let part = try step(start..<min(tokens, start + chunk), keys, values, offset)
      (keys, values, offset) = (part.keys, part.values, part.offset)
      y += part.y.values
    }
    expectEqual(real([tokens, width], y), whole.y)
    expectEqual(keys, whole.keys)
    #expect(offset.array(of: Int32.self) == [Int32(tokens)])
  }
}

/// The C kernels against the generic bodies, in the same precision.
@Suite struct KernelAgreementTests {
  static let cases: [(op: any KernelOperator, operands: [Tensor])] = {
    var cases: [(op: any KernelOperator, operands: [Tensor])] = []
    for size in [1, 2, 3, 5, 7, 8, 15, 16, 17, 31, 32, 33, 100] {
      let x = random([3, size], seed: UInt64(size), scale: 3)
      cases.append((SiLU(), [x]))
      cases.append((Softplus(), [x]))
      cases.append((Exponential(), [x]))
      cases.append((RMSNorm(epsilon: 1e-5), [x]))
      cases.append((RMSNorm(epsilon: 1e-5), [x, random([size], seed: 1)]))
      let (gain, bias) = (random([size], seed: 1), random([size], seed: 2))
      for count in 1...3 {
        cases.append((LayerNorm(epsilon: 1e-5), Array([x, gain, bias].prefix(count))))
      }
      cases.append(
        (
          RotaryEmbedding(headDimension: 2 * size, theta: 10000),
          [random([2, 4 * size], seed: 2), ids([3, 900])]
        ))
      cases.append(
        (
          CausalConvolution(),
          [x, random([3, size], seed: 3), random([size, 4], seed: 4), random([size], seed: 5)]
        ))
      cases.append((SelectiveScan(), Scan.operands(3, size, 16)))
      cases.append((SelectiveScan(), Scan.operands(3, 2, size)))
      for window in [0, 2] {
        cases.append(
          (
            Attention(heads: 4, keyValueHeads: 2, scale: 0.3, window: window),
            [
              random([3, 4 * size], seed: 6), random([5, 2 * size], seed: 7),
              random([5, 2 * size], seed: 8),
            ]
          ))
      }
    }
    return cases
  }()

  @Test(arguments: cases.indices)
  func kernelEqualsReference(index: Int) throws {
    let (op, operands) = Self.cases[index]
    let single = operands.map { $0.elementType.isFloat ? $0.converted(to: .single) : $0 }
    let byKernel = try op.evaluateByKernel(single)
    let byReference = try op.evaluate(single, as: Float.self)
    let exact = try op.evaluate(operands, as: Double.self)
    for (index, result) in byKernel.enumerated() {
      expectEqual(result, byReference[index], tolerance: 2e-6, "\(op)")
      expectEqual(result, exact[index], tolerance: 2e-6, "\(op)")
    }
  }
}
