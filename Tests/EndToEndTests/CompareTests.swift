import Foundation
import IRCSupport
import IRCTestSupport
import Testing

@Suite("irc compare")
struct CompareTests {
  /// A folder with a model file for the example, a short text and a cache of its own.
  private struct Bench {
    let folder: TemporaryFolder
    let model: String
    let text: String
    var cache: String { folder.file("cache") }

    init(calibration: Bool = true) throws {
      folder = try TemporaryFolder()
      var file = Workbench.modelFile(source: Workbench.example, pipeline: "no-such-pipeline")
      if !calibration {
        file = file.split(separator: "\n").filter { !$0.hasPrefix("calibration") }
          .joined(separator: "\n")
      }
      model = try folder.write("model.yaml", file)
      let prose = try String(contentsOfFile: Workbench.prose, encoding: .utf8)
      text = try folder.write("text.txt", String(prose.prefix(1500)))
    }

    func arguments(_ pipelines: String, _ more: [String] = []) -> [String] {
      ["compare", model, "--pipelines", pipelines, "--data", text, "--context", "64", "--quiet"]
        + more
    }

    func run(_ pipelines: String, _ more: String...) throws -> Program.Outcome {
      try Program.run(arguments(pipelines, more), environment: ["IRC_CACHE_DIR": cache])
    }

    func rows(_ pipelines: String, _ more: String...) throws -> [JSONValue] {
      let outcome = try Program.run(
        arguments(pipelines, more + ["--json"]), environment: ["IRC_CACHE_DIR": cache])
      #expect(outcome.code == 0, "\(outcome.errors)")
      return Array(try outcome.json()["rows"].array())
    }

    /// Every row in the cache.
    func entries() throws -> [String] {
      try FileManager.default.subpathsOfDirectory(atPath: cache).filter { $0.contains("/") }
        .map { "\(cache)/\($0)" }.filter { path in
          let head = try Data(contentsOf: URL(fileURLWithPath: path)).prefix(64)
          return String(decoding: head, as: UTF8.self).contains("comparison-row")
        }
    }
  }

  private func isCached(_ row: JSONValue) throws -> Bool { try row["cached"].bool() }

