import Foundation
import IRCSupport
import IRCTestSupport
import IRCTokenizer
import Testing

/// A tokenizer of five pieces, to be changed in one place.
private let small = """
  {"version": "1.0", "truncation": null, "padding": null,
   "added_tokens": [
    {"id": 4, "content": "<s>", "single_word": false, "lstrip": false, "rstrip": false,
     "normalized": false, "special": true}],
   "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "_"},
   "pre_tokenizer": null,
   "post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>"}},
     {"Sequence": {"id": "A"}}], "pair": [], "special_tokens": {"<s>": {"ids": [4]}}},
   "decoder": {"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "_"},
     "content": " "}, {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 0, "stop": 0}]},
   "model": {"type": "BPE", "unk_token": "?", "fuse_unk": false, "dropout": null,
    "vocab": {"?": 0, "a": 1, "b": 2, "ab": 3}, "merges": ["a b"]}}
  """

@Suite("Tokenizer errors")
struct TokenizerErrorTests {
  static func tokenizer(_ text: String, config: String? = nil) throws -> Tokenizer {
    let folder = try TemporaryFolder()
    try folder.write("tokenizer.json", text)
    if let config { try folder.write("tokenizer_config.json", config) }
    return try Tokenizer(folder: folder.path)
  }

  @Test func readsTheUnchangedFile() throws {
    let tokenizer = try Self.tokenizer(small)
    #expect(try tokenizer.encode("ab<s>xa") == [4, 3, 4, 0, 1])
    #expect(tokenizer.decode([4, 3, 4, 0, 1, 99, -1]) == "ab?a")
    #expect(tokenizer.vocabularySize == 5)
    #expect(tokenizer.specialTokens.map(\.content) == ["<s>"])
    #expect(tokenizer.startID == nil && tokenizer.endID == nil)
    #expect(tokenizer.id(of: "ab") == 3 && tokenizer.id(of: "c") == nil)
    #expect(tokenizer.piece(3) == "ab" && tokenizer.piece(-1) == nil && tokenizer.piece(5) == nil)
  }

