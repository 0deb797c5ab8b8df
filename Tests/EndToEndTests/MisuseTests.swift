import Foundation
import IRCSupport
import IRCTestSupport
import Testing

/// What people do who meet the program for the first time: each mistake is told before it costs anything.
@Suite("Misuse")
struct MisuseTests {
  /// A folder with a model file for the example.
  private struct Project {
    let folder: TemporaryFolder
    let model: String
    var output: String { folder.file("out") }

    init(pipeline: String = "rtn-w8a8", more: String = "") throws {
      folder = try TemporaryFolder()
      model = try folder.write(
        "model.yaml",
        Workbench.modelFile(source: Workbench.example, pipeline: pipeline, more: more))
    }

    /// Runs the program and expects one error with these words, and no output folder.
    func refuses(
      _ arguments: [String], _ words: String..., at place: Testing.SourceLocation = #_sourceLocation
    ) throws {
      let outcome = try Program.run(arguments + ["--quiet"])
      #expect(outcome.code == 1, "\(outcome.errors)", sourceLocation: place)
      for word in words {
        #expect(
          outcome.errors.contains(word), "'\(word)' in: \(outcome.errors)", sourceLocation: place)
      }
      #expect(!FileManager.default.fileExists(atPath: output), sourceLocation: place)
    }
  }

  @Test("A text that cannot be measured on is told before anything runs or is written")
  func unreadableText() throws {
    let project = try Project()
    let empty = try project.folder.write("empty.txt", "")
    let missing = project.folder.file("missing.txt")
    for (text, words) in [(empty, "no token to predict"), (missing, "No such file")] {
      for command in [["run", "--tokens", "3"], ["eval"], ["eval", "--compiled"]] {
        try project.refuses(command + [project.model, "--data", text], text, words)
      }
      try project.refuses(["eval", Workbench.example, "--data", text], text, words)
    }
  }

  @Test(
    "A model's limit holds for the float model, the simulation and the library alike",
    .enabled(if: Shared.model("stories260k") != nil, "stories260k is not in shared/"))
  func contextLimit() throws {
    let source = try #require(Shared.model("stories260k"))
    let folder = try TemporaryFolder()
    let model = try folder.write(
      "model.yaml", Workbench.modelFile(source: source, pipeline: "float"))
    let long = String(repeating: "Once upon a time there was a dog. ", count: 100)
    let text = try folder.write("long.txt", long)
    for subject in [[source], [model], [model, "--compiled"], [model, "--agreement"]] {
      let outcome = try Program.run(
        ["eval"] + subject + ["--data", text, "--context", "600", "--quiet"])
      #expect(outcome.code == 1, "\(subject): \(outcome.errors)")
      #expect(outcome.errors.contains("windows of 600 tokens are asked for, the model takes 512"))
      #expect(outcome.errors.contains("--context 512"))
    }
    for subject in [source, model] {
      let outcome = try Program.run("run", subject, "--prompt", long, "--quiet")
      #expect(outcome.code == 1)
      #expect(outcome.errors.contains(/the prompt has \d+ tokens, the model takes 512/))
    }
    #expect(!FileManager.default.fileExists(atPath: folder.file("out")))
    // What is asked for counts, however short the text is; what nobody asked for does not.
    let short = try folder.write("short.txt", "Once upon a time there was a dog.")
    let asked = try Program.run("eval", source, "--data", short, "--context", "600", "--quiet")
    #expect(asked.code == 1 && asked.errors.contains("windows of 600 tokens"), "\(asked.errors)")
    #expect(try Program.run("eval", source, "--data", short, "--quiet").code == 0)
    let fits = try Program.run("eval", source, "--data", text, "--context", "512", "--quiet")
    #expect(fits.code == 0, "\(fits.errors)")
    // Also where it is what counts when nothing is asked for, or less.
    let small = folder.file("small")
    try FileManager.default.createDirectory(atPath: small, withIntermediateDirectories: true)
    for name in try FileManager.default.contentsOfDirectory(atPath: source) {
      if name == "config.json" {
        let config = try String(contentsOfFile: "\(source)/\(name)", encoding: .utf8)
        try config.replacing(
          /"max_position_embeddings": *512/, with: "\"max_position_embeddings\": 128"
        ).write(toFile: "\(small)/\(name)", atomically: true, encoding: .utf8)
      } else {
        try FileManager.default.createSymbolicLink(
          atPath: "\(small)/\(name)", withDestinationPath: "\(source)/\(name)")
      }
    }
    for length in ["200", "256"] {
      let outcome = try Program.run(
        "eval", small, "--data", short, "--context", length, "--quiet")
      #expect(outcome.code == 1)
      #expect(outcome.errors.contains("windows of \(length) tokens"), "\(outcome.errors)")
    }
    #expect(try Program.run("eval", small, "--data", short, "--quiet").code == 0)
  }

  @Test("Arguments that mean nothing for what was named are refused")
  func ignoredArguments() throws {
    let project = try Project()
    let setting = ["--set", "pipeline=float"]
    for arguments in [
      ["run", Workbench.example] + setting, ["run", Workbench.example, "-o", project.output],
      ["inspect", Workbench.example] + setting,
    ] {
      try project.refuses(arguments, "folder", "model.yaml", "needs-model-file")
    }
    let place = project.folder.file("made")
    #expect(try Program.run("lower", project.model, "-o", place, "--quiet").code == 0)
    for view in ["--graph", "--sites", "--kernels"] {
      try project.refuses(["inspect", place, view], "inspect.no-graph", "output folder")
    }
    try project.refuses(["inspect", place] + setting, "inspect.needs-model-file")
    try project.refuses(
      ["inspect", place + "/tested.weights"], "inspect.weights", "belongs to an output folder")
  }

  @Test("What is no model or model file is answered with what was expected")
  func otherThings() throws {
    let project = try Project()
    let empty = project.folder.file("empty")
    try FileManager.default.createDirectory(atPath: empty, withIntermediateDirectories: true)
    try project.refuses(["inspect", empty], empty, "neither 'config.json' nor 'manifest.json'")
    try project.refuses(
      ["eval", empty, "--data", Workbench.prose], "there is no '\(empty)/config.json'",
      "Hugging Face")
    for command in [["lower"], ["compare", "--pipelines", "float", "--data", Workbench.prose]] {
      try project.refuses(
        command + [Workbench.example], "model.folder", "source: \(Workbench.example)",
        "pipeline: rtn-w8a8")
    }
    try project.refuses(
      ["lower", project.model, "--set", "source=\(project.model)"],
      "'\(project.model)' is a file, not a folder")
    try project.refuses(
      ["lower", project.model, "-o", project.model], "Not a directory", project.model)
    try project.refuses(["lower", project.model, "-o", ""], "the output folder has no name")
  }

  @Test("Words that are no command and numbers below zero are told as what they are")
  func usage() throws {
    for (arguments, words) in [
      (["nosuch"], "there is no command 'nosuch'"),
      (["help", "nope"], "there is no command 'nope'"),
      (["help", "plugin", "biuld"], "did you mean 'plugin build'?"),
      (["lowr", "x.yaml"], "did you mean 'lower'?"),
      (["run", "x.yaml", "--tokens", "-1"], "--tokens must be at least 1"),
      (["run", "x.yaml", "--temperature", "-1"], "--temperature must be a number > 0"),
      (["eval", "x", "--data", "y", "--context", "-1"], "--context must be at least 1"),
      (["eval", "x", "--data", "y", "--windows", "-2"], "--windows must be at least 1"),
      (["passes", "-j", "-1"], "--jobs must be at least 1"),
    ] {
      let outcome = try Program.run(arguments)
      #expect(outcome.code == 64, "\(arguments)")
      #expect(outcome.errors.contains(words), "'\(words)' in: \(outcome.errors)")
    }
    #expect(try Program.run("nosuch").errors.contains("lower, eval, compare, run, opt"))
  }

  @Test("A pass behind an exporter is refused by every command that would run it")
  func lateChanges() throws {
    let project = try Project(
      pipeline: "[lower-kernels, {emit: $emit}, {quantize: {scheme: w8a8}}]")
    for command in [
      ["check"], ["lower"], ["lower", "--dry-run"], ["eval", "--data", Workbench.prose],
    ] {
      try project.refuses(
        command + [project.model], "model.yaml:5:43: error: 'quantize' would change a network that",
        "passes.after-exporter", "put it before 'emit-c'")
    }
  }

  @Test("A plugin is not begun under a name that a pass has")
  func takenName() throws {
    let project = try Project()
    let place = project.folder.file("gptq")
    try project.refuses(
      ["plugin", "new", "gptq", "-o", place], "plugin.name", "a pass 'gptq' already")
    #expect(!FileManager.default.fileExists(atPath: place))
  }

  @Test("A pipeline that is written out is called so, and a larger file larger")
  func runReport() throws {
    let project = try Project(pipeline: "[{include: lower-and-emit}]")
    let outcome = try Program.run("run", project.model, "--tokens", "2", "--quiet")
    #expect(outcome.code == 0, "\(outcome.errors)")
    let lines = outcome.output.split(separator: "\n")
    #expect(lines[0] == "tested, pipeline written out, written to \(project.output)")
    // Half precision becomes single precision, where that is what kernels take.
    #expect(lines[1].contains(/\(1\.\d\dx larger\)$/), "\(lines[1])")
    let lowered = try Program.run(
      "lower", project.model, "--quiet", "--set", "pipeline=rtn-w8a8")
    #expect(
      lowered.output.contains(/: \d+ bytes of weights, wrote \d+ files\n$/), "\(lowered.output)")
  }

  @Test("An output folder shows passes with options, sizes and tensors in columns")
  func inspection() throws {
    let project = try Project(pipeline: "rtn-w8a8-static")
    #expect(try Program.run("lower", project.model, "--quiet").code == 0)
    let lines = try Program.run("inspect", project.output).output.split(separator: "\n")
      .map(String.init)
    #expect(
      lines[0].hasPrefix("tested: MambaForCausalLM, pipeline rtn-w8a8-static, target portable"))
    #expect(lines[1].contains("2048 tokens in windows of 256"))
    #expect(lines.contains { $0.hasPrefix("  quantize") && $0.contains("{scheme: ") })
    #expect(lines.contains { $0.hasPrefix("  memory of a context") && $0.hasSuffix(" bytes") })
    let tensors = lines.filter { $0.hasSuffix(" bits") }
    #expect(tensors.count > 10)
    #expect(Set(tensors.map(\.count)).count == 1)
  }

  @Test("A graph without its weights asks for them, and other weights are refused")
  func weights() throws {
    let project = try Project()
    let graph = try project.folder.write(
      "graph.irc", Program.run("inspect", Workbench.example, "--graph").output)
    let command = ["opt", graph, "--passes", "fold-norm-gains,quantize{scheme: w8a8}"]
    try project.refuses(command, "--weights FOLDER", "--function-check never")
    let whole = try Program.run(command + ["--weights", Workbench.example])
    #expect(whole.code == 0, "\(whole.errors)")
    let without = try Program.run(command + ["--function-check", "never"])
    #expect(without.output == whole.output, "\(without.errors)")
    let other = try BrokenModel()
    try other.editWeights(
      "\"backbone.embeddings.weight\":{\"dtype\":\"F16\",\"shape\":[1024,128]",
      "\"backbone.embeddings.weight\":{\"dtype\":\"F16\",\"shape\":[512,256]")
    try other.editWeights("\"backbone.norm_f.weight\"", "\"backbone.norm_g.weight\"")
    try project.refuses(
      command + ["--weights", other.source], "F16[512, 256]", "f16[1024, 128]",
      "'backbone.norm_f.weight'", "there is 'backbone.norm_g.weight'")
  }

  @Test("--stop-after gives the graph as JSON, and no output that was not written")
  func stopping() throws {
    let project = try Project()
    let arguments = ["lower", project.model, "--stop-after", "quantize", "--quiet"]
    let json = try Program.run(arguments + ["--json"])
    #expect(try json.keys() == ["output", "changed", "weight_bytes", "passes", "ir"])
    #expect(try json.json().optional("output") == nil)
    #expect(try json.json()["ir"].string() == Program.run(arguments).output)
  }

  @Test("An option from --set that a pass refuses is placed there, not in a shipped file")
  func placeOfSettings() throws {
    let project = try Project()
    try project.refuses(
      ["lower", project.model, "--set", "passes.quantize.exclude=[lm_haed]"],
      "--set:1:8: error: pass 'quantize'", "lm_haed", "note: pass 'quantize' stands at")
  }

  @Test("A pipeline that writes nothing is refused where something is to be written")
  func noExporter() throws {
    let project = try Project(pipeline: "[fold-norm-gains]")
    for command in [["lower"], ["run", "--tokens", "3"]] {
      try project.refuses(
        command + [project.model], "model.yaml:5:11: error: the pipeline writes nothing",
        "pipeline.no-exporter", "add 'emit: $emit'")
    }
    try project.refuses(
      ["lower", project.model, "--set", "pipeline=[]"], "--set:1:10: error: the pipeline writes")
    try project.refuses(
      ["lower", project.model, "--set", "pipeline=float", "--set", "emit=[]"], "emit: [c]")
    let own = try project.folder.write("own.yaml", "irc: 1\npasses: [fold-norm-gains]\n")
    let row = try Program.run(
      "compare", project.model, "--pipelines", own,
      "--data", Workbench.prose, "--windows", "1", "--no-cache", "--quiet")
    #expect(row.code == 1 && row.output.contains("failed: the pipeline writes nothing"), "\(row)")
    // Where nothing is to be written it may.
    #expect(try Program.run("inspect", project.model).code == 0)
    #expect(try Program.run("lower", project.model, "--stop-after", "fold-norm-gains").code == 0)
  }
}