  @Test("The first row is the float model; figures are those of eval and lower")
  func figures() throws {
    let bench = try Bench()
    let outcome = try bench.run("rtn-w8a8,rtn-w4a16", "--windows", "3", "--json")
    #expect(outcome.code == 0 && outcome.errors.isEmpty, "\(outcome.errors)")
    let keys = ["model", "data", "context", "schemes", "windows", "prefix", "rows"]
    #expect(try outcome.keys() == keys)
    let result = try outcome.json()
    #expect(try result["model"].string() == bench.model)
    #expect(try result["data"].string() == bench.text)
    #expect(try result["context"].int() == 64)
    #expect(try result["windows"].int() == 3)
    let rows = Array(try result["rows"].array())
    #expect(try rows.map { try $0["pipeline"].string() } == ["float", "rtn-w8a8", "rtn-w4a16"])
    let rowKeys = [
      "pipeline", "perplexity", "change", "bits_per_weight", "bytes", "seconds", "cached",
    ]
    for row in rows { #expect(try row.object().map(\.key) == rowKeys) }
    let documentation = try String(
      contentsOfFile: Workbench.repository + "/docs/commands.md", encoding: .utf8)
    for key in keys + rowKeys + ["error"] {
      #expect(documentation.contains("`\(key)`"), "docs/commands.md: \(key)")
    }

    func eval(_ arguments: String...) throws -> Double {
      let outcome = try Program.run(
        ["eval"] + arguments
          + ["--data", bench.text, "--context", "64", "--windows", "3", "--json", "--quiet"])
      #expect(outcome.code == 0, "\(outcome.errors)")
      return try outcome.json()["perplexity"].double()
    }
    let float = try rows[0]["perplexity"].double()
    #expect(try float == eval(Workbench.example))
    for row in rows.dropFirst() {
      let perplexity = try row["perplexity"].double()
      let name = try row["pipeline"].string()
      #expect(try perplexity == eval(bench.model, "--set", "pipeline=\(name)"))
      #expect(try row["change"].double() == perplexity / float - 1)
      #expect(try row["seconds"].double() > 0)
    }
    // The checkpoint has 597,632 weights of 16 bits, as its PROVENANCE.md says.
    #expect(try rows[0]["bits_per_weight"].double() == 16)
    #expect(try rows[0]["bytes"].int() == 597_632 * 2)
    #expect(try rows[0].optional("seconds") == nil)
    // Bytes are those of the file that lower writes, bits those of the tensors that its manifest lists.
    let lowered = try Program.run(
      "lower", bench.model, "--set", "pipeline=rtn-w4a16", "--json", "--quiet")
    #expect(try rows[2]["bytes"].int() == lowered.json()["weight_bytes"].int())
    let manifest = try JSONValue(
      parsing: String(contentsOfFile: bench.folder.file("out/manifest.json"), encoding: .utf8),
      path: "manifest.json")
    let stored = try manifest["emitted"].array()[0]["tensors"].array().reduce(0) {
      $0 + (try $1["bytes"].int())
    }
    #expect(try rows[2]["bits_per_weight"].double() == Double(stored) * 8 / 597_632)
  }

  @Test("The table has a line a row, and nothing is left behind")
  func table() throws {
    let bench = try Bench()
    let outcome = try bench.run("rtn-w8a8")
    #expect(outcome.code == 0 && outcome.errors.isEmpty, "\(outcome.errors)")
    let lines = outcome.output.split(separator: "\n")
    #expect(lines.count == 3)
    #expect(lines[0].hasPrefix("pipeline ") && lines[0].hasSuffix(" seconds"))
    #expect(lines[1].hasPrefix("float ") && lines[1].hasSuffix(" 16.00       1195264"))
    #expect(lines[2].hasPrefix("rtn-w8a8 ") && lines[2].contains(" % "))
    #expect(!FileManager.default.fileExists(atPath: bench.folder.file("out")))
  }

  @Test("Pipelines and schemes make a table of perplexities and one of bits, of the same figures")
  func matrix() throws {
    let bench = try Bench()
    let outcome = try bench.run("rtn, quarot", "--schemes", "w8a8, w4a16", "--windows", "2")
    #expect(outcome.code == 0 && outcome.errors.isEmpty, "\(outcome.errors)")
    let words = outcome.output.split(separator: "\n").map { line in
      line.split(separator: " ").map(String.init)
    }
    #expect(
      words.map { $0.first ?? "" } == [
        "perplexity", "float", "rtn", "quarot", "bits/weight", "float", "rtn", "quarot",
      ])
    #expect(
      words[0].dropFirst() == ["w8a8", "w4a16"] && words[4].dropFirst() == ["w8a8", "w4a16"])
    let rows = try bench.rows("rtn-w8a8,rtn-w4a16,quarot-w8a8,quarot-w4a16", "--windows", "2")
    #expect(try rows.allSatisfy(isCached))
    let perplexities = try rows.dropFirst().map { try $0["perplexity"].double() }
    let shown = (words[2].dropFirst() + words[3].dropFirst()).compactMap { Double($0) }
    #expect(shown.count == 4)
    #expect(zip(perplexities, shown).allSatisfy { abs($0 - $1) < 0.0001 })
    let bits = try rows.dropFirst().map { try $0["bits_per_weight"].double() }
    let shownBits = (words[6].dropFirst() + words[7].dropFirst()).compactMap { Double($0) }
    #expect(zip(bits, shownBits).allSatisfy { abs($0 - $1) < 0.01 } && shownBits.count == 4)

