import Foundation
import IRCSupport
import IRCTestSupport
import Testing

/// Damaged inputs as a user meets them: one clear message, exit 1, and what an earlier run left stays as it was.
@Suite("Bad input")
struct BadInputTests {
  /// One way to damage a model, and what the message must hold.
  struct Damage: CustomTestStringConvertible, Sendable {
    let testDescription: String
    /// The id of the message and words that it must have: the file and the tensor, key or place.
    let expected: [String]
    let change: @Sendable (BrokenModel) throws -> Void

    init(
      _ name: String, _ expected: [String],
      _ change: @escaping @Sendable (BrokenModel) throws -> Void
    ) {
      testDescription = name
      self.expected = expected
      self.change = change
    }
  }

  private static let table = "backbone.embeddings.weight"
  private static let tableEntry =
    "\"\(table)\":{\"dtype\":\"F16\",\"shape\":[1024,128],\"data_offsets\":[0,262144]}"

  static let damages: [Damage] = [
    Damage("truncated data", ["checkpoint.truncated", "model.safetensors"]) {
      let (header, data) = try $0.weights()
      try $0.writeWeights(header: header, Array(data.dropLast(1000)))
    },
    Damage("a file of five bytes", ["checkpoint.truncated", "model.safetensors"]) {
      try $0.folder.write("model/model.safetensors", "five!")
    },
    Damage("an empty file", ["model.safetensors"]) {
      try $0.folder.write("model/model.safetensors", "")
    },
    Damage("a header longer than the file", ["checkpoint.truncated", "model.safetensors"]) {
      let (header, data) = try $0.weights()
      try $0.writeWeights(header: header, data, length: 5_000_000)
    },
    Damage("a header of 2⁶³ bytes", ["model.safetensors"]) {
      let (header, data) = try $0.weights()
      try $0.writeWeights(header: header, data, length: Int.min)
    },
    Damage("a header that is no JSON", ["model.safetensors"]) {
      try $0.editWeights("\"dtype\":\"F16\"", "\"dtype\"=\"F16\"")
    },
    Damage("offsets out of bounds", ["model.safetensors", "backbone.norm_f.weight"]) {
      let (header, data) = try $0.weights()
      let changed = header.replacing(
        /("backbone.norm_f.weight":.*?"data_offsets":\[\d+,)\d+\]/
      ) { "\($0.output.1)99999999]" }
      try $0.writeWeights(header: changed, data)
    },
    Damage("overlapping offsets", ["checkpoint.offsets", "model.safetensors", table]) {
      try $0.editWeights(
        "[256,16],\"data_offsets\":[262144,270336]", "[256,16],\"data_offsets\":[262140,270332]")
    },
    Damage("offsets that do not fit the shape", ["checkpoint.offsets", "model.safetensors", table])
    {
      try $0.editWeights("\"data_offsets\":[0,262144]", "\"data_offsets\":[0,262140]")
    },
    Damage("an unknown element type", ["checkpoint.dtype", "model.safetensors", table]) {
      try $0.editWeights(tableEntry, tableEntry.replacing("F16", with: "Q4_K"))
    },
    Damage("integers where real numbers belong", ["checkpoint.dtype", "model.safetensors", table]) {
      try $0.editWeights(tableEntry, tableEntry.replacing("F16", with: "I16"))
    },
    Damage("another shape", ["checkpoint.shape", "model.safetensors", table, "[1024, 128]"]) {
      try $0.editWeights(tableEntry, tableEntry.replacing("[1024,128]", with: "[128,1024]"))
    },
    Damage("a missing tensor", ["checkpoint.missing-tensor", "backbone.layers.0.mixer.D"]) {
      try $0.editWeights("\"backbone.layers.0.mixer.D\"", "\"backbone.layers.0.mixer.DD\"")
    },
    Damage(
      "an extra tensor", ["checkpoint.unexpected-tensor", "model.safetensors", "some.extra.weight"]
    ) {
      let (header, data) = try $0.weights()
      let extra =
        ",\"some.extra.weight\":{\"dtype\":\"F16\",\"shape\":[2],\"data_offsets\":[\(data.count),\(data.count + 4)]}}"
      let body = header.trimmingCharacters(in: .whitespaces).dropLast()
      try $0.writeWeights(header: body + extra, data + [0, 0, 0, 0])
    },
    Damage("a weight that is not a number", ["weights.non-finite", "model.safetensors", table]) {
      try $0.editWeights { data in (data[2000], data[2001]) = (0x00, 0x7E) }
    },
    Damage(
      "an infinite weight",
      ["weights.non-finite", "model.safetensors", "backbone.layers.0.mixer.in_proj.weight"]
    ) {
      try $0.editWeights { data in (data[300_000], data[300_001]) = (0x00, 0x7C) }
    },
    Damage("a config without a needed key", ["config.json", "hidden_size"]) {
      try $0.edit("config.json", " \"hidden_size\": 128,\n", "")
    },
    Damage("a config of an unknown architecture", ["config.unknown-architecture", "config.json"]) {
      try $0.edit("config.json", "MambaForCausalLM", "MambaForCasualLM")
    },
    Damage("a config that is no JSON", ["config.json"]) {
      try $0.folder.write("model/config.json", "{\"architectures\": [")
    },
    Damage("no config", ["config.json"]) {
      try FileManager.default.removeItem(atPath: $0.source + "/config.json")
    },
    Damage("no weights", ["checkpoint.unreadable", "model.safetensors"]) {
      try FileManager.default.removeItem(atPath: $0.source + "/model.safetensors")
    },
    Damage("a folder in the place of the weights", ["model.safetensors"]) {
      try FileManager.default.removeItem(atPath: $0.source + "/model.safetensors")
      try $0.folder.write("model/model.safetensors/x", "")
    },
    Damage("a file in the place of the folder", ["model"]) {
      try FileManager.default.removeItem(atPath: $0.source)
      try $0.folder.write("model", "no folder")
    },
  ]

