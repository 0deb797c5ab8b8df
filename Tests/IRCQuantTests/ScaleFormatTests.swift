import CKernels
import Foundation
import IRCQuant
import Testing

@Suite("Scales of eight bits")
struct ScaleFormatTests {
  private static let fp4 = NumericFormat.table(.fp4)

  /// The scale of one group.
  private func scale(
    _ x: [Float], _ format: NumericFormat, _ scales: ScaleFormat, tensorScale: Float = 0
  ) -> Float {
    let spec = QuantizationSpec(format, .row, scaleFormat: scales)
    var scale: Float = -1
    irc_encode_params_rows(
      &scale, nil, x, x.count, 1, x.count, spec.kernelSpec(tensorScale: tensorScale))
    return scale
  }

  @Test(
    "Powers of two follow the floor rule, or the even rule from 1¾ on",
    arguments: [
      (4, 1, 1), (6, 1, 1), (6.999, 1, 1), (7, 1, 2), (7.999, 1, 2), (8, 2, 2), (1, 0.25, 0.25),
      (1.75, 0.25, 0.5), (0x1p100, 0x1p98, 0x1p98),
    ] as [(Float, Float, Float)])
  func powers(largest: Float, floor: Float, even: Float) {
    #expect(scale([0, -largest, 0.1], Self.fp4, .e8m0Floor) == floor)
    #expect(scale([largest, 0.1, 0], Self.fp4, .e8m0) == even)
  }

  @Test("The largest magnitude over its power stays in the range of the rule")
  func rangeOfThePower() {
    for format in [Self.fp4, .table(.fp8E4M3), .table(.fp8E5M2), .table(.nf4), .integer(bits: 4)] {
      let largest =
        switch format {
        case .integer: 7.5
        case .table(let table): Double(table.values.filter(\.isFinite).max() ?? 0)
        case .codebook, .binary: 0.0
        }
      let power = exp2(Foundation.log2(largest).rounded(.down))
      let threshold = (largest + 2 * power) / 2
      for step in 0..<200 {
        let x = Float(exp2(Double(step) / 20 - 5))
        let floor = Double(x) / Double(scale([x], format, .e8m0Floor))
        #expect(floor >= power && floor < 2 * power)
        let even = Double(x) / Double(scale([x], format, .e8m0))
        #expect(even >= threshold / 2 && even < threshold)
      }
    }
  }

  @Test("Groups of zeros, of tiny and huge numbers, and with NaN or infinity have powers too")
  func specialPowers() {
    #expect(scale([0, -0], Self.fp4, .e8m0) == 0x1p-127)
    #expect(scale([0x1p-149], Self.fp4, .e8m0) == 0x1p-127)
    #expect(scale([0x1p-126], Self.fp4, .e8m0Floor) == 0x1p-127)
    #expect(scale([.greatestFiniteMagnitude], Self.fp4, .e8m0) == 0x1p126)
    #expect(scale([.greatestFiniteMagnitude], .table(.nf4), .e8m0) == 0x1p127)
    #expect(scale([.nan, 4], Self.fp4, .e8m0) == 1)
    #expect(scale([.infinity, 4], Self.fp4, .e8m0).isNaN)
  }

  /// Stores scales and reads them back.
  private func stored(
    _ scales: [Float], _ format: ScaleFormat, tensorScale: Float = 1
  ) -> (bytes: [UInt8], wrong: Int, values: [Float]) {
    var bytes = [UInt8](repeating: 0, count: scales.count * format.bits / 8)
    let wrong = irc_pack_scales(
      &bytes, scales, scales.count, format.kernelType, tensorScale)
    // One row of codes 1 of a table in which 1 is 1, a scale for each column.
    let codes = [UInt8](repeating: 1, count: irc_packed_row_bytes(scales.count, 8))
    let table = (0..<256).map { Float($0) }
    var values = [Float](repeating: 0, count: scales.count)
    withUnsafePointer(to: tensorScale) { tensorScale in
      table.withUnsafeBufferPointer { table in
        codes.withUnsafeBytes { codes in
          bytes.withUnsafeBytes { bytes in
            var w = irc_packed_weights(
              codes: codes.baseAddress, scales: bytes.baseAddress, zeros: nil, bits: 8,
              scale_type: format.kernelType, out: 1, in: scales.count, group: 1,
              groups: scales.count, row_bytes: codes.count, values: table.baseAddress,
              tensor_scale: tensorScale, kind: IRC_CODES_SCALED,
              layout: IRC_LAYOUT_ROWS, levels: nil, level_step: 0)
            irc_dequantize_row(&values, &w, 0)
          }
        }
      }
    }
    return (bytes, wrong, values)
  }

