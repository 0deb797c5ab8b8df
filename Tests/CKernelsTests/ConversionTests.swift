import CKernels
import Testing

@Suite("Conversions of half and brain floats")
struct ConversionTests {
  @Test func everyHalfValue() {
    let halves = (0...UInt16.max).map { $0 }
    var floats = [Float](repeating: 0, count: halves.count)
    irc_f16_to_f32(&floats, halves, halves.count)
    for (half, float) in zip(halves, floats) {
      let exact = Float(Float16(bitPattern: half))
      if exact.isNaN {
        #expect(float.isNaN && !float.isSignalingNaN)
      } else {
        #expect(float.bitPattern == exact.bitPattern, "half \(half)")
        #expect(irc_f16_value_ref(half).bitPattern == exact.bitPattern, "half \(half)")
      }
    }
    var back = [UInt16](repeating: 0, count: halves.count)
    irc_f32_to_f16(&back, floats, floats.count)
    for (half, again) in zip(halves, back) where !Float16(bitPattern: half).isNaN {
      #expect(half == again)
    }
  }

  @Test func floatsRoundToEven() {
    // Midpoints between halves, their neighbours, and a sweep over all floats.
    var inputs = (0..<UInt16(0x7c00)).flatMap { half -> [Float] in
      let middle =
        half == 0x7bff
        ? 65520 : (Float(Float16(bitPattern: half)) + Float(Float16(bitPattern: half + 1))) / 2
      return [middle, middle.nextUp, middle.nextDown, -middle]
    }
    inputs += stride(from: UInt32(0), to: UInt32.max - 9973, by: 9973).map(Float.init(bitPattern:))
    var halves = [UInt16](repeating: 0, count: inputs.count)
    irc_f32_to_f16(&halves, inputs, inputs.count)
    for (x, half) in zip(inputs, halves) {
      if x.isNaN {
        #expect(Float16(bitPattern: half).isNaN)
      } else if half != Float16(x).bitPattern {
        Issue.record("\(x) became \(half)")
      }
    }
  }

  @Test func brainFloatsKeepTheirBits() {
    let halves = (0...UInt16.max).map { $0 }
    var floats = [Float](repeating: 0, count: halves.count)
    irc_bf16_to_f32(&floats, halves, halves.count)
    #expect(bitPatterns(floats) == halves.map { UInt32($0) << 16 })
  }

  @Test(arguments: oddSizes + [4095, 4096, 4097, 9000])
  func nonfiniteValuesAreCounted(size: Int) {
    var x = Samples(7).floatsCopy(size)
    var first = -1
    #expect(irc_count_nonfinite_f32(x, size, &first) == 0)
    #expect(first == size)
    x[size - 1] = .nan
    x[size / 2] = -.infinity
    #expect(irc_count_nonfinite_f32(x, size, &first) == (size / 2 == size - 1 ? 1 : 2))
    #expect(first == size / 2)
  }
}

extension Samples {
  fileprivate func floatsCopy(_ count: Int) -> [Float] {
    var copy = self
    return copy.floats(count)
  }
}
