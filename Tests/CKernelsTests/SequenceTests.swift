import CKernels
import Foundation
import Testing

@Suite("Kernels over sequences")
struct SequenceTests {
  /// A row stride wider than the rows, so that a kernel that ignores it fails.
  static func widen(_ x: [Float], rows: Int, to stride: Int) -> [Float] {
    let n = x.count / rows
    return (0..<rows).flatMap { row in
      Array(x[row * n..<(row + 1) * n]) + [Float](repeating: .nan, count: stride - n)
    }
  }

  @Test(arguments: [0, 1, 7, 4096, 100_000] as [Int32])
  func rotaryPositions(position: Int32) {
    let (heads, headDim, tokens) = (3, 6, 2)
    var samples = Samples(1)
    let x = samples.floats(tokens * heads * headDim)
    let frequency = (0..<headDim / 2).map { pow(10_000, -2 * Double($0) / Double(headDim)) }
    var exact = [Double](repeating: 0, count: x.count)
    for (token, place) in [position, position + 1].enumerated() {
      for head in 0..<heads {
        for i in 0..<headDim / 2 {
          let at = (token * heads + head) * headDim + i
          let (c, s) = (cos(Double(place) * frequency[i]), sin(Double(place) * frequency[i]))
          let (a, b) = (Double(x[at]), Double(x[at + headDim / 2]))
          exact[at] = a * c - b * s
          exact[at + headDim / 2] = b * c + a * s
        }
      }
    }
    var y = [Float](repeating: .nan, count: x.count)
    let wide = Self.widen(x, rows: tokens, to: 20)
    irc_rope_f32(&y, wide, 20, [position, position + 1], frequency, tokens, heads, headDim)
    #expect(close(y, exact, 2e-7))
    var same = x
    same.withUnsafeMutableBufferPointer {
      irc_rope_f32(
        $0.baseAddress, $0.baseAddress, heads * headDim, [position, position + 1], frequency,
        tokens, heads, headDim)
    }
    #expect(same == y)
  }

  @Test(arguments: [0, 1, 5, 16], [4, 20])
  func attention(window: Int, headDim: Int) {
    let (heads, kvHeads, total) = (4, 2, 37)
    let (width, kvWidth) = (heads * headDim, kvHeads * headDim)
    var samples = Samples(9)
    let q = samples.floats(total * width).map { 3 * $0 }
    let k = samples.floats(total * kvWidth)
    let v = samples.floats(total * kvWidth)
    let scale = 1 / Float(headDim).squareRoot()
    var exact = [Double](repeating: 0, count: q.count)
    for token in 0..<total {
      let keys = (window > 0 ? max(0, token + 1 - window) : 0)...token
      for head in 0..<heads {
        let column = head / 2 * headDim
        let scores = keys.map { key in
          Double(scale)
            * (0..<headDim).reduce(0.0) {
              $0 + Double(q[token * width + head * headDim + $1])
                * Double(k[key * kvWidth + column + $1])
            }
        }
        let most = scores.max()!
        let sum = scores.reduce(0) { $0 + exp($1 - most) }
        for i in 0..<headDim {
          exact[token * width + head * headDim + i] = zip(keys, scores).reduce(0) {
            $0 + exp($1.1 - most) / sum * Double(v[$1.0 * kvWidth + column + i])
          }
        }
      }
    }
    let stride = width + 3
    let wide = Self.widen(q, rows: total, to: stride)
    var scratch = [Float](
      repeating: 0, count: irc_attention_scratch(total, heads, kvHeads))
    func run(_ chunk: Int) -> [Float] {
      var y = [Float](repeating: .nan, count: q.count)
      y.withUnsafeMutableBufferPointer { y in
        wide.withUnsafeBufferPointer { wide in
          for start in Swift.stride(from: 0, to: total, by: chunk) {
            let end = min(total, start + chunk)
            irc_attention_f32(
              y.baseAddress! + start * width, wide.baseAddress! + start * stride, stride, k,
              kvWidth, v, kvWidth, end - start, end, heads, kvHeads, headDim, scale, window,
              &scratch)
          }
        }
      }
      return y
    }
    let whole = run(total)
    #expect(close(whole, exact, 1e-6))
    #expect(bitPatterns(run(1)) == bitPatterns(whole))
    #expect(bitPatterns(run(5)) == bitPatterns(whole))
  }

