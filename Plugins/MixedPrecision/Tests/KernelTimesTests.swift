import IRCPassKit
import MixedPrecision
import Testing

@Suite("Times of kernels")
struct KernelTimesTests {
  private static func row(
    _ weights: String, activations: String = "f32", group: Int = 0, _ rows: Int, _ columns: Int,
    _ microseconds: Double
  ) -> KernelTimes.Row {
    KernelTimes.Row(
      weights: weights, activations: activations, group: group, rows: rows, columns: columns,
      seconds: microseconds * 1e-6)
  }

  private static let times = KernelTimes([
    row("int8", 512, 512, 10), row("int8", 2048, 2048, 200),
    row("int8", activations: "i8", 512, 512, 8),
    row("int4", group: 32, 512, 512, 7), row("int4", group: 128, 512, 512, 6),
    row("nvfp4", group: 16, 512, 512, 9), row("mxfp4", group: 32, 512, 512, 5),
  ])

  /// A question and its answer in microseconds.
  struct Case: Sendable {
    var spec: QuantizationSpec
    var rows = 512
    var columns = 512
    var activations: QuantizationSpec?
    var expected: Double?
  }

  private static let int8 = QuantizationSpec(.integer(bits: 8), .row)

  private static func groups(_ format: NumericFormat, _ size: Int, _ scale: ScaleFormat = .f16)
    -> QuantizationSpec
  {
    QuantizationSpec(format, .group(size), scaleFormat: scale)
  }

  private static func bits(_ spec: QuantizationSpec, _ rows: Int, _ columns: Int) -> Double {
    Double(spec.storedBits(rows: rows, columns: columns))
  }

  private static let cases = [
    Case(spec: int8, expected: 10), Case(spec: int8, activations: int8, expected: 8),
    // Activations of fewer bits run as those of 8.
    Case(
      spec: int8, activations: QuantizationSpec(.integer(bits: 4), .row), expected: 8),
    Case(
      spec: int8, rows: 1024, columns: 2048,
      expected: 200 * bits(int8, 1024, 2048) / bits(int8, 2048, 2048)),
    Case(
      spec: int8, rows: 256, columns: 512,
      expected: 10 * bits(int8, 256, 512) / bits(int8, 512, 512)),
    Case(spec: groups(.integer(bits: 4), 32), expected: 7),
    Case(spec: groups(.integer(bits: 4), 128), expected: 6),
    // No such group was measured: of those that were the one whose bytes are nearest.
    Case(
      spec: groups(.integer(bits: 4), 64),
      expected: 6 * bits(groups(.integer(bits: 4), 64), 512, 512)
        / bits(groups(.integer(bits: 4), 128), 512, 512)),
    Case(spec: groups(.table(.fp4), 16, .e4m3), expected: 9),
    Case(spec: groups(.table(.fp4), 32, .e8m0), expected: 5),
    Case(spec: groups(.table(.nf4), 32)),
    Case(spec: groups(.integer(bits: 4), 32), activations: int8),
  ]

  @Test("The time of a matrix is that of the nearest measured one of its formats, by bytes")
  func nearest() throws {
    for example in Self.cases {
      let found = Self.times.seconds(
        example.spec, rows: example.rows, columns: example.columns,
        activations: example.activations)
      guard let expected = example.expected else {
        #expect(found == nil)
        continue
      }
      let seconds = try #require(found, "\(example)")
      #expect(abs(seconds * 1e6 - expected) < 1e-9 * expected, "\(example): \(seconds)")
    }
  }
}
