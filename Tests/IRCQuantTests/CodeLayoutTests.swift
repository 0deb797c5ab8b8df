import IRCQuant
import Testing

/// Which codes lie in panels.
@Suite("Layouts of codes")
struct CodeLayoutTests {
  /// A matrix, and what of it stands in the way of panels.
  struct Case: Sendable {
    var spec: QuantizationSpec
    var rows = 64
    var columns = 96
    var obstacle: String?
  }

  private static func integers(_ granularity: Granularity) -> QuantizationSpec {
    QuantizationSpec(.integer(bits: 4), granularity)
  }

  private static let cases = [
    Case(spec: integers(.row)), Case(spec: integers(.tensor)), Case(spec: integers(.group(48))),
    Case(spec: QuantizationSpec(.table(.nf4), .group(16))),
    Case(spec: integers(.group(40)), obstacle: "groups of 40 columns are no multiple of 16"),
    // One group, which is the row.
    Case(spec: integers(.group(100))),
    Case(spec: integers(.row), rows: 13),
    Case(spec: integers(.row), rows: 12, obstacle: "12 rows would be filled up to 16"),
    Case(spec: integers(.row), rows: 40),
    Case(
      spec: integers(.row), rows: 34, obstacle: "34 rows would be filled up to 48"),
    Case(
      spec: QuantizationSpec(.codebook(bits: 4), .row),
      obstacle: "the values of codebook4 are the tensor's own"),
    Case(
      spec: QuantizationSpec(.binary(bits: 2), .row),
      obstacle: "the values of binary2 are the tensor's own"),
  ]

  @Test("Panels take integers and tables with groups of whole steps and few rows of padding")
  func obstacles() {
    for example in Self.cases {
      let obstacle = CodeLayout.obstacleToPanels(
        example.spec, rows: example.rows, columns: example.columns)
      #expect(obstacle == example.obstacle)
    }
  }
}
