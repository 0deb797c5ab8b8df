private import CKernels
public import IRCGraph
public import IRCTensor

/// Depthwise causal convolution over tokens, with the K − 1 rows before the first token as state.
///
/// x [T, E], state [K−1, E], weight [E, K] and bias [E] make y[t, e] = bias[e] + Σₖ w[e, k]·x[t − (K−1) + k, e] and the last K − 1
/// rows of state and x: the last tap reads the current token.
public struct CausalConvolution: PlainOperator, KernelOperator {
  public static let name = "causal_conv"

  public init() {}

  public func resultTypes(_ operands: [TensorType]) throws(OperatorError) -> [TensorType] {
    let check = try OperandCheck(operands, ["x", "state", "weight", "bias"], optional: 1)
    try check.real(0, rank: 2...2)
    let channels = check[0].shape[1]
    let taps = check[2].rank == 2 ? check[2].shape[1].fixed ?? 0 : 0
    try check.expect(
      2, taps > 0 && check[2].element == .f32 && check[2].shape[0] == channels,
      "f32[\(channels), taps] for x of type \(check[0])")
    try check.exactly(1, .f32, [.fixed(taps - 1), channels])
    if check.count == 4 { try check.exactly(3, .f32, [channels]) }
    return [check[0], check[1]]
  }

  /// Each channel is on its own: y scales with x times w, and the bias is a part of y.
  public func invariance(_ operands: [TensorType]) -> InvarianceRule {
    var ties = [
      AxisTie([.operand(0, 1), .operand(1, 1), .result(1, 1)], .monomial),
      AxisTie(
        [.operand(0, 1), .operand(2, 0), .result(0, 1)], .monomial, .product, role: .convolution),
    ]
    if operands.count == 4 { ties.append(AxisTie([.result(0, 1), .operand(3, 0)], .monomial)) }
    return InvarianceRule(ties: ties)
  }

  public func cost(_ operands: [TensorType], _ results: [TensorType]) -> Cost {
    Cost(
      macs: saturatingProduct(results[0].elementCount, operands[2].shape[1].fixed ?? 1),
      reading: operands, writing: results)
  }

  public func evaluateByKernel(_ operands: [Tensor]) throws -> [Tensor] {
    let (tokens, channels, taps) = (
      operands[0].shape[0], operands[0].shape[1], operands[2].shape[1]
    )
    return unsafe withPointers(operands, as: Float.self) { pointers in
      let (x, state, weight) = unsafe (pointers[0], pointers[1], pointers[2])
      let bias = unsafe pointers.count == 4 ? pointers[3] : nil
      var y: Tensor?
      let next = unsafe makeTensor([taps - 1, channels], of: Float.self) { next in
        y = unsafe makeTensor([tokens, channels], of: Float.self) { y in
          unsafe irc_causal_conv_f32(
            y, next, x, channels, state, weight, bias, tokens, channels, taps)
        }
      }
      return [y, next].compactMap(\.self)
    }
  }

  public func evaluate<Scalar: Real>(
    _ operands: [Tensor], as scalar: Scalar.Type
  ) throws -> [Tensor] {
    let (tokens, channels, taps) = (
      operands[0].shape[0], operands[0].shape[1], operands[2].shape[1]
    )
    let kept = taps - 1
    return unsafe withPointers(operands, as: Scalar.self) { pointers in
      let (x, state, weight) = unsafe (pointers[0], pointers[1], pointers[2])
      let bias = unsafe pointers.count == 4 ? pointers[3] : nil
      /// Row `index` of the state followed by x.
      func row(_ index: Int) -> UnsafePointer<Scalar> {
        unsafe index < kept ? state + index * channels : x + (index - kept) * channels
      }
      let y = unsafe makeTensor([tokens, channels], of: Scalar.self) { target in
        for token in 0..<tokens {
          let y = unsafe target + token * channels
          if let bias = unsafe bias { unsafe y.update(from: bias, count: channels) }
          for tap in 0..<taps {
            let input = unsafe row(token + tap)
            for channel in 0..<channels {
              unsafe y[channel] += weight[channel * taps + tap] * input[channel]
            }
          }
        }
      }
      let next = unsafe makeTensor([kept, channels], of: Scalar.self) { target in
        for index in 0..<kept {
          unsafe (target + index * channels).update(from: row(tokens + index), count: channels)
        }
      }
      return [y, next]
    }
  }
}
