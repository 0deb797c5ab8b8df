import IRCSupport
import Testing

@Suite("JSON access")
struct JSONAccessTests {
  static let text = """
    {
      "hidden_size": 64, "rope": {"theta": 10000, "kind": "linear"},
      "eps": 1e-5, "tie": false, "names": ["a", 7], "none": null
    }
    """

  static func config() throws -> JSONValue {
    try JSONValue(parsing: text, path: "config.json")
  }

  @Test func readsWhatIsThere() throws {
    let config = try Self.config()
    #expect(try config["hidden_size"].int() == 64)
    #expect(try config["hidden_size"].int(in: 1...) == 64)
    #expect(try config["rope"]["theta"].double() == 10000)
    #expect(try config["rope"]["kind"].string(oneOf: ["linear", "yarn"]) == "linear")
    #expect(try config["eps"].double(in: 0...1) == 1e-5)
    #expect(try config["tie"].bool() == false)
    #expect(try config["names"].array().first?.string() == "a")
    #expect(try config.optional("none") == nil)
    #expect(try config.optional("absent") == nil)
    #expect(try config["none"].isNull)
    #expect(try config["names"].array()[1].keyPath == "names[1]")
    #expect(config.keyPath == "")
  }

  @Test func complainsAtTheValue() throws {
    let config = try Self.config()
    let cases: [(String, String, Int, Int, () throws -> Any)] = [
      (
        "json.wrong-type", "'hidden_size' should be a string, not an integer", 2, 18,
        { try config["hidden_size"].string() }
      ),
      (
        "json.wrong-type", "'names[1]' should be a string, not an integer", 3, 45,
        { try config["names"].array()[1].string() }
      ),
      (
        "json.wrong-type", "'eps' should be an integer, not a number", 3, 10,
        { try config["eps"].int() }
      ),
      (
        "json.wrong-type", "'rope' should be an array, not an object", 2, 30,
        { try config["rope"].array() }
      ),
      (
        "json.wrong-type", "'names' should be an object, not an array", 3, 39,
        { try config["names"]["x"] }
      ),
      ("json.missing-key", "the key 'rope.teta' is missing", 2, 30, { try config["rope"]["teta"] }),
      ("json.missing-key", "the key 'heads' is missing", 1, 1, { try config["heads"] }),
      (
        "json.out-of-range", "'hidden_size' is 64, which is not at least 100", 2, 18,
        { try config["hidden_size"].int(in: 100...) }
      ),
      (
        "json.out-of-range", "'hidden_size' is 64, which is not from 1 to 8", 2, 18,
        { try config["hidden_size"].int(in: 1...8) }
      ),
      (
        "json.out-of-range", "'rope.theta' is 10000.0, which is not below 1.0", 2, 40,
        { try config["rope"]["theta"].double(in: ..<1) }
      ),
      (
        "json.unknown-value", "'rope.kind' is \"linear\", which is not known", 2, 55,
        { try config["rope"]["kind"].string(oneOf: ["liner"]) }
      ),
    ]
    for (id, message, line, column, body) in cases {
      let error = #expect(throws: Diagnostic.self) { try body() }
      #expect(error?.id == id)
      #expect(error?.message == message)
      #expect(
        error?.location == SourceLocation(file: "config.json", line: line, column: column))
    }
  }

  @Test func drawsTheCaret() throws {
    let error = #expect(throws: Diagnostic.self) { try Self.config()["rope"]["kind"].int() }
    #expect(
      error?.rendered == """
        config.json:2:55: error: 'rope.kind' should be an integer, not a string [json.wrong-type]
         2 |   "hidden_size": 64, "rope": {"theta": 10000, "kind": "linear"},
           |                                                       ^~~~~~~~
        """)
  }

  @Test func keepsLongLinesOut() throws {
    let value = try JSONValue(
      parsing: "[" + String(repeating: "1,", count: 300) + "true]", path: "x")
    let error = #expect(throws: Diagnostic.self) { try value.array()[300].int() }
    #expect(error?.location?.column == 602)
    #expect(error?.sourceLine == nil)
  }

  @Test func reportsKeysThatNobodyRead() throws {
    let value = try JSONValue(
      parsing: #"{"hidden_size": 1, "num_layer": 2, "odd key": 3, "dtype": null}"#, path: "c.json")
    let reader = try JSONObjectReader(value)
    #expect(try reader.required("hidden_size").int() == 1)
    #expect(reader.optional("num_layers") == nil)
    #expect(reader.optional("dtype") == nil)
    #expect(reader.unread.map(\.key) == ["num_layer", "odd key"])
    let unknown = reader.unknownKeys()
    #expect(unknown.map(\.id) == ["json.unknown-key", "json.unknown-key"])
    #expect(unknown.map(\.hint) == ["did you mean 'num_layers'?", nil])
    #expect(unknown.map { $0.location?.column } == [20, 36])
    #expect(unknown[1].message == #"the key '["odd key"]' is not known"#)
    reader.ignore(["num_layer", "odd key"])
    #expect(reader.unknownKeys().isEmpty)
    #expect(throws: Diagnostic.self) { try reader.required("absent") }
  }
}