  @Test("Every power of two but the NaN is stored exactly as its byte")
  func powersAreStored() {
    let powers = (0..<255).map { Float(sign: .plus, exponent: $0 - 127, significand: 1) }
    let result = stored(powers, .e8m0)
    #expect(result.bytes == (0..<255).map { UInt8($0) })
    #expect(result.wrong == powers.count && result.values == powers)
    #expect(stored([1, 3], .e8m0Floor).wrong == 1)
    #expect(stored([0], .e8m0).wrong == 0)
    #expect(stored([0.1, 0.5], .f16).wrong == 0)
  }

  @Test("Every number of E4M3 is stored exactly as its byte, and others as the nearest")
  func shortFloatsAreStored() {
    let numbers = Array(TableFormat.fp8E4M3.values[..<0x7F])
    let result = stored(numbers.map { $0 * 0.75 }, .e4m3, tensorScale: 0.75)
    #expect(result.bytes == (0..<0x7F).map { UInt8($0) })
    #expect(result.wrong == numbers.count && result.values == numbers.map { $0 * 0.75 })
    for (code, (below, above)) in zip(numbers, numbers.dropFirst()).enumerated() {
      let middle = (below + above) / 2
      let bytes = stored([middle.nextDown, middle, middle.nextUp], .e4m3).bytes
      #expect(bytes == [code, code + code % 2, code + 1].map { UInt8($0) })
    }
    #expect(stored([1e9], .e4m3).bytes == [0x7E])
  }

  @Test("Scales of NVFP4 are exact products, and the tensor's scale is found from them")
  func tensorScales() {
    let spec = QuantizationSpec(Self.fp4, .group(16), scaleFormat: .e4m3)
    for largest: Float in [0.013, 1, 2688, 5.3e-20, 3e38, 1.7e-36] {
      let tensorScale = spec.tensorScale(absoluteMaximum: largest)
      #expect(tensorScale.bitPattern & 0xFF == 0)
      #expect(Double(tensorScale) * 2688 >= Double(largest) && tensorScale >= 0x1p-100)
      let groups = (0..<40).map { largest * Float(exp2(-Double($0) / 3)) }
      let scales = groups.map { scale([0, $0], Self.fp4, .e4m3, tensorScale: tensorScale) }
      for value in scales {
        let ratio = value / tensorScale
        #expect(TableFormat.fp8E4M3.values.contains(ratio) && ratio * tensorScale == value)
      }
      let found = irc_common_tensor_scale(scales, scales.count)
      let result = stored(scales, .e4m3, tensorScale: found)
      #expect(result.wrong == scales.count && result.values == scales)
      // The best number of E4M3 is at most half a step of 1/8 away, above the subnormals.
      for (group, value) in zip(groups, scales) where group / 6 >= tensorScale * 0x1p-6 {
        #expect(abs(value / (group / 6) - 1) <= 0.0626)
      }
    }
  }

  @Test("Tensors without a common scale have none; special groups are defined")
  func specialTensors() {
    #expect(irc_common_tensor_scale([1, 1.01, 1.02], 3) == 0)
    #expect(irc_common_tensor_scale([0, 0], 2) == 1)
    let spec = QuantizationSpec(Self.fp4, .group(16), scaleFormat: .e4m3)
    let least = spec.tensorScale(absoluteMaximum: 0)
    #expect(least == 0x1p-100)
    #expect(scale([0, 0], Self.fp4, .e4m3, tensorScale: least) == 0)
    #expect(scale([0x1p-149], Self.fp4, .e4m3, tensorScale: least) == 0)
    #expect(scale([.nan, 6], Self.fp4, .e4m3, tensorScale: 1) == 1)
    #expect(scale([.infinity, 6], Self.fp4, .e4m3, tensorScale: 1) == .infinity)
    #expect(spec.tensorScale(absoluteMaximum: .infinity) == .infinity)
    #expect(scale([6], Self.fp4, .e4m3, tensorScale: .infinity) == .infinity)
  }

  @Test(
    "What does not fit together is said",
    arguments: [
      (QuantizationSpec(.table(.nf4), .row, isSymmetric: false), "no zero points"),
      (QuantizationSpec(.integer(bits: 4), .row, isSymmetric: false, scaleFormat: .e8m0), "e8m0"),
      (QuantizationSpec(.integer(bits: 9), .row), "2 to 8 bits"),
      (QuantizationSpec(.integer(bits: 4), .group(0)), "at least 1"),
    ])
  func problems(spec: QuantizationSpec, reason: String) {
    #expect(spec.problem?.contains(reason) == true)
    #expect(QuantizationSpec(.table(.fp4), .row, scaleFormat: .e4m3).problem == nil)
  }
}
