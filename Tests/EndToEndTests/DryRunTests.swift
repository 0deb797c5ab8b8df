import Foundation
import IRCSupport
import IRCTestSupport
import Testing

@Suite("irc lower --dry-run")
struct DryRunTests {
  private static let keys = [
    "output", "passes", "files", "dependencies", "compiler_flags", "tensors", "source_bytes",
    "weight_bytes", "text_bytes", "context_bytes", "token_bytes", "memory_bytes", "memory_from",
    "seconds", "seconds_at_least", "seconds_from",
  ]

  private func model(_ pipeline: String, in folder: TemporaryFolder) throws -> String {
    try folder.write(
      "model.yaml",
      Workbench.modelFile(source: Workbench.example, pipeline: pipeline)
        .replacing("tokens: 2048", with: "tokens: 2048, window: 64"))
  }

  private func forecast(_ model: String) throws -> JSONValue {
    let outcome = try Program.run("lower", model, "--dry-run", "--json", "--quiet")
    #expect(outcome.code == 0 && outcome.errors.isEmpty, "\(outcome.errors)")
    #expect(try outcome.keys() == Self.keys)
    return try outcome.json()
  }

  @Test(
    "Files, tensors and sizes are those of the real run",
    arguments: [
      "rtn-w8a8", "rtn-w4a16", "rtn-nvfp4", "gptq-w4a16", "gptq-w3a16", "quarot-w4a8", "float",
    ])
  func sizes(pipeline: String) throws {
    let folder = try TemporaryFolder()
    let model = try model(pipeline, in: folder)
    let forecast = try forecast(model)
    #expect(!FileManager.default.fileExists(atPath: folder.file("out")))
    let lowered = try Program.run("lower", model, "--json", "--quiet")
    #expect(lowered.code == 0, "\(lowered.errors)")
    let output = folder.file("out")
    let manifest = try JSONValue(reading: "\(output)/manifest.json")
    let emission = try manifest["emitted"].array()[0]
    for key in ["files", "tensors", "weight_bytes", "context_bytes", "token_bytes"] {
      #expect(
        try JSON(forecast[key]).serialized() == JSON(emission[key]).serialized(), "\(key)")
    }
    #expect(try forecast["source_bytes"].int() == manifest["source_bytes"].int())
    let files = try contents(of: output)
    #expect(try forecast["weight_bytes"].int() == files["tested.weights"]?.count)
    let texts = try forecast["files"].array().map { try $0.string() }.filter {
      !$0.hasSuffix(".weights")
    }
    #expect(try forecast["text_bytes"].int() == texts.reduce(0) { $0 + (files[$1]?.count ?? 0) })
    #expect(try forecast["dependencies"].string() == "\(output)/tested.d")
    #expect(
      try forecast["passes"].array().map { try $0["instance"].string() }
        == lowered.json()["passes"].array().map { try $0["instance"].string() })
    #expect(try forecast["passes"].array().allSatisfy { try $0.optional("open") == nil })
  }

  @Test("Formats of static schemes are known before anything is measured")
  func staticScheme() throws {
    let folder = try TemporaryFolder()
    let model = try model("rtn-w8a8-static", in: folder)
    let forecast = try forecast(model)
    let lowered = try Program.run("lower", model, "--json", "--quiet")
    #expect(lowered.code == 0, "\(lowered.errors)")
    #expect(try forecast["weight_bytes"].int() == lowered.json()["weight_bytes"].int())
  }

  @Test("What depends on calibration is open, and said to be")
  func open() throws {
    let folder = try TemporaryFolder()
    let mixed = try model("mixed-w4.25a16", in: folder)
    func open() throws -> [String: String] {
      try forecast(mixed)["passes"].array().reduce(into: [:]) { result, pass in
        result[try pass["instance"].string()] = try pass.optional("open")?.string()
      }
    }
    let reasons = try open()
    #expect(reasons.count == 1)
    #expect(reasons["mixed-precision"]?.contains("4.25 bits on average") == true, "\(reasons)")
    _ = try model("svdquant-w4a4", in: folder)
    #expect(try Set(open().keys) == ["smooth-fusion", "low-rank-absorb"])
    let text = try Program.run("lower", mixed, "--dry-run")
    #expect(text.code == 0, "\(text.errors)")
    for part in [
      "nothing is written", "  smooth-fusion, open: what it does depends on the calibration text\n",
      "as far as open passes change no formats and add no tensors", "memory      about",
      "time        about",
    ] {
      #expect(text.output.contains(part), "\(part)")
    }
  }

  @Test("Mistakes are told as without --dry-run, and what needs a run is refused")
  func mistakes() throws {
    let folder = try TemporaryFolder()
    let wrong = try model("[lower-kernels, gptq, emit-c]", in: folder)
    let refused = try Program.run("lower", wrong, "--dry-run", "--quiet")
    #expect(refused.code == 1 && refused.errors.contains("passes.missing-fact"))
    let silent = try Program.run("lower", try model("[lower-kernels]", in: folder), "--dry-run")
    #expect(silent.code == 1 && silent.errors.contains("pipeline.no-exporter"))
    #expect(try Program.run("lower", wrong, "--dry-run", "--remarks").code == 64)
    #expect(try Program.run("lower", wrong, "--dry-run", "--stop-after", "gptq").code == 64)
  }

  @Test("Every key is documented")
  func documentation() throws {
    let page = try String(
      contentsOfFile: Workbench.repository + "/docs/commands.md", encoding: .utf8)
    for key in Self.keys + ["open"] { #expect(page.contains("`\(key)`"), "\(key)") }
  }

  @Test("After a run, times are those of that run")
  func times() throws {
    let folder = try TemporaryFolder()
    let model = try model("rtn-w8a8", in: folder)
    let cache = ["IRC_CACHE_DIR": folder.file("cache")]
    func from() throws -> String {
      let outcome = try Program.run(["lower", model, "--dry-run", "--json"], environment: cache)
      return try outcome.json()["seconds_from"].string()
    }
    #expect(try from().contains("GB/s"))
    Thread.sleep(forTimeInterval: 0.1)
    _ = try Program.run(["lower", model, "--quiet"], environment: cache)
    #expect(try from().contains("last run"))
  }

  @Test(
    "Memory is what a run takes, within a factor of two",
    arguments: [
      "float", "rtn-w8a8", "rtn-w8a8-static", "gptq-w4a16", "awq-w4a16", "smoothquant-w8a8",
      "svdquant-w4a4", "mambaquant-w4a8", "fitted-cb3a16", "mixed-w4.25a16",
    ])
  func memory(pipeline: String) throws {
    let folder = try TemporaryFolder()
    let file = Workbench.modelFile(source: Workbench.example, pipeline: pipeline)
    // As many tokens as the example calibrates on; fewer where the network runs hundreds of times.
    var arguments = [
      try folder.write("model.yaml", file.replacing("tokens: 2048", with: "tokens: 16384")),
      "--quiet", "--jobs", "2",
    ]
    if pipeline.hasPrefix("mixed") {
      arguments += ["--set", "passes.mixed-precision.tokens=128"]
    }
    let told = try Program.run(["lower"] + arguments + ["--dry-run", "--json"])
    #expect(told.code == 0, "\(told.errors)")
    let bytes = try told.json()["memory_bytes"].int()
    let running = try Program.start(["lower"] + arguments)
    var peak = 0
    while running.isRunning {
      peak = max(peak, running.ownBytes)
      usleep(2000)
    }
    #expect(try running.wait().code == 0)
    let figures: Comment = "told \(bytes >> 10) KiB, took \(peak >> 10) KiB"
    #expect(bytes < 2 * peak && peak < 2 * bytes, figures)
  }

  @Test("Time counts runs of the network and searches, and says where something is unknown")
  func work() throws {
    let folder = try TemporaryFolder()
    func seconds(_ pipeline: String) throws -> Double {
      try forecast(try model(pipeline, in: folder))["seconds"].double()
    }
    // A run for each format of each layer, and a search at each site, against one run.
    let (plain, static_) = (try seconds("rtn-w8a8"), try seconds("rtn-w8a8-static"))
    #expect(plain < static_)
    let mixed = try forecast(try model("mixed-w4.25a16", in: folder))
    #expect(try mixed["seconds"].double() > 20 * static_)
    #expect(try !mixed["seconds_at_least"].bool())
    #expect(try seconds("awq-w4a16") > static_)
  }

  @Test("A checkpoint of a gigabyte is not read")
  func large() throws {
    let folder = try TemporaryFolder()
    let bytes = try LlamaCheckpoint(
      hidden: 2048, gated: 5632, layers: 5, heads: 16, keyHeads: 16, vocabulary: 4096, context: 2048
    ).write(folder.file("large"))
    #expect(bytes > 1_000_000_000)
    let model = try folder.write(
      "model.yaml",
      "irc: 1\nname: large\nsource: \(folder.file("large"))\npipeline: gptq-w4a16\ncalibration: {text: \(Workbench.prose)}\n"
    )
    let start = Date()
    let outcome = try Program.run("lower", model, "--dry-run", "--json", "--quiet")
    let seconds = Date().timeIntervalSince(start)
    #expect(outcome.code == 0, "\(outcome.errors)")
    #expect(try outcome.json()["source_bytes"].int() == bytes)
    #expect(try outcome.json()["weight_bytes"].int() > bytes / 8)
    // A second on a machine that does nothing else; folding alone would take several times this.
    #expect(seconds < 4, "\(seconds) s")
  }
}
