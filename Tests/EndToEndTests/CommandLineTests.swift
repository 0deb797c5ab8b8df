import Foundation
import IRCSupport
import IRCTestSupport
import Testing

@Suite("Command line")
struct CommandLineTests {
  /// A folder with a model file for the example and a short text.
  private func project(pipeline: String = "rtn-w8a8") throws -> (
    folder: TemporaryFolder, model: String
  ) {
    let folder = try TemporaryFolder()
    let model = try folder.write(
      "model.yaml", Workbench.modelFile(source: Workbench.example, pipeline: pipeline))
    try folder.write(
      "text.txt", "The old man looked at the sea, and said that it would rain before night.")
    return (folder, model)
  }

  private static let usages: [(arguments: [String], code: Int32)] = [
    (["--version"], 0), (["passes"], 0), (["passes", "quantize"], 0), (["schema", "model"], 0),
    (["--help"], 0), (["help"], 0), (["help", "lower"], 0), (["lower", "--help"], 0), ([], 0),
    (["help", "plugin", "build"], 0), (["help", "help"], 0),
    (["help", "no-such-command"], 64),
    (["help", "plugin", "bake"], 64),
    (["inspect", Workbench.example], 0),
    (["passes", "quantise"], 1), (["lower", "no-such-file.yaml"], 1),
    (["inspect", "no-such-folder"], 1), (["inspect", Workbench.example, "--kernels"], 0),
    (["inspect", Workbench.example, "--kernels", "--roofline", "no-such.json"], 1),
    (["inspect", Workbench.example, "--kernels", "--graph"], 64),
    (["inspect", Workbench.example, "--past", "3"], 64),
    (["eval", "no-such-file.yaml", "--data", "x.txt"], 1), (["opt", "no-such.irc"], 1),
    (["eval", Workbench.example, "--data", Workbench.prose, "--compiled"], 1),
    (["eval", Workbench.example, "--data", Workbench.prose, "--agreement"], 1),
    (["eval", Workbench.example, "--data", Workbench.prose, "--agreement", "--compiled"], 64),
    (["eval", Workbench.example], 64), (["lower"], 64), (["no-such-command"], 64),
    (["lower", "model.yaml", "--no-such-option"], 64), (["passes", "--jobs", "0"], 64),
    (["run", Workbench.example, "--tokens", "0"], 64), (["schema", "poem"], 64),
    (["eval", Workbench.example, "--data", "x", "--context", "0"], 64),
    (["compare", "no-such-file.yaml", "--pipelines", "float", "--data", "x.txt"], 1),
    (["compare", "no-such-file.yaml", "--data", "x.txt"], 64),
    (["plugin"], 0), (["plugin", "--help"], 0), (["plugin", "build", "--help"], 0),
    (["plugin", "build"], 64), (["plugin", "bake", "x"], 64), (["plugin", "build", "x"], 1),
    (["passes", "--plugin", "no-such.so"], 1),
    (["compare", "x.yaml", "--pipelines", "float", "--data", "x", "--windows", "0"], 64),
    (["bench"], 64), (["bench", "--suite", "kernel"], 64),
    (["bench", "model.yaml", "--suite", "kernels"], 64), (["bench", "no-such-file.yaml"], 1),
    (["bench", "no-such-file.yaml", "--tokens", "0"], 64),
    (["bench", "--suite", "kernels", "--threads", "0"], 64),
    (["bench", "--suite", "kernels", "--runs", "0"], 64),
    (["bench", "--suite", "kernels", "--ring", "0"], 64),
    (["bench", "--suite", "kernels", "--shapes", "64x48"], 64),
    (["bench", "--suite", "kernels", "--shapes", "64x64,"], 64),
    (["bench", "--suite", "kernels", "--kernels", "sse"], 64),
    (["bench", "--suite", "kernels", "--layout", "columns"], 64),
    (["bench", "--suite", "kernels", "--no-peers", "--python", "python3"], 64),
    (["bench", "--suite", "kernels", "--no-peers", "--onednn-isa", "AVX2"], 64),
    (["bench", "--suite", "kernels", "--no-peers", "--only", "int9"], 1),
  ]

