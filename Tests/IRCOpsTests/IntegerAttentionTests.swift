import CKernels
import IRCGraph
import IRCOps
import IRCTensor
import Testing

@Suite("Attention over codes")
struct IntegerAttentionTests {
  /// Query, keys and values, and the operands that have codes of the latter.
  private struct Sample {
    let attention: Attention
    let real: [Tensor]
    let coded: [Tensor]

    init(heads: Int, keyHeads: Int, size: Int, window: Int, tokens: Int = 5, keys: Int = 9) throws {
      attention = Attention(heads: heads, keyValueHeads: keyHeads, scale: 0.4, window: window)
      let q = random([tokens, heads * size], seed: 1)
      let spec = IntegerAttention.codes(ofHead: size)
      /// Rows whose heads differ in size, so that one scale for all of them shows.
      let pairs = try ([2, 3] as [UInt64]).map { seed in
        let numbers = random([keys, keyHeads * size], seed: seed).values
        let x = Tensor(
          [keys, keyHeads * size],
          numbers.indices.map { numbers[$0] * Double(1 + $0 / size % keyHeads * 9) })
        let scales = try run(QuantizationParameters(spec: spec), [x])
        let codes = try run(Quantize(spec: spec), [x] + scales)
        return (codes + scales, try run(Dequantize(spec: spec), codes + scales)[0])
      }
      coded = [q] + pairs.flatMap(\.0)
      let scale = try run(QuantizationParameters(spec: spec), [q])
      let rounded = try run(
        Dequantize(spec: spec), run(Quantize(spec: spec), [q] + scale) + scale)
      real = rounded + pairs.map(\.1)
    }
  }

  @Test(
    "is attention over the values that the codes stand for, with queries rounded alike",
    arguments: [(4, 2), (3, 3), (6, 1)], [0, 3])
  func definition(heads: (all: Int, ofKeys: Int), window: Int) throws {
    for size in [1, 12, 20] {
      let sample = try Sample(
        heads: heads.all, keyHeads: heads.ofKeys, size: size, window: window)
      let expected = try run(sample.attention, sample.real)[0]
      let op = IntegerAttention(sample.attention)
      expectEqual(try run(op, sample.coded)[0], expected, tolerance: 1e-12)
      expectEqual(try run(op, sample.coded, .single)[0], expected, tolerance: 1e-5)
    }
  }

  @Test("gives the bits of the kernel's reference, for some tokens at a time as for all")
  func bits() throws {
    let (heads, keyHeads, size, tokens, keys) = (4, 2, 20, 5, 9)
    let sample = try Sample(heads: heads, keyHeads: keyHeads, size: size, window: 4)
    let op = IntegerAttention(sample.attention)
    let single = sample.coded.map { $0.elementType == .i8 ? $0 : $0.converted(to: .single) }
    let context = EvaluationContext(precision: .single, parameters: NoParameters())
    let y = try op.evaluate(single, in: context)[0].array(of: Float.self)
    var expected = [Float](repeating: .nan, count: y.count)
    var scratch = [Float](
      repeating: 0, count: irc_attention_i8_scratch_bytes(keys, heads, keyHeads, size) / 4)
    irc_attention_i8_ref(
      &expected, single[0].array(of: Float.self), heads * size, single[1].array(of: Int8.self),
      keyHeads * size, single[2].array(of: Float.self), single[3].array(of: Int8.self),
      keyHeads * size, single[4].array(of: Float.self), keyHeads, tokens, keys, heads, keyHeads,
      size, 0.4, 4, &scratch)
    #expect(y.map(\.bitPattern) == expected.map(\.bitPattern))

    let first = single.map { $0.slice(rows: 0..<$0.shape[0] - 2) }
    let some = try op.evaluate(first, in: context)[0].array(of: Float.self)
    #expect(some.map(\.bitPattern) == y.prefix(3 * heads * size).map(\.bitPattern))
  }

  @Test("needs a key for each query, in either precision")
  func fewKeys() throws {
    let sample = try Sample(heads: 2, keyHeads: 2, size: 4, window: 0, tokens: 4, keys: 3)
    for precision in [Precision.single, .double] {
      #expect(throws: OperatorError.self) {
        try run(IntegerAttention(sample.attention), sample.coded, precision)
      }
    }
  }

  @Test("Codes are appended as they are")
  func appends() throws {
    let cache = Tensor([2, 3], [1, -2, 3, -127, 127, 0] as [Int8])
    let all = try run(Append(), [cache, Tensor([1, 3], [7, 8, 9] as [Int8])])[0]
    #expect(all.shape == [3, 3])
    #expect(all.array(of: Int8.self) == [1, -2, 3, -127, 127, 0, 7, 8, 9])
    let empty = Tensor(zeros: [0, 3], .i8)
    #expect(
      try run(Append(), [empty, cache])[0].array(of: Int8.self) == cache.array(of: Int8.self))
  }
}
