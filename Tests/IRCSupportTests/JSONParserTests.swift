import IRCSupport
import IRCTestSupport
import Testing

@Suite("JSON parser")
struct JSONParserTests {
  static func parse(_ text: String, allowNonFinite: Bool = false) throws -> JSONValue {
    try JSONValue(parsing: text, path: "test.json", allowNonFinite: allowNonFinite)
  }

  /// Valid documents and what they read back as.
  @Test(arguments: [
    ("null", "null"), (" true\n", "true"), ("false", "false"), ("\t-12\r\n", "-12"),
    ("9223372036854775807", "9223372036854775807"),
    ("-9223372036854775808", "-9223372036854775808"),
    ("9223372036854775808", "9.223372036854776e+18"), ("1.0", "1.0"), ("1e-6", "1e-06"),
    ("0.1", "0.1"), ("-0", "0"), ("-0.0", "-0.0"), ("1E+2", "100.0"), ("5e-324", "5e-324"),
    ("[]", "[]"), ("{}", "{}"), ("[1, [2], {}]", "[1,[2],{}]"),
    (#"{"b": 1, "a": {"": null}}"#, #"{"b":1,"a":{"":null}}"#),
    (#""\"\\\/\b\f\n\r\t""#, #""\"\\/\u0008\u000c\n\r\t""#),
    (#""\u00e9\u0000\ud83d\uDE00""#, "\"é\\u0000😀\""),
    ("\"▁ é e\u{301} \u{7f}\"", "\"▁ é e\u{301} \u{7f}\""),
  ])
  func reads(_ text: String, _ written: String) throws {
    #expect(Array(JSON(try Self.parse(text)).serialized().utf8) == Array(written.utf8))
  }

  /// Faulty documents: identifier, line and column of the complaint.
  @Test(arguments: [
    ("", "json.syntax", 1, 1), ("  \n ", "json.syntax", 2, 2), ("nul", "json.syntax", 1, 1),
    ("[1,]", "json.syntax", 1, 4), ("[1 2]", "json.syntax", 1, 4),
    ("{\"a\":1,}", "json.syntax", 1, 8),
    ("{a:1}", "json.syntax", 1, 2), ("{\"a\" 1}", "json.syntax", 1, 6), ("[1", "json.syntax", 1, 3),
    ("[\n  1\n] x", "json.syntax", 3, 3), ("01", "json.syntax", 1, 1), ("-", "json.syntax", 1, 2),
    ("1.", "json.syntax", 1, 3), ("1e", "json.syntax", 1, 3), (".5", "json.syntax", 1, 1),
    ("+1", "json.syntax", 1, 1), ("-NaN", "json.syntax", 1, 2), ("NaN", "json.syntax", 1, 1),
    ("[Infinity]", "json.syntax", 1, 2), ("-Infinity", "json.syntax", 1, 1),
    ("1e999", "json.number-range", 1, 1), ("\"", "json.syntax", 1, 1),
    ("\"a\nb\"", "json.syntax", 1, 3),
    (#""\x""#, "json.syntax", 1, 2), (#""\u12g4""#, "json.syntax", 1, 2),
    (#""\"#, "json.syntax", 1, 2),
    (#""é\ud800""#, "json.syntax", 1, 3), (#""\udc00""#, "json.syntax", 1, 2),
    (#""\ud800\u0041""#, "json.syntax", 1, 2), (#""\ud800\"#, "json.syntax", 1, 2),
    ("{\"é\": 1,\n \"é\": 2}", "json.duplicate-key", 2, 2), ("\u{feff}1", "json.syntax", 1, 1),
  ])
  func refuses(_ text: String, _ id: String, _ line: Int, _ column: Int) {
    let error = #expect(throws: Diagnostic.self) { try Self.parse(text) }
    #expect(error?.id == id)
    #expect(
      error?.location == SourceLocation(file: "test.json", line: line, column: column))
  }

  @Test func refusesBytesThatAreNotText() {
    let bytes = Array("{\"k\": \"ab".utf8) + [0xC3, 0x28] + Array("\"}".utf8)
    let error = #expect(throws: Diagnostic.self) { try JSONValue(parsing: bytes, path: "x") }
    #expect(error?.id == "json.not-utf8")
    #expect(error?.location?.column == 10)
    #expect(throws: Diagnostic.self) { try JSONValue(parsing: [0xFF], path: "x") }
    #expect(throws: Diagnostic.self) {
      try JSONValue(parsing: [0x22, 0x5C, 0x6E, 0x80, 0x22], path: "x")
    }
  }

  @Test func readsNonFiniteWordsWhenAsked() throws {
    let list = try Self.parse("[Infinity, -Infinity, NaN]", allowNonFinite: true).array()
    #expect(try list[0].double() == .infinity)
    #expect(try list[1].double() == -.infinity)
    #expect(try list[2].double().isNaN)
  }

  @Test func nestsUpToTheLimit() throws {
    let text = String(repeating: "[", count: 128) + String(repeating: "]", count: 128)
    #expect(JSON(try Self.parse(text)).serialized() == text)
    for (opening, count, column) in [("[", 100_000, 129), ("{\"a\":", 129, 641)] {
      let error = #expect(throws: Diagnostic.self) {
        try Self.parse(String(repeating: opening, count: count))
      }
      #expect(error?.id == "json.too-deep")
      #expect(error?.location?.column == column)
    }
  }

  /// Keys are different when their bytes are, also where `String` calls them equal; small and large objects alike.
  @Test(arguments: [0, 10, 11, 12, 13, 5000])
  func comparesKeysByBytes(_ others: Int) throws {
    let filler = (0..<others).map { "\"k\($0)\": \($0)" }
    let members = filler + ["\"\u{E9}\": 1001", "\"e\u{301}\": 1002"]
    let object = try Self.parse("{\(members.joined(separator: ", "))}").object()
    #expect(object.count == others + 2)
    #expect(try object["\u{E9}"]?.int() == 1001)
    #expect(try object["e\u{301}"]?.int() == 1002)
    #expect(object["e"] == nil)
    for place in 0..<others { #expect(try object["k\(place)"]?.int() == place) }
    let repeated = filler + ["\"k\": 1", "\"k\": 2"]
    let error = #expect(throws: Diagnostic.self) {
      try Self.parse("{\(repeated.joined(separator: ", "))}")
    }
    #expect(error?.id == "json.duplicate-key")
  }

  @Test func fuzz() {
    var fuzzer = Fuzzer(
      texts: [
        #"{"model": {"vocab": {"a": 0, "\u00e9": 1}, "merges": [["a", "b"], "a b"]}, "x": 1.5e-3}"#,
        #"[null, true, false, -1, 0.25, "\ud83d\ude00 \n", [], {}, [[[[]]]], Infinity, -Infinity, NaN]"#,
        #"{"__metadata__":{"format":"pt"},"w":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}}"#,
      ],
      words: ["{", "}", "[", "]", ",", ":", "\"", "\\u", "\\", "1e999", "-", "\u{E9}", "[[[[[[[["])
    var read = 0
    let tried = fuzzer.run(for: .seconds(2)) { bytes in
      do {
        let value = try JSONValue(parsing: bytes, path: "fuzz", allowNonFinite: true)
        _ = JSON(value).serialized(indent: 2)
        read += 1
      } catch let error as Diagnostic {
        #expect(error.location != nil && !error.rendered.isEmpty)
      } catch {
        Issue.record("not a diagnostic: \(error)")
      }
    }
    #expect(read > 0 && read < tried)
  }

  @Test(.enabled(if: Shared.data("tokenizer-gpt-neox-20b") != nil, "needs shared/data"))
  func readsLargeFilesFast() throws {
    let path = try #require(Shared.data("tokenizer-gpt-neox-20b/tokenizer.json"))
    var root: JSONValue?
    let time = try ContinuousClock().measure { root = try JSONValue(reading: path) }
    let vocabulary = try #require(root)["model"]["vocab"].object()
    #expect(vocabulary.count == 50254)
    #expect(try vocabulary["Ġthe"]?.int() == 253)
    // Some tens of milliseconds alone; quadratic time would be minutes.
    #expect(time < .seconds(30), "took \(time)")
    print("2.5 MB of JSON read in \(time)")
  }
}