  /// A change of the small tokenizer, and the complaint: its identifier and what the caret points at.
  @Test(arguments: [
    (#""version": "1.0""#, #""version": "2.0""#, "json.unknown-value", #""2.0""#),
    (#""type": "BPE""#, #""type": "WordPiece""#, "tokenizer.unsupported", #""WordPiece""#),
    (#""fuse_unk""#, #""fuse_unknown""#, "tokenizer.unsupported", "false"),
    (#""dropout": null"#, #""dropout": 0.1"#, "tokenizer.unsupported", "0.1"),
    (
      #""dropout": null"#, #""end_of_word_suffix": "</w>""#, "tokenizer.unsupported", #""</w>""#
    ),
    (
      #""dropout": null"#, #""continuing_subword_prefix": "@@""#, "tokenizer.unsupported", #""@@""#
    ),
    (#""ab": 3"#, #""ab": -3"#, "tokenizer.id-out-of-range", "-3"),
    (#""ab": 3"#, #""ab": 2000000000"#, "tokenizer.id-out-of-range", "2000000000"),
    (#""ab": 3"#, #""ab": 3.0"#, "json.wrong-type", "3.0"),
    (#""ab": 3"#, #""ab": 2"#, "tokenizer.duplicate-id", "2"),
    (#""b": 2"#, #""a": 2"#, "json.duplicate-key", #""a""#),
    (#"["a b"]"#, #"["a c"]"#, "tokenizer.unknown-piece", #""a c""#),
    (#"["a b"]"#, #"["b a"]"#, "tokenizer.unknown-piece", #""b a""#),
    (#"["a b"]"#, #"["a b c"]"#, "tokenizer.bad-merge", #""a b c""#),
    (#"["a b"]"#, #"["ab"]"#, "tokenizer.bad-merge", #""ab""#),
    (#"["a b"]"#, #"[["a", "b", "c"]]"#, "tokenizer.bad-merge", "["),
    (#"["a b"]"#, #"[["a", 1]]"#, "json.wrong-type", "1"),
    (#"["a b"]"#, "7", "json.wrong-type", "7"),
    (#", "merges": ["a b"]"#, "", "json.missing-key", "{"),
    (#""unk_token": "?""#, #""unk_token": "!""#, "tokenizer.unknown-piece", #""!""#),
    (#""unk_token": "?""#, #""unk_token": null"#, "tokenizer.missing-byte", "{"),
    (
      #""unk_token": "?""#, #""unk_token": null, "byte_fallback": true"#, "tokenizer.missing-byte",
      "{"
    ),
    (#""id": 4"#, #""id": 5"#, "tokenizer.added-token-id", "5"),
    (#""id": 4, "content": "<s>""#, #""id": 2, "content": "a""#, "tokenizer.added-token-id", "2"),
    (#""content": "<s>""#, #""content": """#, "tokenizer.duplicate-token", #""""#),
    (
      #""added_tokens": ["#, #""added_tokens": [{"id": 4, "content": "<s>"},"#,
      "tokenizer.duplicate-token", #""<s>""#
    ),
    (#""lstrip": false"#, #""lstrip": 0"#, "json.wrong-type", "0"),
    (#""lstrip": false"#, #""left": false"#, "tokenizer.unsupported", "false"),
    (#""String": " ""#, #""Regex": " ""#, "tokenizer.unsupported", "{"),
    (#""String": " ""#, #""String": """#, "tokenizer.unsupported", "{"),
    (
      #""normalizer": {"type": "Replace""#, #""normalizer": {"type": "Lowercase""#,
      "tokenizer.unsupported", #""Lowercase""#
    ),
    (
      #""pre_tokenizer": null"#, #""pre_tokenizer": {"type": "Metaspace"}"#,
      "tokenizer.unsupported", #""Metaspace""#
    ),
    (
      #""pre_tokenizer": null"#,
      #""pre_tokenizer": {"type": "Split", "pattern": {"Regex": "x"}, "behavior": "Isolated"}"#,
      "tokenizer.unsupported", "{"
    ),
    (
      #""pre_tokenizer": null"#,
      #""pre_tokenizer": {"type": "Split", "pattern": {"Regex": "x"}, "behavior": "Removed"}"#,
      "tokenizer.unsupported", #""Removed""#
    ),
    (
      #""pre_tokenizer": null"#,
      #""pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "ByteLevel", "#
        + #""add_prefix_space": true}, {"type": "ByteLevel", "add_prefix_space": false}]}"#,
      "tokenizer.unsupported", "{"
    ),
    (#""type": "Fuse""#, #""type": "CTC""#, "tokenizer.unsupported", #""CTC""#),
    (#""type": "Fuse""#, #""type": "ByteLevel""#, "tokenizer.unsupported", #""ByteLevel""#),
    (#"{"type": "Fuse"}, "#, "", "tokenizer.unsupported", #""Strip""#),
    (#""content": " ", "start""#, #""content": "  ", "start""#, "tokenizer.unsupported", #""  ""#),
    (#""start": 0"#, #""start": -1"#, "json.out-of-range", "-1"),
    (#""TemplateProcessing""#, #""BertProcessing""#, "tokenizer.unsupported", #""BertProcessing""#),
    (#""ids": [4]"#, #""ids": [5]"#, "tokenizer.unknown-piece", "5"),
    (
      #"{"Sequence": {"id": "A"}}"#, #"{"Sequence": {"id": "B"}}"#, "tokenizer.unsupported", #""B""#
    ),
    (
      #"{"SpecialToken": {"id": "<s>"}}"#, #"{"Sequence": {"id": "A"}}"#, "tokenizer.unsupported",
      "["
    ),
    (#""truncation""#, #""trunk""#, "tokenizer.unsupported", "null"),
    ("}}\n", "}\n", "json.syntax", ""),
  ])
  func complains(_ old: String, _ new: String, _ id: String, _ marked: String) throws {
    let text = (small + "\n").replacingOccurrences(of: old, with: new)
    try #require(text != small + "\n")
    let error = #expect(throws: Diagnostic.self) { try Self.tokenizer(text) }
    #expect(error?.id == id, "\(error?.rendered ?? "")")
    guard let error, let location = error.location, !marked.isEmpty else { return }
    #expect(location.file.hasSuffix("/tokenizer.json"))
    let rest = (error.sourceLine ?? "").dropFirst(location.column - 1)
    #expect(rest.hasPrefix(marked), "\(error.rendered)")
  }

  @Test func complainsAboutMissingFiles() throws {
    let folder = try TemporaryFolder()
    let error = #expect(throws: Diagnostic.self) { try Tokenizer(folder: folder.path) }
    #expect(error?.id == "file.unreadable")
  }

  /// Two added tokens whose normalised forms are equal cannot both be found.
  @Test func complainsAboutAmbiguousTokens() throws {
    let text = small.replacingOccurrences(
      of: #""added_tokens": ["#,
      with: #""added_tokens": [{"id": 4, "content": "x y"}, {"id": 5, "content": "x_y"},"#
    ).replacingOccurrences(of: #"{"id": 4, "content": "<s>""#, with: #"{"id": 6, "content": "<s>""#)
    let error = #expect(throws: Diagnostic.self) { try Self.tokenizer(text) }
    #expect(error?.id == "tokenizer.duplicate-token")
  }

  @Test func checksTheVocabularyOfTheModel() throws {
    let tokenizer = try Self.tokenizer(small)
    try tokenizer.validate(vocabularySize: 5)
    try tokenizer.validate(vocabularySize: 50_304)
    let error = #expect(throws: Diagnostic.self) { try tokenizer.validate(vocabularySize: 4) }
    #expect(error?.id == "tokenizer.vocabulary-mismatch")
    #expect(error?.message == "the tokenizer has ids up to 4, but the model has 4 of them")
    #expect(error?.notes == [#"id 4 is "<s>""#])
  }

  /// Replacements that double everything are stopped, not followed.
  @Test func refusesToBlowUp() throws {
    let double = #"{"type": "Replace", "pattern": {"String": "a"}, "content": "aa"}"#
    let steps = Array(repeating: double, count: 60).joined(separator: ",")
    let text = small.replacingOccurrences(
      of: #"{"type": "Replace", "pattern": {"String": " "}, "content": "_"}"#,
      with: #"{"type": "Sequence", "normalizers": [\#(steps)]}"#)
    let tokenizer = try Self.tokenizer(text)
    let error = #expect(throws: Diagnostic.self) { try tokenizer.encode("a") }
    #expect(error?.id == "tokenizer.text-too-long")
    #expect(try tokenizer.encode("b") == [4, 2])
    let decoding = small.replacingOccurrences(
      of: #""decoders": ["#, with: #""decoders": [\#(steps),"#)
    let refused = #expect(throws: Diagnostic.self) { try Self.tokenizer(decoding) }
    #expect(refused?.id == "tokenizer.unsupported")
  }

  @Test func fuzz() throws {
    var documents = [small]
    for golden in Golden.tiny.prefix(1) + Golden.tiny.suffix(2) {
      documents.append(
        try String(contentsOfFile: "\(golden.folder ?? "")/tokenizer.json", encoding: .utf8))
    }
    let folder = try TemporaryFolder()
    var fuzzer = Fuzzer(
      texts: documents,
      words: [
        "\"Sequence\"", "\"ByteLevel\"", "\"Replace\"", "\"Prepend\"", "\"NFC\"", "\"Strip\"",
        "true", "null", "-1", "[", "]", "{", "}", ",", "\"a b\"", "\"lstrip\": true,", "16777215",
      ])
    var read = 0
    try fuzzer.run(for: .seconds(3)) { bytes in
      let path = try folder.write("tokenizer.json", bytes)
      do {
        let tokenizer = try Tokenizer(tokenizerJSON: path)
        let ids = try tokenizer.encode("ab ba <s> [LEFT]  naïve 🙂 word\n a")
        _ = tokenizer.decode(ids, skipSpecialTokens: false)
        read += 1
      } catch let error as Diagnostic {
        #expect(!error.rendered.isEmpty)
      } catch {
        Issue.record("not a diagnostic: \(error)")
      }
    }
    #expect(read > 0)
  }
}

@Suite("Tokenizer configuration")
struct TokenizerConfigTests {
  static let llama = small.replacingOccurrences(
    of: #"{"type": "Replace", "pattern": {"String": " "}, "content": "_"}"#,
    with: #"{"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "_"}, "#
      + #"{"type": "Replace", "pattern": {"String": " "}, "content": "_"}]}"#
  ).replacingOccurrences(of: #""start": 0"#, with: #""start": 1"#)
    .replacingOccurrences(of: #""ab": 3"#, with: #""ab": 3, "_": 4"#)
    .replacingOccurrences(of: #""id": 4"#, with: #""id": 5"#)
    .replacingOccurrences(of: "[4]", with: "[5]")

  /// The configuration, and the ids and the text of " ab a".
  @Test(arguments: [
    (nil, [4, 4, 3, 4, 1], " ab a"),
    ("{}", [4, 4, 3, 4, 1], " ab a"),
    (#"{"tokenizer_class": "LlamaTokenizer"}"#, [4, 4, 3, 4, 1], " ab a"),
    (#"{"tokenizer_class": "LlamaTokenizer", "legacy": true}"#, [4, 4, 3, 4, 1], " ab a"),
    (#"{"tokenizer_class": "LlamaTokenizer", "legacy": null}"#, [4, 4, 3, 4, 1], " ab a"),
    (#"{"tokenizer_class": "LlamaTokenizer", "legacy": false}"#, [4, 3, 4, 1], " ab a"),
    (#"{"tokenizer_class": "LlamaTokenizerFast", "legacy": false}"#, [4, 3, 4, 1], " ab a"),
    (#"{"tokenizer_class": "Other", "legacy": false}"#, [4, 4, 3, 4, 1], " ab a"),
  ])
  func prefix(_ config: String?, _ ids: [Int32], _ text: String) throws {
    let tokenizer = try TokenizerErrorTests.tokenizer(Self.llama, config: config)
    #expect(try tokenizer.encode(" ab a", addSpecialTokens: false) == ids)
    #expect(try tokenizer.encode(" ab a") == [5] + ids)
    #expect(tokenizer.decode(ids) == text)
  }

  @Test func namesTheEnds() throws {
    let tokenizer = try TokenizerErrorTests.tokenizer(
      small, config: #"{"bos_token": "<s>", "eos_token": {"content": "b"}, "max": Infinity}"#)
    #expect(tokenizer.startID == 4)
    #expect(tokenizer.endID == 2)
    let none = try TokenizerErrorTests.tokenizer(small, config: #"{"bos_token": null}"#)
    #expect(none.startID == nil && none.endID == nil)
  }

  @Test(arguments: [
    (#"{"bos_token": "<t>"}"#, "tokenizer.unknown-piece", 15),
    (#"{"bos_token": 7}"#, "json.wrong-type", 15),
    (#"{"eos_token": {"text": "b"}}"#, "json.missing-key", 15),
    (#"{"tokenizer_class": "LlamaTokenizer", "legacy": "no"}"#, "json.wrong-type", 49),
    ("{", "json.syntax", 2),
  ])
  func complains(_ config: String, _ id: String, _ column: Int) {
    let error = #expect(throws: Diagnostic.self) {
      try TokenizerErrorTests.tokenizer(small, config: config)
    }
    #expect(error?.id == id)
    #expect(error?.location?.column == column)
    #expect(error?.location?.file.hasSuffix("/tokenizer_config.json") == true)
  }
}