  @Test("Lowering a damaged model", arguments: damages)
  func lowering(_ damage: Damage) throws {
    let model = try BrokenModel()
    try damage.change(model)
    let before = try contents(of: model.output)
    let outcome = try Program.run("lower", model.modelFile, "--quiet")
    expect(outcome, damage.expected)
    #expect(try contents(of: model.output) == before)
  }

  @Test("Evaluating a damaged model, float and simulated", arguments: damages)
  func evaluating(_ damage: Damage) throws {
    let model = try BrokenModel()
    try damage.change(model)
    for subject in [model.source, model.modelFile] {
      expect(
        try Program.run("eval", subject, "--data", Workbench.prose, "--windows", "1", "--quiet"),
        damage.expected)
    }
  }

  @Test("A tokenizer that does not match the vocabulary is refused before anything is written")
  func tokenizer() throws {
    let model = try BrokenModel()
    let before = try contents(of: model.output)
    // One piece more than the model has rows.
    try model.edit(
      "tokenizer.json", "\"added_tokens\": [",
      "\"added_tokens\": [{\"id\": 1024, \"content\": \"<more>\", \"single_word\": false, \"lstrip\": false, "
        + "\"rstrip\": false, \"normalized\": false, \"special\": true},")
    for arguments in [
      ["eval", model.source, "--data", Workbench.prose], ["run", model.modelFile, "--tokens", "3"],
      ["lower", model.modelFile],
    ] {
      expect(
        try Program.run(arguments + ["--quiet"]),
        ["tokenizer.vocabulary-mismatch", "tokenizer.json"])
    }
    #expect(try contents(of: model.output) == before)
  }

  @Test("A folder without a tokenizer is told what needs one, and what does without")
  func noTokenizer() throws {
    let model = try BrokenModel()
    try FileManager.default.removeItem(atPath: "\(model.source)/tokenizer.json")
    for arguments in [
      ["eval", model.source, "--data", Workbench.prose], ["run", model.modelFile, "--tokens", "3"],
      ["check", model.modelFile], ["lower", model.modelFile, "--set", "pipeline=rtn-w8a8-static"],
    ] {
      expect(
        try Program.run(arguments + ["--quiet"]),
        [
          "\(model.source)/tokenizer.json", "tokenizer.missing", "'run' and 'eval'",
          "'calibration: {ids: FILE}'",
        ])
    }
    try model.folder.write("ids.txt", "1 2 3 4 5 6 7 8")
    let text = try String(contentsOfFile: model.modelFile, encoding: .utf8)
    try model.folder.write(
      "model.yaml",
      text.replacing("{text: \"\(Workbench.prose)\", tokens: 2048}", with: "{ids: ids.txt}"))
    let lowered = try Program.run(
      "lower", model.modelFile, "--set", "pipeline=rtn-w8a8-static", "--quiet")
    #expect(lowered.code == 0, "\(lowered.errors)")
  }

  @Test("Lowering without text does without a tokenizer that cannot be read; reading text does not")
  func unreadableTokenizer() throws {
    let model = try BrokenModel()
    try model.edit("tokenizer.json", "\"type\": \"BPE\"", "\"type\": \"Bigram\"")
    let lowered = try Program.run("lower", model.modelFile, "--quiet")
    #expect(lowered.code == 0, "\(lowered.errors)")
    for arguments in [
      ["eval", model.source, "--data", Workbench.prose], ["run", model.modelFile, "--tokens", "3"],
      ["lower", model.modelFile, "--set", "pipeline=rtn-w8a8-static"],
    ] {
      expect(try Program.run(arguments + ["--quiet"]), ["tokenizer.", "tokenizer.json", "Bigram"])
    }
  }

