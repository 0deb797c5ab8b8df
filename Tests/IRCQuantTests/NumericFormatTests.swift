import IRCQuant
import Testing

@Suite("Formats and granularities")
struct NumericFormatTests {
  @Test("Every format is found by the name that it prints", arguments: NumericFormat.all)
  func names(format: NumericFormat) {
    #expect(NumericFormat(name: format.description) == format)
  }

  @Test(
    "Other names are no formats", arguments: ["", "int", "int1", "int16", "Int8", "int8 ", "fp8"])
  func unknownNames(name: String) {
    #expect(NumericFormat(name: name) == nil)
  }

  @Test(
    "A row has one scale, or one for each group with the last one short",
    arguments: [
      (Granularity.tensor, 172, 1), (.row, 172, 1), (.group(32), 172, 6), (.group(32), 160, 5),
      (.group(32), 1, 1), (.group(64), 64, 1), (.group(64), 65, 2),
    ])
  func scales(granularity: Granularity, columns: Int, expected: Int) {
    #expect(granularity.scales(inRowOf: columns) == expected)
  }
}
