import IRCFrontend
import IRCSupport
import IRCTensor
import IRCTestSupport
import Testing

@Suite("Safetensors files")
struct SafetensorsTests {
  private func open(_ bytes: [UInt8]) throws -> SafetensorsFile {
    let folder = try TemporaryFolder()
    return try withExtendedLifetime(folder) {
      try SafetensorsFile(path: try folder.write("f.safetensors", bytes))
    }
  }

  /// Identifiers and messages of what is wrong with a file.
  private func problems(_ bytes: [UInt8]) throws -> [String] {
    do {
      _ = try open(bytes)
      return []
    } catch let error as DiagnosticList {
      for problem in error.diagnostics {
        #expect(problem.location?.file.hasSuffix("/f.safetensors") ?? false)
        #expect(problem.hint != nil)
      }
      return error.diagnostics.map { "\($0.id): \($0.message)" }
    }
  }

  @Test("Tensors are described in the order of their data, with places in the file")
  func contents() throws {
    let bytes = Safetensors.file(
      [
        TinyTensor("b", "F32", [2, 3], [0, 1, 2, 3, 4, 5]),
        TinyTensor("a", "F16", [2], [1, 2]),
        TinyTensor("scalar", "BF16", [], [7]),
        TinyTensor("empty", "F64", [3, 0], []),
        TinyTensor("ids", "I64", [1], [9]),
      ], metadata: "{\"format\": \"pt\", \"x\": \"y\"}")
    let file = try open(bytes)
    let start = bytes.count - 38
    #expect(
      file.tensors.map {
        "\($0.name) \($0.description) \($0.bytes.lowerBound - start)..<\($0.bytes.upperBound - start)"
      } == [
        "b F32[2, 3] 0..<24", "a F16[2] 24..<28", "scalar BF16[] 28..<30",
        "empty F64[3, 0] 30..<30", "ids I64[1] 30..<38",
      ])
    #expect(file.metadata.map { "\($0.key)=\($0.value)" } == ["format=pt", "x=y"])
  }

  @Test("A file without tensors is a file")
  func empty() throws {
    #expect(try open(Safetensors.file([])).tensors.isEmpty)
    #expect(try open(Safetensors.file(header: "{}   ")).tensors.isEmpty)
  }

  struct Bad: CustomTestStringConvertible, Sendable {
    let testDescription: String
    let expected: [String]
    let bytes: [UInt8]

    init(_ name: String, _ bytes: [UInt8], _ expected: String...) {
      testDescription = name
      self.expected = expected
      self.bytes = bytes
    }
  }

  /// A header with one entry a line of `entries`, and some bytes of data.
  private static func file(_ entries: String..., data: Int) -> [UInt8] {
    Safetensors.file(
      header: "{" + entries.joined(separator: ", ") + "}", data: [UInt8](repeating: 0, count: data))
  }

  private static func entry(
    _ name: String, _ type: String = "F32", _ shape: String = "[2]", _ offsets: String = "[0, 8]"
  ) -> String {
    "\"\(name)\": {\"dtype\": \"\(type)\", \"shape\": \(shape), \"data_offsets\": \(offsets)}"
  }

  static let bad = [
    Bad(
      "nothing", [],
      "checkpoint.truncated: the file has 0 bytes, too few for a safetensors header"),
    Bad(
      "half a length", [1, 2, 3],
      "checkpoint.truncated: the file has 3 bytes, too few for a safetensors header"),
    Bad(
      "header longer than the file", Safetensors.file(header: "{}", length: 1000),
      "checkpoint.truncated: the header claims 1000 bytes and the file has 2 left"),
    Bad(
      "header longer than allowed", Safetensors.file(header: "{}", length: 100_000_001),
      "checkpoint.header: the header claims 100000001 bytes; the format allows 100000000"),
    Bad(
      "header as long as can be", Safetensors.file(header: "{}", length: .max),
      "checkpoint.header: the header claims 18446744073709551615 bytes; the format allows 100000000"
    ),
    Bad(
      "no header", Safetensors.file(header: ""),
      "checkpoint.header: the header does not begin with '{'"),
    Bad(
      "a list", Safetensors.file(header: "[]"),
      "checkpoint.header: the header does not begin with '{'"),
    Bad(
      "no JSON", Safetensors.file(header: "{\"a\": }"),
      "checkpoint.header: the header is damaged at byte 14: expected a value, not '}'"),
    Bad(
      "text behind the header", Safetensors.file(header: "{} x"),
      "checkpoint.header: the header is damaged at byte 11: unexpected 'x' after the end of the document"
    ),
    Bad(
      "a pointer of Git LFS", Array("version https://git-lfs.github.com/spec/v1\n".utf8),
      "checkpoint.header: this is a Git LFS pointer, not the file itself"),
    Bad(
      "a name twice", file(entry("a"), entry("a"), data: 8),
      "checkpoint.header: the header is damaged at byte 70: the key \"a\" appears twice"),
    Bad(
      "an entry that is no object", file("\"a\": 3", data: 0),
      "checkpoint.header: tensor 'a': 'a' should be an object, not an integer"),
    Bad(
      "an entry without a type", file("\"a\": {\"shape\": [], \"data_offsets\": [0, 4]}", data: 4),
      "checkpoint.header: tensor 'a': the key 'a.dtype' is missing"),
    Bad(
      "an entry with something else",
      file(
        "\"a\": {\"dtype\": \"F32\", \"shape\": [], \"data_offsets\": [0, 4], \"stride\": 1}",
        data: 4),
      "checkpoint.header: tensor 'a': the key 'a.stride' is not known"),
    Bad(
      "remarks that are no text", file("\"__metadata__\": {\"a\": 1}", data: 0),
      "checkpoint.header: tensor '__metadata__': '__metadata__.a' should be a string, not an integer"
    ),
    Bad(
      "an unknown type", file(entry("a", "F31"), data: 8),
      "checkpoint.dtype: tensor 'a' has the unknown element type 'F31'"),
    Bad(
      "a negative extent", file(entry("a", "F32", "[-2]"), data: 8),
      "checkpoint.header: tensor 'a': 'a.shape[0]' is -2, which is not at least 0"),
    Bad(
      "extents that overflow",
      file(entry("a", "F32", "[4294967296, 4294967296, 0]", "[0, 0]"), data: 0),
      "checkpoint.shape: tensor 'a' has the impossible shape [4294967296, 4294967296, 0]"),
    Bad(
      "three offsets", file(entry("a", "F32", "[2]", "[0, 8, 8]"), data: 8),
      "checkpoint.header: tensor 'a': 'data_offsets' must be a first byte and a last one that is not before it"
    ),
    Bad(
      "offsets in the wrong order", file(entry("a", "F32", "[2]", "[8, 0]"), data: 8),
      "checkpoint.header: tensor 'a': 'data_offsets' must be a first byte and a last one that is not before it"
    ),
    Bad(
      "fewer bytes than the shape takes", file(entry("a", "F32", "[3]"), data: 8),
      "checkpoint.offsets: tensor 'a' takes 8 bytes; F32 of shape [3] takes 12"),
    Bad(
      "half a byte", file(entry("a", "F4", "[3]", "[0, 2]"), data: 2),
      "checkpoint.offsets: tensor 'a' takes 2 bytes; F4 of shape [3] takes 12 bits"),
    Bad(
      "offsets that overflow",
      file(
        entry("a", "U8", "[1]", "[9223372036854775806, 9223372036854775807]"), data: 1),
      "checkpoint.offsets: tensor 'a' ends at the impossible byte 9223372036854775807"),
    Bad(
      "overlapping tensors",
      file(entry("a"), entry("b", "F32", "[2]", "[4, 12]"), data: 12),
      "checkpoint.offsets: the data of tensor 'b' overlaps that of 'a' by 4 bytes"),
    Bad(
      "two tensors at one place", file(entry("a"), entry("b"), data: 8),
      "checkpoint.offsets: the data of tensor 'b' overlaps that of 'a' by 8 bytes"),
    Bad(
      "a gap", file(entry("a"), entry("b", "F32", "[2]", "[12, 20]"), data: 20),
      "checkpoint.offsets: 4 bytes between 'a' and tensor 'b' belong to no tensor"),
    Bad(
      "a gap in front", file(entry("a", "F32", "[2]", "[4, 12]"), data: 12),
      "checkpoint.offsets: 4 bytes before tensor 'a' belong to no tensor"),
    Bad(
      "offsets beyond the file", file(entry("a", "F32", "[200]", "[0, 800]"), data: 8),
      "checkpoint.truncated: the file ends 792 bytes before its data does; tensor 'a' is not complete"
    ),
    Bad(
      "cut in the second tensor",
      file(entry("a"), entry("b", "F32", "[2]", "[8, 16]"), data: 15),
      "checkpoint.truncated: the file ends 1 bytes before its data does; tensor 'b' is not complete"
    ),
    Bad(
      "bytes behind the last tensor", file(entry("a"), data: 11),
      "checkpoint.offsets: 3 bytes behind the last tensor belong to no tensor"),
    Bad(
      "several faults",
      file(entry("a", "F31"), entry("b", "F32", "[3]"), data: 8),
      "checkpoint.dtype: tensor 'a' has the unknown element type 'F31'",
      "checkpoint.offsets: tensor 'b' takes 8 bytes; F32 of shape [3] takes 12"),
  ]

  @Test("Each fault of a file is found and named", arguments: bad)
  func faults(_ example: Bad) throws {
    #expect(try problems(example.bytes) == example.expected)
  }

  @Test("A header that is not UTF-8 is damaged")
  func notText() throws {
    var bytes = Safetensors.file([TinyTensor("abc", "F32", [1], [1])])
    let place = try #require(bytes.firstIndex(of: UInt8(ascii: "b")))
    bytes[place] = 0xFF
    let told = try problems(bytes)
    let pattern =
      /^checkpoint.header: the header is damaged at byte (\d+): a string holds bytes that are not UTF-8$/
    let byte = try #require(told.first?.wholeMatch(of: pattern)).output.1
    // The string, or what is wrong with it.
    #expect(told.count == 1 && (place - 2...place).contains(Int(byte) ?? 0), "\(told)")
  }

  @Test("A file cut at any byte is refused")
  func cut() throws {
    let bytes = Safetensors.file([
      TinyTensor("a", "F32", [2], [1, 2]), TinyTensor("b", "F16", [3], [1, 2, 3]),
    ])
    for count in 0..<bytes.count {
      #expect(try problems(Array(bytes.prefix(count))).count == 1, "\(count) bytes")
    }
  }

  @Test("Damaged files are refused or read, and nothing traps")
  func fuzz() throws {
    let files = [
      Safetensors.file([
        TinyTensor("a", "F32", [2], [1, 2]), TinyTensor("b", "F16", [3], [1, 2, 3]),
        TinyTensor("c", "I64", [], [5]),
        TinyTensor("d", "F32", [500], [Double](repeating: 1, count: 500)),
      ]),
      Safetensors.file(
        (0..<20).map { TinyTensor("layer.\($0)", "BF16", [2, 2], [1, 2, 3, 4]) },
        metadata: "{\"format\": \"pt\"}"),
    ]
    var fuzzer = Fuzzer(
      documents: files,
      words: [
        "\"shape\": [", "\"data_offsets\": [", "9223372036854775807", "4294967296", "-1", "0", "]",
        "}", "{", "\"dtype\": \"", "F4", "F32", ",", "1e3", "\\u0000",
      ].map { Array($0.utf8) }, seed: 5)
    var counts = (read: 0, refused: 0)
    try fuzzer.run(for: .seconds(2)) { bytes in
      do {
        let header = try bytes.withUnsafeBytes { try SafetensorsHeader($0, file: "f") }
        for tensor in header.tensors { #expect(tensor.bytes.upperBound <= bytes.count) }
        counts.read += 1
      } catch let error as DiagnosticList {
        #expect(!error.diagnostics.isEmpty && error.diagnostics.count <= 20)
        counts.refused += 1
      }
    }
    #expect(counts.read > 10 && counts.refused > 100, "\(counts)")
  }
}