  private static let requests: [(pipeline: String, expected: [String])] = [
    ("rtn-w9a9", ["model.yaml:5:11", "rtn-w9a9"]),
    ("[{quantize: {scheme: w8a9}}]", ["model.yaml", "w8a9", "did you mean"]),
    ("[{quantise: {scheme: w8a8}}]", ["model.yaml", "quantise", "did you mean 'quantize'?"]),
    (
      "[{quantize: {exclude: [lm_haed]}}, {emit: $emit}]",
      ["passes.failed", "lm_haed", "model.yaml"]
    ),
    ("rtn-w8a8\ncalibration: {text: other.txt}", ["other.txt", "model.yaml"]),
    ("rtn-w8a8\nsource: nowhere", ["nowhere", "model.yaml"]),
  ]

  @Test("Requests that cannot be met", arguments: requests.indices)
  func request(index: Int) throws {
    let (pipeline, expected) = Self.requests[index]
    let model = try BrokenModel()
    var text = Workbench.modelFile(source: "model", pipeline: pipeline)
    for key in ["calibration", "source"] where pipeline.contains("\n\(key):") {
      text = text.split(separator: "\n").enumerated()
        .filter { $0.offset > 3 || !$0.element.hasPrefix(key) }.map { String($0.element) }
        .joined(separator: "\n")
    }
    try model.folder.write("model.yaml", text)
    let before = try contents(of: model.output)
    expect(try Program.run("lower", model.modelFile, "--quiet"), expected)
    #expect(try contents(of: model.output) == before)
  }

  @Test("A static scheme without calibration text says what to add")
  func calibration() throws {
    let model = try BrokenModel()
    let text = Workbench.modelFile(source: "model", pipeline: "rtn-w8a8-static")
      .split(separator: "\n").filter { !$0.hasPrefix("calibration") }.joined(separator: "\n")
    try model.folder.write("model.yaml", text)
    let before = try contents(of: model.output)
    for arguments in [
      ["lower", model.modelFile], ["lower", model.modelFile, "--dry-run"],
      ["check", model.modelFile], ["eval", model.modelFile, "--data", Workbench.prose],
    ] {
      expect(
        try Program.run(arguments + ["--quiet"]),
        [
          "model.yaml:4:11: error: pass 'quantize' needs calibration text",
          "passes.missing-calibration", "calibration: {text: FILE}",
          "note: pass 'quantize' stands at",
        ])
    }
    #expect(try contents(of: model.output) == before)
  }

  @Test("Calibration does not measure a network with a weight that is not a number")
  func calibratingDamage() throws {
    let model = try BrokenModel(pipeline: "rtn-w8a8-static")
    try model.editWeights { data in (data[2000], data[2001]) = (0x00, 0x7E) }
    let before = try contents(of: model.output)
    let outcome = try Program.run("lower", model.modelFile, "--quiet")
    expect(outcome, ["model.safetensors: error: ", "weights.non-finite", Self.table])
    #expect(try contents(of: model.output) == before)
  }

  @Test("An output folder that cannot be made is named; so is a disk that is full")
  func output() throws {
    let model = try BrokenModel()
    try model.folder.write("file", "no folder")
    let place = model.folder.file("file/out")
    let outcome = try Program.run("lower", model.modelFile, "-o", place, "--quiet")
    expect(outcome, ["output.unwritable", place, "-o"])

    // A file may not grow beyond 50 kB, which a write meets as it meets a full disk: halfway through the weights.
    let before = try contents(of: model.output)
    let full = try Program.run(
      [
        "-c", "trap '' XFSZ; ulimit -f 100; exec \"$0\" \"$@\"", Program.path, "lower",
        model.modelFile, "--quiet",
      ], executable: "/bin/sh")
    expect(full, ["output.unwritable", model.output, "tested."])
    #expect(try contents(of: model.output) == before)
  }

  /// One message, or a few of one input, that names what it must, and nothing on standard output.
  private func expect(
    _ outcome: Program.Outcome, _ words: [String],
    at place: Testing.SourceLocation = #_sourceLocation
  ) {
    #expect(
      outcome.code == 1, "exit code \(outcome.code): \(outcome.errors)", sourceLocation: place)
    #expect(outcome.output.isEmpty, sourceLocation: place)
    let errors = outcome.errors.split(separator: "\n").filter { $0.contains("error: ") }
    #expect((1...2).contains(errors.count), "\(outcome.errors)", sourceLocation: place)
    for word in words {
      #expect(
        outcome.errors.contains(word), "'\(word)' in: \(outcome.errors)", sourceLocation: place)
    }
  }
}