  @Test(
    "Exit codes: 0 for success, 1 for diagnostics, 64 for wrong usage", arguments: usages.indices)
  func exitCodes(index: Int) throws {
    let (arguments, code) = Self.usages[index]
    let outcome = try Program.run(arguments)
    #expect(outcome.code == code, "\(outcome.errors)")
    if code == 1 {
      #expect(outcome.output.isEmpty)
      #expect(outcome.errors.contains("error: "))
    }
  }

  @Test("Output that cannot be written is an error; messages that cannot be written are not")
  func unwritableStreams() throws {
    let (folder, model) = try project()
    func run(_ redirection: String, _ arguments: [String]) throws -> Program.Outcome {
      try Program.run(
        ["-c", "exec \"$0\" \"$@\" \(redirection)", Program.path] + arguments,
        executable: "/bin/sh")
    }
    for arguments in [
      ["passes", "--markdown"], ["schema", "model"], ["inspect", Workbench.example, "--json"],
    ] {
      let full = try run(">/dev/full", arguments)
      #expect(full.code == 1, "\(arguments)")
      #expect(full.errors.contains("standard output") && full.errors.contains("output.unwritable"))
    }
    // Progress, and the message of an error.
    #expect(try run("2>/dev/full", ["lower", model]).code == 0)
    #expect(try run("2>/dev/full", ["passes", "quantise"]).code == 1)
    withExtendedLifetime(folder) {}
  }

  @Test("A file that may not grow is an error, and not the end of the process")
  func fileSizeLimit() throws {
    let (folder, model) = try project()
    let outcome = try Program.run(
      ["-c", "ulimit -f 200; exec \"$0\" lower \"$1\" --quiet", Program.path, model],
      executable: "/bin/sh")
    #expect(outcome.code == 1, "\(outcome.code): \(outcome.errors)")
    #expect(outcome.errors.contains("[output.unwritable]"), "\(outcome.errors)")
    #expect(!FileManager.default.fileExists(atPath: folder.file("out/tested.weights")))
  }

