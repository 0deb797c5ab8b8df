import IRCSupport
import IRCTestSupport
import Testing

@Suite("JSON writer")
struct JSONWriterTests {
  @Test func writesInOrder() {
    let document: JSON = [
      "z": 1, "a": [true, nil, 2.5], "empty": [:], "none": [], "text": "a\"b\\\n\u{1}\u{1f}é",
      "nan": .real(.nan), "inf": .real(-.infinity),
    ]
    #expect(
      document.serialized() == #"{"z":1,"a":[true,null,2.5],"empty":{},"none":[],"#
        + #""text":"a\"b\\\n\u0001\u001fé","nan":null,"inf":null}"#)
    let short: JSON = ["z": 1, "a": [true, ["k": []]], "e": [:]]
    #expect(
      short.serialized(indent: 2) == """
        {
          "z": 1,
          "a": [
            true,
            {
              "k": []
            }
          ],
          "e": {}
        }
        """)
  }

  @Test func doublesReadBack() throws {
    var generator = SeededGenerator(seed: 7)
    for _ in 0..<20_000 {
      let value = Double(bitPattern: generator.next())
      guard value.isFinite else { continue }
      let text = JSON.real(value).serialized()
      #expect(try JSONValue(parsing: text, path: "x").double().bitPattern == value.bitPattern)
    }
  }

  @Test func stringsReadBack() throws {
    var generator = SeededGenerator(seed: 8)
    for _ in 0..<2_000 {
      var text = String.UnicodeScalarView()
      for _ in 0..<Int.random(in: 0...20, using: &generator) {
        let top: UInt32 = [0x80, 0x800, 0x10000, 0x110000].randomElement(using: &generator) ?? 0x80
        if let scalar = Unicode.Scalar(UInt32.random(in: 0..<top, using: &generator)) {
          text.append(scalar)
        }
      }
      let written = JSON.string(String(text)).serialized()
      let back = try JSONValue(parsing: written, path: "x").string()
      #expect(Array(back.utf8) == Array(String(text).utf8))
    }
  }
}