  /// Attention in double precision, all queries with the keys up to themselves.
  private static func exactAttention(
    q: [Double], k: [Double], v: [Double], tokens: Int, heads: Int, kvHeads: Int, headDim: Int,
    scale: Double
  ) -> [Double] {
    let (total, share) = (k.count / (kvHeads * headDim), heads / kvHeads)
    var y = [Double](repeating: 0, count: q.count)
    for token in 0..<tokens {
      for head in 0..<heads {
        let (row, column) = ((token * heads + head) * headDim, head / share * headDim)
        let keys = 0..<total - tokens + token + 1
        let weights = keys.map { key in
          exp(
            scale
              * (0..<headDim).reduce(0.0) {
                $0 + q[row + $1] * k[key * kvHeads * headDim + column + $1]
              })
        }
        let sum = weights.reduce(0, +)
        for i in 0..<headDim {
          y[row + i] = keys.reduce(0) {
            $0 + weights[$1] / sum * v[$1 * kvHeads * headDim + column + i]
          }
        }
      }
    }
    return y
  }

  @Test(
    "Attention over codes is attention over what they stand for, and near the one over numbers",
    arguments: [(4, 2), (3, 3), (10, 2)], [20, 64])
  func attentionOverCodes(heads: (all: Int, ofKeys: Int), headDim: Int) {
    let (tokens, total) = (5, 37)
    var samples = Samples(UInt64(headDim))
    /// Numbers, their codes head by head, scales, and what the codes stand for.
    func rounded(
      _ rows: Int
    ) -> (numbers: [Float], codes: [Int8], scales: [Float], stood: [Double]) {
      let numbers = samples.floats(rows * headDim)
      var codes = [Int8](repeating: 0, count: numbers.count)
      var scales = [Float](repeating: 0, count: rows)
      irc_quantize_tokens_i8(
        &codes, headDim, &scales, nil, numbers, headDim, rows, headDim, 8)
      let stood = codes.indices.map { Double(codes[$0]) * Double(scales[$0 / headDim]) }
      return (numbers, codes, scales, stood)
    }
    let q = rounded(tokens * heads.all)
    let k = rounded(total * heads.ofKeys)
    let v = rounded(total * heads.ofKeys)
    let scale: Float = 0.3
    func exact(_ q: [Double], _ k: [Double], _ v: [Double]) -> [Double] {
      Self.exactAttention(
        q: q, k: k, v: v, tokens: tokens, heads: heads.all, kvHeads: heads.ofKeys,
        headDim: headDim, scale: Double(scale))
    }
    var y = [Float](repeating: .nan, count: q.numbers.count)
    let width = heads.ofKeys * headDim
    var scratch = [Float](
      repeating: 0,
      count: irc_attention_i8_scratch_bytes(total, heads.all, heads.ofKeys, headDim) / 4)
    irc_attention_i8(
      &y, q.numbers, heads.all * headDim, k.codes, width, k.scales, v.codes, width, v.scales,
      heads.ofKeys, tokens, total, heads.all, heads.ofKeys, headDim, scale, 0, &scratch)
    #expect(close(y, exact(q.stood, k.stood, v.stood), 2e-6))

    // A code is at most half a step away from its number, and a step is a 127th of the largest magnitude. If no score
    // moves by more than d, the weights move by exp(2 d) - 1 together.
    let step = 0.5 / 127
    let d = Double(scale) * Double(headDim) * (2 * step + step * step)
    let near = exact(
      q.numbers.map(Double.init), k.numbers.map(Double.init), v.numbers.map(Double.init))
    let worst = zip(y, near).map { abs(Double($0) - $1) }.max() ?? 0
    #expect(worst <= exp(2 * d) - 1 + step + 1e-5)
    #expect(worst > 0)
  }