  @Test("A name that is taken is told where it stands, by check, lower and what changes nothing")
  func renamed() throws {
    let (folder, model) = try project()
    let text = try String(contentsOfFile: model, encoding: .utf8)
    try folder.write("model.yaml", text.replacing("name: tested", with: "name: x"))
    let cache = ["IRC_CACHE_DIR": folder.file("cache")]
    for arguments in [["check", model], ["lower", model], ["lower", model]] {
      let outcome = try Program.run(arguments, environment: cache)
      #expect(outcome.code == 0, "\(outcome.errors)")
      #expect(
        outcome.errors.contains("\(model):2:7: remark: files are called 'model_x' in place of 'x'"),
        "\(arguments): \(outcome.errors)")
    }
    #expect(FileManager.default.fileExists(atPath: folder.file("out/model_x.h")))
    let named = try folder.write("timer/model.yaml", text.replacing("name: tested\n", with: ""))
    let told = try Program.run("check", named)
    #expect(told.code == 0 && told.errors.contains("'model_timer'"), "\(told.errors)")
    #expect(told.errors.contains("the folder's name"), "\(told.errors)")
  }

  @Test("An unknown pass is answered with the nearest one")
  func nearestPass() throws {
    let outcome = try Program.run("passes", "quantise")
    #expect(outcome.errors.contains("there is no pass 'quantise' [passes.unknown]"))
    #expect(outcome.errors.contains("did you mean 'quantize'?"))
  }

  @Test("An option that takes a file reads it where it is named, and counts it among the inputs")
  func documents() throws {
    let (folder, model) = try project()
    func times(_ seconds: String) throws -> String {
      try folder.write(
        "times.json",
        """
        {"suite": "kernels", "machine": {"read_gbps": 25.0}, "rows": [
          {"weights": "int4", "activations": "f32", "group": 32, "rows": 64, "cols": 64,
           "n": 1, "threads": 1, "seconds": \(seconds), "peers": {}, "product_seconds": null}]}
        """)
    }
    let arguments = [
      "check", model, "--json", "--set", "pipeline=mixed-w4.25a16", "--set",
      "passes.mixed-precision.kernel_times=\(try times("1.5e-06"))",
    ]
    let outcome = try Program.run(arguments)
    #expect(outcome.code == 0, "\(outcome.errors)")
    let files = try outcome.json()["files"].array().map { try $0.string() }
    #expect(files.contains { $0.hasSuffix("times.json") }, "\(files)")
    _ = try times("\"soon\"")
    let wrong = try Program.run(arguments)
    #expect(wrong.code == 1)
    #expect(wrong.errors.contains("times.json:3:37: error: expected a number"), "\(wrong.errors)")
    // What is no use is told with how a file is made.
    let rows = try String(contentsOfFile: folder.file("times.json"), encoding: .utf8)
      .replacing("\"soon\"", with: "1e-6")
    for (text, place) in [
      ("{}", ":1:1: error: expected measured times of kernels"),
      ("", ":1:1: error: expected measured"),
      ("{\"rows\": []}", ":1:10: error: there are no times here"),
      (
        rows.replacing("\"threads\": 1", with: "\"threads\": 2"),
        ":3:23: error: times are those of one thread, and these were measured with 2"
      ),
      (rows.replacing("\"n\": 1", with: "\"n\": 8"), ":3:9: error: times are those of one token"),
    ] {
      try folder.write("times.json", text)
      let useless = try Program.run(arguments)
      #expect(
        useless.code == 1 && useless.errors.contains("times.json\(place)"), "\(useless.errors)")
      #expect(
        useless.errors.contains("hint: 'irc bench --suite kernels --threads 1"), "\(useless.errors)"
      )
    }
    let missing = try Program.run(
      "check", model, "--set", "pipeline=mixed-w4.25a16", "--set",
      "passes.mixed-precision.kernel_times=no-such.json")
    #expect(missing.code == 1 && missing.errors.contains("no-such.json"), "\(missing.errors)")
  }

  @Test("Limits of a machine come from a file, and times follow them")
  func rooflines() throws {
    let (folder, model) = try project()
    func seconds(_ rate: Double) throws -> Double {
      let place = try folder.write(
        "machine.json",
        """
        {"machine": {"cpu": "slow", "read_gbps": \(rate), "int8": {"name": "x", "gops": 1e6},
          "float": {"name": "y", "gops": 1e6}, "cache_gbps": 1e9}}
        """)
      let outcome = try Program.run(
        "inspect", model, "--kernels", "--roofline", place, "--json", "--quiet")
      #expect(outcome.code == 0, "\(outcome.errors)")
      return try outcome.json()["decode"]["predicted_seconds"].double()
    }
    let (slow, fast) = (try seconds(1), try seconds(10))
    #expect(abs(slow / fast - 10) < 1e-3)
    for text in ["{\"read_gbps\": 0}", "{\"threads\": 2, \"read_gbps\": 1}"] {
      let place = try folder.write("machine.json", text)
      let wrong = try Program.run("inspect", model, "--kernels", "--roofline", place)
      #expect(wrong.code == 1 && wrong.errors.contains("[inspect.roofline]"), "\(wrong.errors)")
    }
    // Whatever else is wrong with a file, how one is made is said; what is no text is not shown.
    let binary = (0..<300).map { UInt8(truncatingIfNeeded: $0 * 37 % 256) | 0x80 }
    for bytes in [Array("{}".utf8), [], Array("{\"read_gbps\": \"x\"}".utf8), [0x7F] + binary] {
      let place = try folder.write("machine.json", bytes)
      let wrong = try Program.run("inspect", model, "--kernels", "--roofline", place)
      #expect(
        wrong.code == 1 && wrong.errors.contains("hint: 'irc bench --suite kernels --threads 1"))
      #expect(wrong.errors.utf8.count < 400, "\(wrong.errors)")
    }
  }

  @Test(
    "Threads that a library has no room for, and targets of other machines, are refused before any work"
  )
  func early() throws {
    let (folder, model) = try project()
    #if arch(x86_64)
      let foreign = ("target=neon", "AArch64")
    #else
      let foreign = ("target=avx2", "x86-64")
    #endif
    for (arguments, words) in [
      (["run", "--threads", "99"], ["room for 16 threads, not for 99"]),
      (["bench", "--threads", "3", "--set", "passes.emit-c.threads=none"], ["room for 1 thread,"]),
      (["run", "--set", foreign.0], [foreign.1, "irc lower"]),
      (["bench", "--set", foreign.0], [foreign.1, "irc lower"]),
      (["eval", "--compiled", "--data", folder.file("text.txt"), "--set", foreign.0], [foreign.1]),
    ] {
      let outcome = try Program.run([arguments[0], model] + arguments.dropFirst())
      #expect(outcome.code == 1 && outcome.output.isEmpty, "\(arguments)")
      #expect(!outcome.errors.contains("lower: "), "\(arguments): \(outcome.errors)")
      for word in words { #expect(outcome.errors.contains(word), "\(outcome.errors)") }
    }
    #expect(!FileManager.default.fileExists(atPath: folder.file("out")))
    let lowered = try Program.run("lower", model, "--set", foreign.0, "--quiet")
    #expect(lowered.code == 0, "\(lowered.errors)")
    let verified = try Program.run("verify", folder.file("out"))
    #expect(
      verified.code == 0 && verified.output.contains("library: not run"), "\(verified.errors)")
  }

  @Test("What is compiled is told as other work is: once a file is not known, and not when quiet")
  func compiling() throws {
    let (folder, model) = try project()
    let cache = ["IRC_CACHE_DIR": folder.file("cache")]
    let run = ["run", model, "--tokens", "2", "--set", "target=portable"]
    let first = try Program.run(run, environment: cache)
    #expect(first.code == 0, "\(first.errors)")
    let lines = first.errors.split(separator: "\n").filter { $0.hasPrefix("compile: ") }
    #expect(lines.first == "compile: 0 %" && lines.last == "compile: 100 %", "\(first.errors)")
    let again = try Program.run(run, environment: cache)
    #expect(again.code == 0 && !again.errors.contains("compile"), "\(again.errors)")
    // Other formats are another source, and other chunks are another header as well, which no kernel includes.
    for setting in ["pipeline=rtn-w4a16", "passes.emit-c.chunk=16"] {
      let header = try String(contentsOfFile: folder.file("out/tested.h"), encoding: .utf8)
      let other = try Program.run(run + ["--set", setting, "--quiet"], environment: cache)
      #expect(other.code == 0 && other.errors.isEmpty, "\(other.errors)")
      let now = try String(contentsOfFile: folder.file("out/tested.h"), encoding: .utf8)
      #expect((now == header) == (setting == "pipeline=rtn-w4a16"), "\(setting)")
    }
    let kinds = try Program.run(["cache", "--json"], environment: cache).json()["kinds"].array()
    let objects = try #require(kinds.first { try $0["kind"].string() == "c-object" })
    let sources = try FileManager.default.contentsOfDirectory(atPath: folder.file("out"))
      .filter { $0.hasSuffix(".c") }
    #expect(try objects["entries"].int() == sources.count + 2)
  }

  @Test("A folder for temporary files that cannot be had is told with the variable that names it")
  func temporaryFolder() throws {
    let (folder, model) = try project()
    let nowhere = ["TMPDIR": try folder.write("file", "no folder")]
    for arguments in [
      ["bench", model], ["run", model, "--tokens", "2"],
      ["eval", model, "--compiled", "--data", folder.file("text.txt")],
    ] {
      let outcome = try Program.run(arguments + ["--quiet"], environment: nowhere)
      #expect(
        outcome.code == 1 && outcome.errors.contains("[file.unwritable]"), "\(outcome.errors)")
      #expect(outcome.errors.contains("let TMPDIR name another folder"), "\(outcome.errors)")
    }
  }

  @Test("The keys of every JSON result are those that are documented")
  func keys() throws {
    let (folder, model) = try project()
    let text = folder.file("text.txt")
    let documentation = try String(
      contentsOfFile: Workbench.repository + "/docs/commands.md", encoding: .utf8)
    func check(_ arguments: [String], _ keys: [String]) throws -> JSONValue {
      let outcome = try Program.run(arguments + ["--json", "--quiet"])
      #expect(outcome.code == 0 && outcome.errors.isEmpty, "\(outcome.errors)")
      #expect(try outcome.keys() == keys, "\(arguments)")
      for key in keys { #expect(documentation.contains("`\(key)`"), "docs/commands.md: \(key)") }
      return try outcome.json()
    }
    let evaluation = [
      "evaluated", "data", "perplexity", "nll_per_token", "tokens", "windows", "context", "seconds",
    ]
    for (arguments, kind) in [
      ([Workbench.example], "float"), ([model], "simulation"), ([model, "--compiled"], "compiled"),
    ] {
      let result = try check(["eval"] + arguments + ["--data", text], evaluation)
      #expect(try result["evaluated"].string() == kind)
      #expect(try result["perplexity"].double() > 1)
    }
    // Measuring the library leaves no output behind.
    #expect(!FileManager.default.fileExists(atPath: folder.file("out")))
    let agreement = try check(
      ["eval", model, "--agreement", "--data", text],
      [
        "data", "tokens", "windows", "context", "median_difference", "largest_difference",
        "notable_difference", "notable_tokens", "same_choice", "other_choices",
        "perplexity_simulation", "perplexity_compiled", "perplexity_change",
      ])
    #expect(try agreement["tokens"].int() > 10)
    let lowered = try check(["lower", model], ["output", "changed", "weight_bytes", "passes"])
    #expect(try lowered["output"].string() == folder.file("out"))
    #expect(
      try lowered["passes"].array().map { try $0["instance"].string() } == [
        "fold-norm-gains", "quantize", "lower-kernels", "emit-c",
      ])
    #expect(
      try lowered["passes"].array()[0].object().map(\.key) == [
        "instance", "seconds", "earlier_seconds", "statistics", "remarks",
      ])
    #expect(try lowered["weight_bytes"].int() > 500_000)
    let run = try check(
      ["run", model, "--prompt", "The old man", "--tokens", "12", "--data", text],
      [
        "source_bytes", "weight_bytes", "output", "perplexity_before", "perplexity_after", "text",
        "tokens", "tokens_per_second",
      ])
    #expect(try run["text"].string().hasPrefix("The old man"))
    #expect(try run["tokens"].int() == 12)
    let checkpoint = try check(
      ["inspect", Workbench.example], ["kind", "architecture", "bytes", "tensors"])
    #expect(
      try checkpoint["tensors"].array().contains {
        try $0["name"].string() == "backbone.embeddings.weight"
          && $0["shape"].array().map { try $0.int() } == [1024, 128]
      })
    _ = try check(["inspect", folder.file("out")], ["kind", "manifest"])
    _ = try check(
      ["inspect", model], ["kind", "name", "stage", "facts", "operations", "ir"])
    let kernels = try check(
      ["inspect", model, "--kernels"],
      ["kind", "name", "chunk", "past", "roofline", "steps", "decode", "prefill", "arena"])
    let steps = try kernels["steps"].array()
    #expect(
      try steps[0].object().map(\.key) == [
        "layer", "operator", "kernel", "weights", "activations", "shape", "loop", "tail", "decode",
        "prefill",
      ])
    let known = try check(["passes"], ["passes", "components"])
    let passes = try known["passes"].array()
    #expect(
      try passes.map { try $0["name"].string() } == [
        "awq", "centre-norms", "clip-search", "emit-c", "fit-values", "fold-norm-gains", "gptq",
        "inject-outliers", "low-rank-absorb", "lower-kernels", "mixed-precision", "quantize",
        "rotation-fusion", "smooth-fusion",
      ])
    #expect(
      try passes[0].object().map(\.key) == [
        "name", "summary", "requires", "establishes", "preserves_function", "plugin", "options",
      ])
    let components = try known["components"].array()
    #expect(
      try components.map { try $0["name"].string() } == [
        "exact", "greedy", "kl", "output-mse", "sqnr", "weighted-mse",
      ])
    #expect(try components[0].object().map(\.key) == ["kind", "name", "summary", "plugin"])
  }

  @Test("A model that was given another name takes the place of what its old name left")
  func renaming() throws {
    let (folder, model) = try project()
    #expect(try Program.run("lower", model, "--quiet").code == 0)
    try folder.write("out/notes.txt", "not ours")
    let text = try String(contentsOfFile: model, encoding: .utf8)
    try folder.write("model.yaml", text.replacing("name: tested", with: "name: renamed"))
    let run = try Program.run("run", model, "--tokens", "3", "--quiet")
    #expect(run.code == 0, "\(run.errors)")
    let names = Set(try contents(of: folder.file("out")).keys)
    #expect(names.isSuperset(of: ["renamed.c", "renamed.h", "renamed.weights", "notes.txt"]))
    #expect(names.allSatisfy { !$0.hasPrefix("tested") })
  }

  @Test("--set and -o change what a model file asks for, and are checked like it")
  func overrides() throws {
    let (folder, model) = try project()
    let other = folder.file("elsewhere")
    let outcome = try Program.run(
      "lower", model, "--set", "passes.quantize.scheme=w4a16", "-o", other, "--json", "--quiet")
    #expect(outcome.code == 0, "\(outcome.errors)")
    #expect(try outcome.json()["output"].string() == other)
    #expect(try outcome.json()["weight_bytes"].int() < 600_000)
    #expect(!FileManager.default.fileExists(atPath: folder.file("out")))
    let run = try Program.run(
      "run", model, "--set", "pipeline=rtn-w4a16", "-o", folder.file("run"), "--tokens", "2",
      "--json", "--quiet")
    #expect(run.code == 0, "\(run.errors)")
    #expect(try run.json()["output"].string() == folder.file("run"))
    #expect(FileManager.default.fileExists(atPath: folder.file("run/tested.c")))
    // As on the page for beginners: the names are those of the example.
    let page = try String(
      contentsOfFile: Workbench.repository + "/docs/getting-started.md", encoding: .utf8)
    let exclusion = try #require(page.firstMatch(of: /--set '(passes\.quantize\.exclude=.*)'/))
    let excluding = try Program.run(
      "lower", model, "--set", String(exclusion.output.1), "-o", other, "--quiet")
    #expect(excluding.code == 0, "\(excluding.errors)")
    for (setting, message) in [
      ("passes.quantize.scheme=w4a61", "w4a61"), ("passes.quantise.scheme=w4a16", "quantise"),
      ("passes.quantize.shceme=w4a16", "did you mean 'scheme'?"), ("pipeline=rtn-w9a9", "rtn-w9a9"),
      ("target=toaster", "toaster"), ("nonsense", "nonsense"),
    ] {
      let refused = try Program.run("lower", model, "--set", setting, "--quiet")
      #expect(refused.code == 1, "\(setting)")
      #expect(
        refused.errors.contains("--set") && refused.errors.contains(message), "\(refused.errors)")
    }
  }

  @Test(
    "--stop-after prints the graph and writes no files; --print-ir-after prints it on standard error"
  )
  func stopping() throws {
    let (folder, model) = try project()
    let stopped = try Program.run(
      "lower", model, "--stop-after", "quantize", "--print-ir-after", "fold-norm-gains", "--quiet")
    #expect(stopped.code == 0, "\(stopped.errors)")
    #expect(stopped.output.contains("irc.graph @\"tested\" {stage = \"quantized\""))
    #expect(stopped.errors.hasPrefix("// IR after fold-norm-gains\nirc.graph @\"tested\""))
    #expect(!stopped.errors.contains("quantize %"))
    #expect(!FileManager.default.fileExists(atPath: folder.file("out")))
    // What was printed is a graph that reads back.
    let graph = try folder.write("stopped.irc", stopped.output)
    let again = try Program.run("opt", graph)
    #expect(again.output == stopped.output, "\(again.errors)")
    let emitting = try Program.run("lower", model, "--stop-after", "emit-c", "--quiet")
    #expect(emitting.code == 0, "\(emitting.errors)")
    #expect((try? contents(of: folder.file("out")))?.isEmpty ?? true)
    let unknown = try Program.run("lower", model, "--stop-after", "quantise", "--quiet")
    #expect(unknown.code == 1)
    #expect(
      unknown.errors.contains("the pipeline has no pass 'quantise' [passes.unknown-instance]"))
    #expect(unknown.errors.contains("did you mean 'quantize'?"))
    // Every name is looked up, in every command.
    for command in [["lower", model], ["opt", graph, "--passes", "fold-norm-gains"]] {
      let several = try Program.run(
        command + [
          "--print-ir-after", "fold-norm-gains", "--print-ir-after", "one", "--print-ir-after",
          "two", "--stop-after", "three",
        ])
      #expect(several.code == 1 && several.output.isEmpty)
      for name in ["one", "two", "three"] {
        #expect(several.errors.contains("the pipeline has no pass '\(name)'"), "\(several.errors)")
      }
    }
    #expect(!FileManager.default.fileExists(atPath: folder.file("out/tested.c")))
  }

  @Test("irc opt runs passes on the example of docs/ir.md")
  func optimization() throws {
    let page = try String(contentsOfFile: Workbench.repository + "/docs/ir.md", encoding: .utf8)
    let start = try #require(page.range(of: "```irc\n"))
    let end = try #require(page.range(of: "```", range: start.upperBound..<page.endIndex))
    let folder = try TemporaryFolder()
    let graph = try folder.write("example.irc", String(page[start.upperBound..<end.lowerBound]))
    let plain = try Program.run("opt", graph)
    #expect(plain.code == 0 && plain.output.contains("attention"), "\(plain.errors)")
    let quantized = try Program.run(
      "opt", graph, "--passes", "quantize{scheme: w4a16}", "--stop-after", "quantize",
      "--function-check", "never", "--timing", "--remarks")
    #expect(quantized.code == 0, "\(quantized.errors)")
    #expect(quantized.output.contains("stage = \"quantized\""))
    #expect(quantized.output.contains("group(32)"))
    #expect(quantized.errors.contains("quantized 3"))
    #expect(quantized.errors.contains("remark: 'model.embed_tokens.weight'"))
    let wrong = try Program.run("opt", graph, "--passes", "quantize{shceme: w4a16}")
    #expect(wrong.code == 1)
    #expect(
      wrong.errors.contains("--passes:1:10: error: ") && wrong.errors.contains("did you mean"))
    let files = try Program.run("opt", graph, "--passes", "lower-kernels,emit-c")
    #expect(files.code == 1)
  }

  @Test("Lowering again changes nothing, time stamps included, whatever the threads and the folder")
  func determinism() throws {
    let (folder, model) = try project(pipeline: "rtn-w4a8")
    func lower(_ output: String, jobs: Int) throws -> String {
      let outcome = try Program.run(
        "lower", model, "-o", folder.file(output), "--jobs", "\(jobs)", "--quiet")
      #expect(outcome.code == 0, "\(outcome.errors)")
      return outcome.output
    }
    _ = try lower("one", jobs: 1)
    _ = try lower("two", jobs: 2)
    let first = try contents(of: folder.file("one"))
    #expect(first.count > 3)
    // The file for Make names the folder that it lies in.
    let second = try contents(of: folder.file("two"))
    #expect(
      second.filter { !$0.key.hasSuffix(".d") } == first.filter { !$0.key.hasSuffix(".d") })

    func stamps() throws -> [String: Date] {
      var result: [String: Date] = [:]
      for name in first.keys {
        let attributes = try FileManager.default.attributesOfItem(
          atPath: folder.file("one/\(name)"))
        result[name] = attributes[.modificationDate] as? Date
      }
      return result
    }
    let before = try stamps()
    #expect(before.count == first.count)
    #expect(try lower("one", jobs: 2).hasSuffix("up to date\n"))
    #expect(try stamps() == before)
    #expect(try contents(of: folder.file("one")) == first)
  }

  @Test(
    "stories260k continues as its author published",
    .enabled(if: Shared.model("stories260k") != nil, "stories260k is not in shared/"))
  func greedy() throws {
    let source = try #require(Shared.model("stories260k"))
    let provenance = try String(contentsOfFile: source + "/PROVENANCE.md", encoding: .utf8)
    let start = try #require(provenance.range(of: "word for word: \""))
    let end = try #require(
      provenance.range(of: " ...\"", range: start.upperBound..<provenance.endIndex))
    let published = provenance[start.upperBound..<end.lowerBound]
      .replacingOccurrences(of: "\n  ", with: " ").replacingOccurrences(of: "\\n", with: "\n")
    #expect(published.count > 250)
    let folder = try TemporaryFolder()
    let model = try folder.write(
      "model.yaml", Workbench.modelFile(source: source, pipeline: "float"))
    // More tokens than there is room for: the text ends there, and why is told.
    let short = try Program.run(
      "run", model, "--set", "passes.emit-c.context=32", "--prompt", "Once upon a time", "--tokens",
      "150", "--json")
    #expect(short.code == 0, "\(short.errors)")
    #expect(short.errors.contains("the context of 32 tokens is full"))
    #expect(published.hasPrefix(try short.json()["text"].string()))
    #expect((20..<32).contains(try short.json()["tokens"].int()))
    for subject in [source, model] {
      let outcome = try Program.run(
        "run", subject, "--prompt", "Once upon a time", "--tokens", "150", "--json", "--quiet")
      #expect(outcome.code == 0, "\(outcome.errors)")
      let text = try outcome.json()["text"].string()
      #expect(text.hasPrefix(published), "\(text)")
    }
  }
}
