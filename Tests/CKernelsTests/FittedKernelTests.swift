import CKernels
import Testing

/// Kernels that read codes whose groups have values of their own, against the reference.
@Suite("Kernels of fitted values")
struct FittedKernelTests {
  struct Case: Sendable, CustomTestStringConvertible {
    var kind: irc_code_kind
    var bits: UInt32
    var group: Int
    var half: Bool
    /// One group for all rows.
    var isShared = false
    var testDescription: String {
      "kind \(kind.rawValue), \(bits) bits, group \(group)\(half ? ", f16" : "")\(isShared ? ", shared" : "")"
    }
  }

  static let cases: [Case] =
    [IRC_CODES_LISTED, IRC_CODES_SIGNED, IRC_CODES_OFFSET].flatMap { kind in
      packedBits.flatMap { bits in
        [0, 5, 32, 48].map { Case(kind: kind, bits: bits, group: $0, half: $0 % 3 == 0) }
          + [Case(kind: kind, bits: bits, group: 0, half: true, isShared: true)]
      }
    }

  /// Calls `body` with a matrix of random codes and numbers, and the numbers.
  private func withMatrix(
    _ item: Case, out: Int, columns: Int, codes raw: [Int8]? = nil,
    _ body: (UnsafePointer<irc_packed_weights>, [Float]) -> Void
  ) {
    var samples = Samples(UInt64(columns) + 3)
    let high = 1 << (Int(item.bits) - 1)
    let raw = raw ?? samples.integers(out * columns, in: -high...high - 1)
    var packed = [UInt8](repeating: 0xAA, count: out * irc_packed_row_bytes(columns, item.bits))
    irc_pack_rows(&packed, raw, columns, out, columns, item.bits)
    let groups = item.isShared ? 0 : irc_group_count(columns, item.group)
    let count = (item.isShared ? 1 : out * groups) * irc_group_numbers(item.kind, item.bits)
    var halves = [UInt16](repeating: 0, count: count)
    irc_f32_to_f16(&halves, samples.floats(count), count)
    var numbers = [Float](repeating: 0, count: count)
    irc_f16_to_f32(&numbers, halves, count)
    packed.withUnsafeBytes { packed in
      halves.withUnsafeBytes { halves in
        numbers.withUnsafeBytes { floats in
          var w = irc_packed_weights(
            codes: packed.baseAddress, scales: item.half ? halves.baseAddress : floats.baseAddress,
            zeros: nil, bits: item.bits, scale_type: item.half ? IRC_SCALE_F16 : IRC_SCALE_F32,
            out: out, in: columns, group: item.group == 0 ? columns : item.group, groups: groups,
            row_bytes: irc_packed_row_bytes(columns, item.bits), values: nil, tensor_scale: nil,
            kind: item.kind, layout: IRC_LAYOUT_ROWS, levels: nil, level_step: 0)
          body(&w, numbers)
        }
      }
    }
  }

  @Test("Products and rows are those of the reference", arguments: cases, [1, 31, 33, 172, 300])
  func products(item: Case, columns: Int) {
    let (out, tokens) = (7, 3)
    var samples = Samples(5)
    let x = samples.floats(tokens * columns)
    let bias = samples.floats(out)
    withMatrix(item, out: out, columns: columns) { w, _ in
      var scratch = [Float](repeating: 0, count: irc_linear_scratch_bytes(columns) / 4)
      var y = [Float](repeating: 0, count: tokens * out)
      var expected = y
      irc_linear_q_f32(&y, out, x, columns, w, bias, tokens, &scratch)
      irc_linear_q_f32_ref(&expected, out, x, columns, w, bias, tokens)
      #expect(bitPatterns(y) == bitPatterns(expected))
      for kernels in [irc_kernels_avx2(), irc_kernels_avx512_vnni()].compactMap({ $0 }) {
        var same = [Float](repeating: .nan, count: tokens * out)
        kernels.pointee.linear_q_f32(&same, out, x, columns, w, bias, tokens, &scratch)
        #expect(bitPatterns(same) == bitPatterns(expected))
      }
      // The last rows alone, as a thread would take them.
      var part = irc_packed_rows(w.pointee, 5, 2)
      var tail = [Float](repeating: 0, count: 2)
      irc_linear_q_f32(&tail, 2, x, columns, &part, Array(bias[5...]), 1, &scratch)
      #expect(bitPatterns(tail) == bitPatterns(Array(expected[5..<7])))
      var row = [Float](repeating: 0, count: columns)
      var same = row
      irc_dequantize_row(&row, w, 6)
      irc_dequantize_row(&same, &part, 1)
      #expect(bitPatterns(row) == bitPatterns(same))
    }
  }

