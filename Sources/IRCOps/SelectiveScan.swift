private import CKernels
public import IRCGraph
public import IRCTensor

/// The selective state space recurrence of Mamba-1.
///
/// u and delta [T, E], a [E, N] (negative), b and c [T, N], d [E] and the state h [E, N] make y [T, E] and the next h:
///
///     h[e, n] ← exp(delta[t, e]·a[e, n])·h[e, n] + delta[t, e]·u[t, e]·b[t, n]
///     y[t, e] = Σₙ c[t, n]·h[e, n] + d[e]·u[t, e]
public struct SelectiveScan: PlainOperator, KernelOperator {
  public static let name = "selective_scan"

  public init() {}

  public func resultTypes(_ operands: [TensorType]) throws(OperatorError) -> [TensorType] {
    let check = try OperandCheck(operands, ["u", "delta", "a", "b", "c", "d", "h"])
    try check.real(0, rank: 2...2)
    try check.exactly(1, .f32, check[0].shape)
    let (tokens, channels) = (check[0].shape[0], check[0].shape[1])
    try check.expect(
      2, check[2].element == .f32 && check[2].rank == 2 && check[2].shape[0] == channels,
      "f32[\(channels), states] for u of type \(check[0])")
    let states = check[2].shape[1]
    try check.exactly(3, .f32, [tokens, states])
    try check.exactly(4, .f32, [tokens, states])
    try check.exactly(5, .f32, [channels])
    try check.exactly(6, .f32, [channels, states])
    return [check[0], check[6]]
  }

  /// E·N scalar recurrences, so reorderings and factors pass, and nothing that mixes.
  ///
  /// Over channels: with factors p of delta and q of u, the decay stays if `a` takes 1/p, the input delta·u takes p·q and so do h
  /// and y, and d takes p. Over states: b and h take a factor, c its inverse, and `a` the product of b's and c's, which leaves it
  /// the reordering alone.
  public func invariance(_ operands: [TensorType]) -> InvarianceRule {
    InvarianceRule(ties: [
      AxisTie(
        [.operand(0, 1), .operand(1, 1), .result(0, 1)], .monomial, .product, role: .scan),
      AxisTie([.result(0, 1), .operand(6, 0), .result(1, 0)], .monomial),
      AxisTie([.operand(1, 1), .operand(5, 0)], .monomial),
      AxisTie([.operand(1, 1), .operand(2, 0)], .monomial, .inverseTranspose),
      AxisTie([.operand(3, 1), .operand(6, 1), .result(1, 1)], .monomial),
      AxisTie([.operand(3, 1), .operand(4, 1)], .monomial, .inverseTranspose, role: .state),
      AxisTie([.operand(3, 1), .operand(4, 1), .operand(2, 1)], .monomial, .product),
    ])
  }

  /// Three products for each channel and state, one for the skip; the exponentials are not counted.
  public func cost(_ operands: [TensorType], _ results: [TensorType]) -> Cost {
    let states = operands[2].shape[1].fixed ?? 1
    return Cost(
      macs: saturatingProduct(results[0].elementCount, 3 * min(states, 1 << 40) + 1),
      reading: operands, writing: results)
  }

  public func evaluateByKernel(_ operands: [Tensor]) throws -> [Tensor] {
    let (tokens, channels) = (operands[0].shape[0], operands[0].shape[1])
    let states = operands[2].shape[1]
    return unsafe withPointers(operands, as: Float.self) { pointers in
      let (u, delta, a) = unsafe (pointers[0], pointers[1], pointers[2])
      let (b, c, d) = unsafe (pointers[3], pointers[4], pointers[5])
      let start = unsafe pointers[6]
      var y: Tensor?
      let next = unsafe makeTensor([channels, states], of: Float.self) { h in
        unsafe h.update(from: start, count: channels * states)
        y = unsafe makeTensor([tokens, channels], of: Float.self) { y in
          unsafe irc_selective_scan_f32(
            y, h, u, channels, delta, channels, a, b, states, c, states, d, tokens, channels,
            states)
        }
      }
      return [y, next].compactMap(\.self)
    }
  }

  public func evaluate<Scalar: Real>(
    _ operands: [Tensor], as scalar: Scalar.Type
  ) throws -> [Tensor] {
    let (tokens, channels) = (operands[0].shape[0], operands[0].shape[1])
    let states = operands[2].shape[1]
    return unsafe withPointers(operands, as: Scalar.self) { pointers in
      let (u, delta, a) = unsafe (pointers[0], pointers[1], pointers[2])
      let (b, c, d) = unsafe (pointers[3], pointers[4], pointers[5])
      let start = unsafe pointers[6]
      var y: Tensor?
      let next = unsafe makeTensor([channels, states], of: Scalar.self) { h in
        unsafe h.update(from: start, count: channels * states)
        y = unsafe makeTensor([tokens, channels], of: Scalar.self) { y in
          for token in 0..<tokens {
            for channel in 0..<channels {
              let index = token * channels + channel
              let (step, input) = unsafe (delta[index], u[index])
              let drive = step * input
              var sum = unsafe d[channel] * input
              for state in 0..<states {
                let place = channel * states + state
                let value =
                  unsafe Scalar.exponential(step * a[place]) * h[place]
                  + drive * b[token * states + state]
                unsafe h[place] = value
                unsafe sum += c[token * states + state] * value
              }
              unsafe y[index] = sum
            }
          }
        }
      }
      return [y, next].compactMap(\.self)
    }
  }
}
