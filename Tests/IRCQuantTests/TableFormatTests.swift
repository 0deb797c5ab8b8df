import CKernels
import Foundation
import IRCQuant
import Testing

@Suite("Tables of values")
struct TableFormatTests {
  /// Sign, exponent and mantissa put together in double precision.
  private static func minifloat(_ code: Int, exponentBits: Int, mantissaBits: Int) -> Double {
    let bias = (1 << (exponentBits - 1)) - 1
    let exponent = code >> mantissaBits & ((1 << exponentBits) - 1)
    let fraction = Double(code & ((1 << mantissaBits) - 1)) / Double(1 << mantissaBits)
    let magnitude =
      exponent == 0
      ? fraction * pow(2, Double(1 - bias)) : (1 + fraction) * pow(2, Double(exponent - bias))
    return code >> (exponentBits + mantissaBits) == 0 ? magnitude : -magnitude
  }

  @Test("Every code of E4M3 is what its bits say, with NaN in the place of 480")
  func e4m3() {
    let values = TableFormat.fp8E4M3.values
    #expect(values.count == 256)
    for code in 0..<256 {
      if code & 0x7F == 0x7F {
        #expect(values[code].isNaN)
      } else {
        #expect(
          Double(values[code]) == Self.minifloat(code, exponentBits: 4, mantissaBits: 3))
      }
    }
    #expect(values[0x7E] == 448 && values[1] == 0x1p-9 && values[8] == 0x1p-6)
  }

  @Test("Every code of E5M2 is the half-precision number of which it is the high byte")
  func e5m2() {
    let values = TableFormat.fp8E5M2.values
    for code in 0..<256 {
      let half = Float(Float16(bitPattern: UInt16(code) << 8))
      #expect(values[code] == half || values[code].isNaN && half.isNaN)
    }
    #expect(values[0x7B] == 57344 && values[1] == 0x1p-16)
  }

  @Test("Codes of E2M1 are those of the OCP specification")
  func e2m1() {
    let magnitudes: [Float] = [0, 0.5, 1, 1.5, 2, 3, 4, 6]
    #expect(TableFormat.fp4.values == magnitudes + magnitudes.map { -$0 })
  }

  @Test("Values of NF4 are quantiles of the normal distribution over the outermost one")
  func nf4() {
    func quantile(_ p: Double) -> Double {
      var (low, high) = (-10.0, 10.0)
      for _ in 0..<200 {
        let middle = (low + high) / 2
        if erfc(-middle / 2.0.squareRoot()) / 2 < p { low = middle } else { high = middle }
      }
      return low
    }
    let outer = 0.9677083
    let negative = (0..<8).map { 1 - outer + (outer - 0.5) * Double($0) / 7 }
    let positive = (1...8).map { 0.5 + (outer - 0.5) * Double($0) / 8 }
    for (value, p) in zip(TableFormat.nf4.values, negative + positive) {
      #expect(abs(Double(value) - quantile(p) / quantile(outer)) < 2e-6)
    }
  }

  @Test("Logarithmic values are powers of two and of its root, with zero")
  func logarithmic() {
    #expect(
      TableFormat.log2.values[..<8] == [0, 0x1p-6, 0x1p-5, 0x1p-4, 0.125, 0.25, 0.5, 1])
    for (format, count) in [(TableFormat.post, 8), (.post5, 16)] {
      for (code, value) in format.values[1..<count].enumerated() {
        #expect(value == Float(pow(2, -Double(count - 2 - code) / 2)))
      }
      #expect(
        format.values[0] == 0
          && format.values[count...].elementsEqual(
            format.values[..<count].map { -$0 })
      )
    }
  }

  @Test("Encoding the value of a code gives the code", arguments: TableFormat.allCases)
  func codesAreTheirOwn(format: TableFormat) {
    let values = format.values
    #expect(values.count == 1 << format.bits)
    let codes = Self.codes(of: values, format)
    for (code, value) in values.enumerated() where value.isFinite && value != 0 {
      #expect(Int(codes[code]) & (values.count - 1) == code)
    }
    for (code, value) in values.enumerated() where value == 0 {
      #expect(values[Int(codes[code]) & (values.count - 1)] == 0)
    }
  }

  @Test(
    "Rounding goes to the nearest value, ties to the even code", arguments: TableFormat.allCases)
  func roundsToNearest(format: TableFormat) {
    let values = format.values
    let levels = values.filter(\.isFinite).sorted()
    // Points between neighbours, at, just below and just above the middle.
    var points: [Float] = [.infinity, -.infinity, .nan, levels[0] * 2, 0, -0]
    for (below, above) in zip(levels, levels.dropFirst()) {
      let middle = below / 2 + above / 2
      points += [middle, middle.nextUp, middle.nextDown, below + (above - below) / 4]
    }
    let codes = Self.codes(of: points, format)
    for (point, code) in zip(points, codes) {
      let index = Int(code) & (values.count - 1)
      let value = Double(point.isNaN ? 0 : min(max(point, levels[0]), levels[levels.count - 1]))
      let distance = abs(Double(values[index]) - value)
      for (other, candidate) in values.enumerated() where candidate.isFinite {
        let rival = abs(Double(candidate) - value)
        #expect(rival >= distance, "\(point)")
        if rival == distance, candidate != values[index], code & 1 != 0 {
          #expect(other & 1 != 0, "\(point) lies between code \(index) and the even \(other)")
        }
      }
    }
  }

  /// Codes under a scale of 1.
  private static func codes(of points: [Float], _ format: TableFormat) -> [Int8] {
    let spec = QuantizationSpec(.table(format), .row).kernelSpec()
    var codes = [Int8](repeating: 99, count: points.count)
    irc_encode_rows(&codes, points.count, points, points.count, [1], nil, 1, points.count, spec)
    return codes
  }

  @Test("A uniform table has the steps of the integers, a finer one more")
  func equivalentSteps() {
    #expect(NumericFormat.integer(bits: 4).largestMagnitude == 7)
    // Gaps of E2M1 on −6…6: eight of ½, four of 1, two of 2.
    let mean: Double = (8 * 0.125 + 4 * 1 + 2 * 8) / 12
    #expect(abs(NumericFormat.table(.fp4).largestMagnitude - 6 / mean.squareRoot()) < 1e-12)
    #expect(
      NumericFormat.table(.fp8E4M3).largestMagnitude > NumericFormat.table(.fp4).largestMagnitude)
  }
}
