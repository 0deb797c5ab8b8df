import IRCBench
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

  /// What schemes call the formats that the benchmark measures.
  private static let benchmarked = [
    int8, groups(.integer(bits: 4), 32), groups(.integer(bits: 4), 128),
    groups(.integer(bits: 3), 32), groups(.integer(bits: 2), 32),
    groups(.table(.fp4), 32, .e8m0), groups(.table(.fp4), 16, .e4m3), groups(.table(.nf4), 32),
    groups(.table(.nf4Int8), 32),
  ]

  @Test(
    "The benchmark's names of weights and activations are those of the formats that schemes name")
  func names() {
    let shape = MatrixShape(rows: 64, cols: 256)
    let products = KernelSuite.sections([shape], only: []).flatMap(\.cases).filter { $0.n == 1 }
    var found: Set<QuantizationSpec> = []
    for entry in products {
      let times = KernelTimes([
        Self.row(
          entry.weights, activations: entry.activations, group: entry.group, entry.rows, entry.cols,
          3)
      ])
      let activations = entry.activations == "f32" ? nil : Self.int8
      // Only of the format that was measured the time is the measured one, and not one that was made of it.
      let meant = Self.benchmarked.filter {
        let seconds = times.seconds(
          $0, rows: shape.rows, columns: shape.cols, activations: activations)
        return abs((seconds ?? 0) - 3e-6) < 1e-15
      }
      #expect(meant.count == 1, "\(entry.label): \(meant)")
      found.formUnion(meant)
    }
    #expect(found == Set(Self.benchmarked))
  }

  /// A row as a file holds it, with one value put in the place of another.
  private static func option(_ key: String, _ value: String) -> OptionValue {
    let span = SourceSpan(
      file: TextFile(path: "times.json", text: ""), line: 1, column: 1, length: 1)
    let row = [
      ("weights", "int4"), ("activations", "f32"), ("group", "32"), ("rows", "64"), ("cols", "64"),
      ("n", "1"), ("threads", "1"), ("seconds", "1e-06"),
    ].map { name, usual in
      OptionValue.Entry(
        key: name, keySpan: span,
        value: OptionValue(.scalar(name == key ? value : usual), span: span))
    }
    let rows = OptionValue(.sequence([OptionValue(.mapping(row), span: span)]), span: span)
    return OptionValue(
      .mapping([OptionValue.Entry(key: "rows", keySpan: span, value: rows)]), span: span)
  }

  @Test(
    "Sizes and times that nothing has are refused, and the greatest ones can be counted",
    arguments: [
      ("rows", "16777216", "16777217"), ("cols", "16777216", "9223372036854775807"),
      ("group", "16777216", "9223372036854775807"), ("rows", "1", "0"), ("cols", "1", "-1"),
      ("seconds", "1000", "1000.5"), ("seconds", "1e-9", "1e6"),
    ])
  func ranges(key: String, most: String, tooMuch: String) throws {
    let times = try KernelTimes(option: Self.option(key, most))
    #expect(times.rows.count == 1)
    for spec in Self.benchmarked {
      let seconds = times.seconds(spec, rows: 512, columns: 512, activations: nil)
      #expect(seconds?.isFinite != false)
    }
    let error = #expect(throws: DiagnosticList.self) {
      try KernelTimes(option: Self.option(key, tooMuch))
    }
    #expect(error?.description.contains("[options.range]") == true, "\(String(describing: error))")
  }
}
