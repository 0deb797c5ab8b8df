public import IRCTensor

extension Attention {
  /// How much attention each key gets: the sum of its weights over all heads and queries, f32 [keys].
  ///
  /// The attention concentration of RSQ (arXiv 2503.01820, section 3.2). Costs the first half of the operator itself.
  ///
  /// - Parameters:
  ///   - q: f32 [T, heads·d].
  ///   - k: f32 [S, keyValueHeads·d].
  public func concentration(_ q: Tensor, _ k: Tensor) throws -> [Float] {
    let (tokens, columns) = (q.shape[0], q.shape[1])
    let (keys, width) = (k.shape[0], k.shape[1])
    try checkKeys(keys, tokens)
    let (size, group, past) = (columns / heads, heads / keyValueHeads, keys - tokens)
    let block = max(1, min(tokens, 64))
    var received = [Float](repeating: 0, count: keys)
    var scores = [Float](repeating: 0, count: block * keys)
    unsafe withPointers([q, k], as: Float.self) { pointers in
      let (q, k) = unsafe (pointers[0], pointers[1])
      unsafe scores.withUnsafeMutableBufferPointer { scores in
        guard let scores = scores.baseAddress else { return }
        for start in stride(from: 0, to: tokens, by: block) {
          let rows = min(block, tokens - start)
          let seen = past + start + rows
          for head in 0..<heads {
            unsafe Float.multiply(
              m: rows, n: seen, k: size, q + start * columns + head * size, lda: columns,
              transposeA: false, k + head / group * size, ldb: width, transposeB: true, beta: 0,
              scores, ldc: seen)
            for row in 0..<rows {
              let weights = unsafe scores + row * seen
              unsafe softmax(weights, count: seen, position: past + start + row)
              for key in 0..<seen { unsafe received[key] += weights[key] }
            }
          }
        }
      }
    }
    return received
  }
}