  @Test("Every code of every kind is what its bits say", arguments: cases.filter { $0.group == 0 })
  func everyCode(item: Case) {
    let count = 1 << Int(item.bits)
    let codes = (0..<count).map { Int8($0 < count / 2 ? $0 : $0 - count) }
    withMatrix(item, out: 1, columns: count, codes: codes) { w, numbers in
      var row = [Float](repeating: 0, count: count)
      irc_dequantize_row(&row, w, 0)
      for code in 0..<count {
        var expected = item.kind == IRC_CODES_OFFSET ? numbers[Int(item.bits)] : 0
        if item.kind == IRC_CODES_LISTED { expected = numbers[code] }
        for bit in 0..<Int(item.bits) where item.kind != IRC_CODES_LISTED {
          expected += code >> bit & 1 == 1 ? numbers[bit] : -numbers[bit]
        }
        #expect(row[code] == expected)
      }
    }
  }

  @Test("Encoding, packing and reading give the numbers of the codes", arguments: oddSizes)
  func roundTrip(n: Int) {
    for item in Self.cases where !item.isShared && item.bits <= 4 {
      var samples = Samples(UInt64(n))
      let (rows, stride) = (3, n + 2)
      let w = samples.floats(rows * stride)
      let spec = irc_code_spec(
        bits: item.bits, symmetric: item.kind != IRC_CODES_OFFSET, scale_type: IRC_SCALE_F16,
        floors_exponent: false, tensor_scale: 0, group: item.group, table: nil, kind: item.kind)
      let groups = irc_group_count(n, item.group)
      let count = irc_group_numbers(item.kind, item.bits)
      var numbers = [Float](repeating: .nan, count: rows * groups * count)
      var scratch = [Double](repeating: 0, count: irc_fit_scratch_bytes(n, spec) / 8)
      irc_fit_rows(&numbers, w, stride, rows, n, irc_importance(), spec, &scratch)
      var codes = [Int8](repeating: 99, count: rows * n)
      irc_encode_rows(&codes, n, w, stride, numbers, nil, rows, n, spec)
      var decoded = [Float](repeating: .nan, count: rows * n)
      irc_decode_rows(&decoded, n, codes, n, numbers, nil, rows, n, spec)
      var packed = [UInt8](repeating: 0, count: rows * irc_packed_row_bytes(n, item.bits))
      irc_pack_rows(&packed, codes, n, rows, n, item.bits)
      var stored = [UInt16](repeating: 0, count: numbers.count)
      #expect(
        irc_pack_scales(&stored, numbers, numbers.count, IRC_SCALE_F16, 0) == numbers.count)
      packed.withUnsafeBytes { packed in
        stored.withUnsafeBytes { stored in
          var matrix = irc_packed_weights(
            codes: packed.baseAddress, scales: stored.baseAddress, zeros: nil, bits: item.bits,
            scale_type: IRC_SCALE_F16, out: rows, in: n, group: item.group == 0 ? n : item.group,
            groups: groups, row_bytes: irc_packed_row_bytes(n, item.bits), values: nil,
            tensor_scale: nil, kind: item.kind, layout: IRC_LAYOUT_ROWS,
            levels: nil, level_step: 0)
          for row in 0..<rows {
            var values = [Float](repeating: 0, count: n)
            irc_dequantize_row(&values, &matrix, row)
            #expect(bitPatterns(values) == bitPatterns(Array(decoded[row * n..<(row + 1) * n])))
          }
        }
      }
    }
  }
}