    let wrong = try bench.run("rtn", "--schemes", "w8a8,w4a17,")
    #expect(wrong.code == 1 && wrong.output.isEmpty)
    #expect(
      wrong.errors.contains("--schemes:1:6: error: unknown scheme 'w4a17'"), "\(wrong.errors)")
    #expect(wrong.errors.contains("did you mean 'w4a16'?"))
    #expect(wrong.errors.contains("expected the name of a scheme"))
    let divergence = try bench.run("rtn", "--schemes", "w8a8", "--divergence")
    #expect(divergence.code == 64 && divergence.errors.contains("'--divergence'"))

    // No pipeline is looked for with it.
    #expect(!wrong.errors.contains("rtn"), "\(wrong.errors)")

    // What fails of one scheme in several cells is one error, with the cells.
    let open = try bench.run("rtn,quarot", "--schemes", "w3.25a16,w8a8,w4.25a16", "--windows", "1")
    #expect(open.code == 1 && open.output.contains("failed"))
    let errors = open.errors.split(separator: "\n").filter { $0.contains(": error: ") }
    #expect(errors.count == 2, "\(open.errors)")
    #expect(
      errors.first?.hasPrefix("--schemes:1:1: error: scheme 'w3.25a16' with 'rtn', 'quarot': ")
        == true, "\(open.errors)")
    #expect(errors.last?.hasPrefix("--schemes:1:15: error: scheme 'w4.25a16'") == true)
    #expect(open.errors.contains("as the pipeline 'mixed' does"))
    #expect(!open.errors.contains("note: at "))

    // What has a place of its own keeps it.
    let documents = try bench.folder.write("documents.jsonl", "{\"text\": \"a\"}\n{\"txt\": 3}\n")
    let model = try bench.folder.write(
      "documents.yaml",
      "irc: 1\nsource: \(Workbench.example)\npipeline: float\ncalibration: {text: \(documents)}\n")
    let broken = try Program.run(
      "compare", model, "--pipelines", "awq,gptq", "--schemes", "w4a16", "--data", bench.text,
      "--context", "64", "--windows", "1", "--quiet")
    #expect(broken.code == 1)
    #expect(
      broken.errors.components(separatedBy: "note: at \(documents):2:1\n").count == 2,
      "\(broken.errors)")
    let both = try bench.run("rtn", "--schemes", "w8a8", "--logits")
    #expect(both.code == 64 && both.errors.contains("'--logits'"), "\(both.errors)")
  }

  @Test("Logits are compared on request, and count as another row")
  func logits() throws {
    let bench = try Bench()
    #expect(try bench.rows("rtn-w8a8")[1].optional("logit_difference") == nil)
    let rows = try bench.rows("float,rtn-w8a8", "--logits", "--windows", "2")
    #expect(try rows.map(isCached) == [false, false, false])
    // Without quantization only rounding of sums is left, with it the library still follows the simulation.
    #expect(try rows[1]["logit_difference"].double() < 1e-5)
    #expect(try rows[1]["logit_difference_compiled"].double() == 0)
    #expect(try rows[2]["logit_difference"].double() > 1e-3)
    #expect(try rows[2]["logit_difference_compiled"].double() == 0)
    let again = try bench.rows("rtn-w8a8", "--logits", "--windows", "2")
    #expect(try again.map(isCached) == [true, true])
    for key in ["logit_difference", "logit_difference_compiled"] {
      #expect(try again[1][key].double() == rows[2][key].double())
    }
    let table = try bench.run("rtn-w8a8", "--logits", "--windows", "2").output
    #expect(table.split(separator: "\n")[0].hasSuffix("   logits  compiled"))
  }

  @Test("Divergences are measured on request: none without quantization, less with more bits")
  func divergence() throws {
    let bench = try Bench()
    let arguments = ["--divergence", "--windows", "2"]
    let rows = try bench.rows("float,rtn-w8a8,rtn-w4a8", arguments[0], arguments[1], arguments[2])
    #expect(try rows[0].optional("kl") == nil)
    let kl = try rows.dropFirst().map { try $0["kl"].double() }
    #expect(kl[0] < 1e-8 && kl[1] > 1e-5 && kl[2] > 5 * kl[1], "\(kl)")
    let table = try bench.run("rtn-w8a8", "--divergence", "--windows", "2").output
    #expect(table.split(separator: "\n")[0].contains("      change          kl  bits/weight"))
    #expect(table.contains(String(format: "%.6f", kl[1])), "\(table)")
  }

  @Test("What is finished is not computed again, unless something that it depends on changed")
  func cache() throws {
    let bench = try Bench()
    let first = try bench.rows("rtn-w8a8")
    #expect(try first.map(isCached) == [false, false])
    let second = try bench.rows("rtn-w4a8,rtn-w8a8")
    #expect(try second.map(isCached) == [true, false, true])
    for key in ["perplexity", "change", "bits_per_weight", "seconds"] {
      #expect(try second[2][key].double() == first[1][key].double(), "\(key)")
    }
    #expect(try bench.rows("rtn-w8a8", "--no-cache").map(isCached) == [false, false])
    // A name for the same passes and options is no other row; another option or text is.
    let set = "passes.quantize.scheme=w8a8"
    #expect(try bench.rows("rtn-w4a8", "--set", set).map(isCached) == [true, true])
    #expect(
      try bench.rows("rtn-w8a8", "--set", "target=native").map(isCached) == [true, false])
    #expect(
      try bench.rows("rtn-w8a8", "--set", "calibration.tokens=99").map(isCached) == [true, false])
    #expect(try bench.rows("rtn-w8a8", "--windows", "2").map(isCached) == [false, false])
    #expect(try bench.rows("rtn-w8a8", "--context", "32").map(isCached) == [false, false])
    try bench.folder.write("text.txt", "The old man looked at the sea, and it began to rain.")
    #expect(try bench.rows("rtn-w8a8").map(isCached) == [false, false])
  }

  @Test("--no-cache writes nothing")
  func withoutCache() throws {
    let bench = try Bench()
    _ = try bench.rows("rtn-w8a8", "--no-cache")
    #expect(!FileManager.default.fileExists(atPath: bench.cache))
  }

  @Test("A folder that cannot be written to only costs time")
  func unwritableCache() throws {
    let bench = try Bench()
    try bench.folder.write("cache", "a file where the folder belongs")
    #expect(try bench.rows("rtn-w8a8").map(isCached) == [false, false])
  }

  @Test("Damaged entries are computed again and repaired")
  func damagedEntries() throws {
    let bench = try Bench()
    let first = try bench.rows("rtn-w8a8")
    let entries = try bench.entries()
    #expect(entries.count == 2)
    for (index, entry) in entries.enumerated() {
      let content = try Data(contentsOf: URL(fileURLWithPath: entry))
      try (index == 0 ? content.dropLast(5) : Data()).write(to: URL(fileURLWithPath: entry))
    }
    let second = try bench.rows("rtn-w8a8")
    #expect(try second.map(isCached) == [false, false])
    #expect(
      try second.map { try $0["perplexity"].double() }
        == first.map { try $0["perplexity"].double() })
    #expect(try bench.rows("rtn-w8a8").map(isCached) == [true, true])
  }

  @Test("Processes may race for one cache")
  func race() throws {
    let bench = try Bench()
    let arguments = bench.arguments("rtn-w8a8,rtn-w4a16", ["--json"])
    let racers = try (0..<3).map { _ in
      try Program.start(arguments, environment: ["IRC_CACHE_DIR": bench.cache])
    }
    let outcomes = try racers.map { try $0.wait() }
    #expect(outcomes.allSatisfy { $0.code == 0 && $0.errors.isEmpty })
    let figures = try outcomes.map { outcome in
      try outcome.json()["rows"].array().map { try $0["perplexity"].double() }
    }
    #expect(Set(figures).count == 1)
    #expect(try bench.entries().count == 3)
    #expect(try bench.rows("rtn-w8a8,rtn-w4a16").map(isCached) == [true, true, true])
  }

  @Test("Passes of the prefix run before each pipeline and change its row, not float's")
  func prefix() throws {
    let bench = try Bench()
    let plain = try bench.rows("float,rtn-w8a8-static")
    let quantized = try bench.rows("float", "--prefix", "quantize{scheme: w2a16}")
    #expect(try quantized.map(isCached) == [true, false])
    let hard = try bench.rows("rtn-w8a8-static", "--prefix", "inject-outliers")
    #expect(try hard.map(isCached) == [true, false])
    func perplexity(_ rows: [JSONValue], _ row: Int) throws -> Double {
      try rows[row]["perplexity"].double()
    }
    #expect(try perplexity(plain, 0) == perplexity(quantized, 0))
    // The float model is multiplied with BLAS, what was lowered with the kernels.
    #expect(try abs(perplexity(plain, 1) / perplexity(plain, 0) - 1) < 1e-6)
    #expect(try perplexity(quantized, 1) > 1.5 * perplexity(plain, 1))
    #expect(try perplexity(hard, 1) > 1.5 * perplexity(plain, 2))
  }

  @Test("What was quantized is not transformed any more")
  func order() throws {
    let bench = try Bench()
    for pass in ["rotation-fusion{sites: [value]}", "smooth-fusion", "inject-outliers"] {
      let outcome = try bench.run("float", "--prefix", "quantize{scheme: w8a16},\(pass)")
      #expect(outcome.code == 1)
      #expect(
        outcome.errors.contains("would change weights that have been quantized"),
        "\(outcome.errors)")
      #expect(outcome.errors.contains("before 'quantize'"), "\(outcome.errors)")
    }
  }

  @Test("Logits of a library are those of one compiler")
  func compilers() throws {
    let bench = try Bench()
    let arguments = bench.arguments("rtn-w8a8", ["--logits", "--windows", "1", "--json"])
    _ = try bench.rows("rtn-w8a8", "--logits", "--windows", "1")
    let missing = try Program.run(
      arguments, environment: ["IRC_CACHE_DIR": bench.cache, "CC": "/nonexistent"])
    #expect(missing.code == 1)
    #expect(missing.errors.contains("'/nonexistent' that CC names was not found"))
    let other = try bench.folder.write("other-cc", "#!/bin/sh\nexec cc \"$@\"\n")
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: other)
    let renamed = try Program.run(
      arguments, environment: ["IRC_CACHE_DIR": bench.cache, "CC": other])
    #expect(renamed.code == 0, "\(renamed.errors)")
    #expect(try renamed.json()["rows"].array().map(isCached) == [true, false])
    #expect(
      try bench.rows("rtn-w8a8", "--logits", "--windows", "1").map(isCached) == [true, true])
  }

  @Test("Every mistake of the command line is told at once, with its place and a suggestion")
  func mistakes() throws {
    let bench = try Bench()
    let outcome = try bench.run(
      "rtn-w8a9, rtn,,float", "--prefix", "fold-norm-gain,quantize{shceme: w8a8}", "--set",
      "passes.quantise.scheme=w8a8", "--set", "pipeline=float")
    #expect(outcome.code == 1 && outcome.output.isEmpty)
    for message in [
      "--set:2:1: error: 'pipeline' is not the model file's here [set.excluded]",
      "--pipelines:1:1: error: unknown scheme 'w8a9' [scheme.unknown]",
      "did you mean 'w8a8'?",
      "--pipelines:1:11: error: pipeline 'rtn' needs a scheme [pipeline.no-scheme]",
      "--pipelines:1:15: error: expected the name of a pipeline [pipeline.syntax]",
      "--prefix:1:1: error: unknown pass 'fold-norm-gain' [passes.unknown]",
      "did you mean 'fold-norm-gains'?",
      "--prefix:1:25: error: pass 'quantize' has no option 'shceme' [options.unknown-key]",
      "did you mean 'scheme'?",
    ] {
      #expect(outcome.errors.contains(message), "\(message)\n\(outcome.errors)")
    }
    #expect(outcome.errors.components(separatedBy: "unknown pass").count == 2)
    #expect(try bench.run("rtn-w8a8", "--prefix", "fold-norm-gains{").code == 1)
    #expect(try bench.run("rtn-w8a8", "--prefix", "").code == 1)
    // A pass that only one of the pipelines has may be set; one that none has may not.
    let some = try bench.run("float,rtn-w8a8", "--set", "passes.quantize.scheme=w4a16")
    #expect(some.code == 0, "\(some.errors)")
    let none = try bench.run("float,rtn-w8a8", "--set", "passes.quantise.scheme=w4a16")
    #expect(none.code == 1)
    #expect(none.errors.contains("the pipeline has no pass 'quantise' [set.unknown-pass]"))
    let data = try Program.run(
      "compare", bench.model, "--pipelines", "float", "--data", "no-such-text.txt")
    #expect(data.code == 1 && data.output.isEmpty)
    #expect(data.errors.contains("no-such-text.txt"))
  }

  @Test("A pipeline that fails says so in its row; the others go on, and the exit code is 1")
  func failingRow() throws {
    // No text is as long as that.
    let bench = try Bench()
    let failing = try bench.folder.write(
      "failing.yaml",
      """
      irc: 1
      summary: Rotates by axes of text that there is not enough of.
      passes:
        - fold-norm-gains
        - rotation-fusion: {kind: klt, rows_per_channel: 1000000}
        - include: lower-and-emit
      """)
    let outcome = try bench.run("\(failing),rtn-w8a8", "--json")
    #expect(outcome.code == 1)
    #expect(outcome.errors.contains("calibration.tokens"))
    let rows = Array(try outcome.json()["rows"].array())
    #expect(rows.count == 3)
    #expect(try rows[1].optional("perplexity") == nil)
    #expect(try rows[1]["error"].string().contains("calibration tokens"))
    #expect(try rows[2]["perplexity"].double() > 1)
    let text = try bench.run("\(failing),rtn-w8a8")
    #expect(text.code == 1)
    let lines = text.output.split(separator: "\n")
    #expect(lines.count == 4 && lines[2].contains("failed: pass 'rotation-fusion'"))
    // What failed is tried again, what succeeded is not.
    let again = try bench.run("\(failing),rtn-w8a8", "--json")
    #expect(again.code == 1)
    #expect(try again.json()["rows"].array().map(isCached) == [true, false, true])
  }

  @Test("Calibration text that is not there is told of every pipeline before anything is measured")
  func missingCalibration() throws {
    let bench = try Bench(calibration: false)
    let outcome = try bench.run("rtn-w8a8-static,rtn-w8a8,gptq-w4a16")
    #expect(outcome.code == 1 && outcome.output.isEmpty)
    for message in [
      "--pipelines:1:1: error: pass 'quantize' needs calibration text",
      "--pipelines:1:26: error: pass 'gptq' needs calibration text",
    ] {
      #expect(outcome.errors.contains(message), "\(message)\n\(outcome.errors)")
    }
    #expect(outcome.errors.components(separatedBy: "passes.missing-calibration").count == 3)
    #expect(try bench.run("rtn-w8a8", "--windows", "1").code == 0)
    // Once for a pipeline, not for each scheme that it goes with.
    let table = try bench.run("gptq", "--schemes", "w4a16,w3a16,w2a16")
    #expect(table.code == 1)
    #expect(
      table.errors.components(separatedBy: "passes.missing-calibration").count == 2,
      "\(table.errors)")
  }
}