  @Test(arguments: [1, 2, 4, 5], [1, 15, 16, 37])
  func convolution(width: Int, channels: Int) {
    let tokens = 12
    var samples = Samples(UInt64(channels))
    let x = samples.floats(tokens * channels)
    let weight = samples.floats(channels * width)
    let bias = samples.floats(channels)
    let initial = samples.floats((width - 1) * channels)
    let all = initial + x
    let exact = (0..<tokens * channels).map { at in
      let (token, channel) = (at / channels, at % channels)
      return (0..<width).reduce(Double(bias[channel])) {
        $0 + Double(weight[channel * width + $1]) * Double(all[(token + $1) * channels + channel])
      }
    }
    let stride = channels + 2
    let wide = Self.widen(x, rows: tokens, to: stride)
    func run(_ chunk: Int) -> [Float] {
      var y = [Float](repeating: .nan, count: tokens * channels)
      // One spare element, so that a state of no rows still has an address.
      var state = initial + [0]
      y.withUnsafeMutableBufferPointer { y in
        wide.withUnsafeBufferPointer { wide in
          state.withUnsafeMutableBufferPointer { state in
            for start in Swift.stride(from: 0, to: tokens, by: chunk) {
              irc_causal_conv_f32(
                y.baseAddress! + start * channels, state.baseAddress,
                wide.baseAddress! + start * stride, stride, state.baseAddress, weight, bias,
                min(chunk, tokens - start), channels, width)
            }
          }
        }
      }
      #expect(Array(state.dropLast()) == Array(all.suffix((width - 1) * channels)))
      return y
    }
    let whole = run(tokens)
    #expect(close(whole, exact, 1e-6))
    for chunk in [1, 2, 5] { #expect(bitPatterns(run(chunk)) == bitPatterns(whole)) }
  }

  @Test(arguments: [1, 3, 16, 21, 32])
  func scan(states: Int) {
    let (tokens, channels) = (11, 5)
    var samples = Samples(UInt64(states))
    let u = samples.floats(tokens * channels)
    let delta = samples.floats(tokens * channels).map { abs($0) }
    let a = samples.floats(channels * states).map { -abs($0) * 8 }
    let bc = samples.floats(tokens * 2 * states)
    let d = samples.floats(channels)
    var exact: [Double] = []
    var h = [Double](repeating: 0, count: channels * states)
    for token in 0..<tokens {
      for channel in 0..<channels {
        let (step, input) = (
          Double(delta[token * channels + channel]), Double(u[token * channels + channel])
        )
        var y = Double(d[channel]) * input
        for n in 0..<states {
          let at = channel * states + n
          h[at] =
            exp(step * Double(a[at])) * h[at] + step * Double(bc[token * 2 * states + n]) * input
          y += Double(bc[token * 2 * states + states + n]) * h[at]
        }
        exact.append(y)
      }
    }
    let stride = channels + 4
    let wide = Self.widen(u, rows: tokens, to: stride)
    func run(_ chunk: Int) -> (y: [Float], state: [Float]) {
      var y = [Float](repeating: .nan, count: tokens * channels)
      var state = [Float](repeating: 0, count: channels * states)
      y.withUnsafeMutableBufferPointer { y in
        wide.withUnsafeBufferPointer { wide in
          delta.withUnsafeBufferPointer { delta in
            bc.withUnsafeBufferPointer { bc in
              for start in Swift.stride(from: 0, to: tokens, by: chunk) {
                let b = bc.baseAddress! + start * 2 * states
                irc_selective_scan_f32(
                  y.baseAddress! + start * channels, &state, wide.baseAddress! + start * stride,
                  stride, delta.baseAddress! + start * channels, channels, a, b, 2 * states,
                  b + states, 2 * states, d, min(chunk, tokens - start), channels, states)
              }
            }
          }
        }
      }
      return (y, state)
    }
    let whole = run(tokens)
    #expect(close(whole.y, exact, 2e-6))
    #expect(close(whole.state, h, 2e-6))
    for chunk in [1, 3] {
      #expect(bitPatterns(run(chunk).y) == bitPatterns(whole.y))
      #expect(bitPatterns(run(chunk).state) == bitPatterns(whole.state))
    }
  }

  /// Small cases worked out by hand in double precision.
  @Test func workedExamples() {
    var h: [Float] = [0, 0]
    var y = [Float](repeating: 0, count: 3)
    irc_selective_scan_f32(
      &y, &h, [1, 2, -1], 1, [0.1, 0.5, 1], 1, [-1, -2], [1, 0.5, 0.2, -1, 0.3, 0.3], 2,
      [1, 1, 0.5, 2, -1, 1], 2, [0.5], 3, 1, 2)
    #expect(close(y, [0.65, -0.832885523, -0.728734834], 1e-7))
    #expect(close(h, [-0.2041111, -0.43284593], 1e-7))

    var state: [Float] = [0, 0, 0]
    var c = [Float](repeating: 0, count: 5)
    state.withUnsafeMutableBufferPointer {
      irc_causal_conv_f32(
        &c, $0.baseAddress, [1, -2, 3, 0.5, -1], 1, $0.baseAddress, [0.1, 0.2, 0.3, 0.4], [0.05], 5,
        1, 4)
    }
    #expect(close(c, [0.45, -0.45, 0.85, 0.85, 0.2], 1e-7))
    #expect(state == [3, 0.5, -1])
    var s = c
    irc_silu_f32(&s, c, 5)
    #expect(close(s, [0.27478766, -0.17521234, 0.59548207, 0.59548207, 0.1099668], 1e-7))

    let x: [Float] = [-30, -1, 0, 1, 30]
    irc_softplus_f32(&s, x, 5)
    for (value, exact) in zip(s, [9.3576e-14, 0.31326169, 0.69314718, 1.31326169, 30]) {
      #expect(abs(Double(value) - exact) <= 1e-5 * exact)
    }
  }
}
