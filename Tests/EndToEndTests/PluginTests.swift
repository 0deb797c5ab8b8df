import Foundation
import IRCSupport
import IRCTestSupport
import Testing

@Suite("Plugins")
struct PluginTests {
  private let installation: Installation

  init() throws {
    installation = try Installation.shared.get()
  }

  /// A folder with a model file for the example that runs the plugin's pass before rounding.
  private func project(_ pipeline: String, more: String = "") throws -> (
    folder: TemporaryFolder, model: String
  ) {
    let folder = try TemporaryFolder()
    let text = Workbench.modelFile(source: Workbench.example, pipeline: pipeline, more: more)
    let model = try folder.write("model.yaml", text)
    try folder.write(
      "text.txt", "The old man looked at the sea, and said that it would rain before night.")
    return (folder, model)
  }

  private static let pipeline =
    "[fold-norm-gains, probe: {number: 3, mode: thorough, label: a b}, quantize: {scheme: w8a8}, lower-kernels, emit: $emit]"

  @Test("A model file's plugin runs like a built-in pass: the library's bytes are those without it")
  func lowers() throws {
    let (folder, model) = try project(Self.pipeline, more: "plugins: [\(installation.probes)]")
    let outcome = try installation.run("lower", model, "--json", "--quiet")
    #expect(outcome.code == 0, "\(outcome.errors)")
    let passes = try outcome.json()["passes"].array()
    let probe = try #require(try passes.first { try $0["instance"].string() == "probe" })
    #expect(try probe["statistics"]["scaled"].int() > 8)
    #expect(try probe["statistics"]["sites"].int() > 0)
    #expect(try probe["statistics"]["rows"].int() == 2048)
    let remark = try probe["remarks"].array()[0]["message"].string()
    #expect(remark == "thorough 0.5 3 true a b 7 on tested")
    let manifest = try JSONValue(reading: folder.file("out/manifest.json"))
    let plugin = try #require(
      try manifest["inputs"].array().first { try $0["role"].string() == "plugin" })
    #expect(try plugin["name"].string() == "probes.so")
    let digest = try SHA256.hash(Data(contentsOf: URL(fileURLWithPath: installation.probes)))
    #expect(try plugin["sha256"].string() == "\(digest)")
    // Weights were doubled and halved in an operator that only the plugin knows, which changes no bit.
    let plain = try installation.run(
      "lower", model, "--set", "pipeline=rtn-w8a8", "--set", "plugins=[]", "-o",
      folder.file("plain"), "--quiet")
    #expect(plain.code == 0, "\(plain.errors)")
    #expect(
      try contents(of: folder.file("out"))["tested.weights"]
        == contents(of: folder.file("plain"))["tested.weights"])
  }

  @Test("A plugin's metric and solver are chosen by name like the built-in ones")
  func components() throws {
    let metric = installation.plugins + "/weight-change.so"
    let built = try installation.run(
      "plugin", "build", Workbench.repository + "/examples/plugins/weight-change", "-o", metric)
    #expect(built.code == 0 && built.output.hasSuffix(": weight-change\n"), "\(built.errors)")
    let (folder, model) = try project(
      "[fold-norm-gains, quantize: {scheme: w4a16}, mixed-precision: {metric: weight-change, solver: cheapest, bits: 8}, lower-kernels]",
      more: "plugins: [\(installation.probes), \(metric)]")
    let text = folder.file("text.txt")
    let outcome = try installation.run("eval", model, "--data", text, "--quiet")
    #expect(outcome.code == 0, "\(outcome.errors)")
    let list = try installation.run(
      "passes", "--plugin", installation.probes, "--plugin", metric)
    #expect(list.output.contains("weight-change  (sensitivity metric) Power of the change"))
    #expect(list.output.contains("cheapest  (allocation solver) The cheapest choice"))
    let schema = try installation.run("schema", "model", "--plugin", metric)
    #expect(schema.output.contains("\"weight-change\""))
    let unknown = try installation.run(
      "check", model, "--set",
      "pipeline=[quantize: {scheme: w4a16}, mixed-precision: {metric: weight-chang, solver: 3}]")
    #expect(unknown.code == 1)
    #expect(
      unknown.errors.contains(
        "expected kl | output-mse | sqnr | weight-change | weighted-mse, found 'weight-chang'"),
      "\(unknown.errors)")
    #expect(unknown.errors.contains("did you mean 'weight-change'?"), "\(unknown.errors)")
    #expect(
      unknown.errors.contains("expected cheapest | exact | greedy, found"), "\(unknown.errors)")
    let other = try folder.write(
      "other.yaml",
      try String(contentsOfFile: model, encoding: .utf8)
        .replacing(", \(metric)", with: ""))
    let missing = try installation.run("check", other)
    #expect(
      missing.code == 1 && missing.errors.contains("found 'weight-change'"), "\(missing.errors)")
  }

  @Test("An operator of a plugin is read again: graphs with it go to and fro, and results are kept")
  func operators() throws {
    let (folder, model) = try project(Self.pipeline, more: "plugins: [\(installation.probes)]")
    let plugin = ["--plugin", installation.probes]
    let text = try installation.run("inspect", model, "--quiet").output
    #expect(text.contains(" = probe_scaled %"))
    let graph = try folder.write("graph.irc", text)
    for command in [["opt", graph], ["inspect", graph]] {
      let known = try installation.run(command + plugin)
      #expect(known.code == 0 && known.output == text, "\(known.errors)")
      let unknown = try installation.run(command)
      #expect(unknown.code == 1 && unknown.errors.contains("[ir.unknown-operator]"))
    }
    for isKnown in [false, true] {
      let lowered = try installation.run(
        ["lower", model, "--json", "--timing"],
        environment: ["IRC_CACHE_DIR": folder.file("cache")])
      #expect(lowered.code == 0 && !lowered.errors.contains("not kept"), "\(lowered.errors)")
      let probe = try #require(
        try lowered.json()["passes"].array().first { try $0["instance"].string() == "probe" })
      #expect(try (probe.optional("earlier_seconds") != nil) == isKnown)
    }
  }

  @Test("An operator that the plugin does not list is no error, and it is told once what it costs")
  func unlistedOperator() throws {
    _ = try installation.write(
      "hidden/Hide.swift",
      """
      import IRCPassKit
      let plugins: [any Plugin.Type] = [Hide.self]
      struct Hide: Pass {
        static let info = PassInfo(name: "hide", summary: "Hide.", preservesFunction: true)
        var isCostly: Bool { true }
        func run(on graph: inout Graph, in context: PassContext) throws {
          let output = graph.outputs[0]
          graph.setOutput(output.name, try graph.add(Hidden(), [output.value])[0])
        }
      }
      struct Hidden: Operator, PlainOperator {
        static let name = "hidden"
        func resultTypes(_ operands: [TensorType]) throws(OperatorError) -> [TensorType] { operands }
        func invariance(_ operands: [TensorType]) -> InvarianceRule { InvarianceRule(ties: []) }
        func evaluate(_ operands: [Tensor], in context: EvaluationContext) throws -> [Tensor] { operands }
      }
      """)
    let plugin = installation.plugins + "/hidden/build/hidden.so"
    let built = try installation.run("plugin", "build", installation.plugins + "/hidden")
    #expect(built.code == 0, "\(built.errors)")
    let (folder, model) = try project("[hide, hide]", more: "plugins: [\(plugin)]")
    let outcome = try installation.run(
      ["eval", model, "--data", folder.file("text.txt")],
      environment: ["IRC_CACHE_DIR": folder.file("cache")])
    #expect(outcome.code == 0, "\(outcome.errors)")
    let notes = outcome.errors.split(separator: "\n").filter { $0.contains("not kept") }
    #expect(notes.count == 1, "\(outcome.errors)")
    #expect(notes.first?.contains("after pass 'hide' does not read back") == true, "\(notes)")
  }

  @Test("Plugins work in every command, named in a file or on the command line")
  func commands() throws {
    let (folder, model) = try project(Self.pipeline, more: "plugins: [\(installation.probes)]")
    let text = folder.file("text.txt")
    let cache = ["IRC_CACHE_DIR": folder.file("cache")]
    let plugin = ["--plugin", installation.probes]
    func works(_ arguments: [String], _ words: String...) throws {
      let outcome = try installation.run(arguments + ["--quiet"], environment: cache)
      #expect(outcome.code == 0, "\(arguments): \(outcome.errors)")
      for word in words { #expect(outcome.output.contains(word), "\(outcome.output)") }
    }
    try works(["eval", model, "--data", text], "perplexity")
    // Named in both ways it is one plugin.
    try works(["eval", model, "--data", text] + plugin, "perplexity")
    try works(["run", model, "--tokens", "3"], "3 tokens")
    try works(["inspect", model], "probe_scaled")
    try works(["passes", "probe"] + plugin, "How hard to try.", "gentle \\| thorough", "1 to 8")
    try works(["passes"] + plugin, "probe  Try the kit from outside.", "quantize")
    try works(["schema", "model"] + plugin, "\"probe\"", "How hard to try.")
    try works(["passes", "--markdown"] + plugin, "### probe")
    let graph = try folder.write(
      "graph.irc",
      try installation.run("inspect", Workbench.example, "--graph").output)
    let pass = ["--passes", "probe{measure: false}", "--weights", Workbench.example]
    try works(["opt", graph] + pass + plugin, "probe_scaled %", "loc(pass(\"probe\", ")
    // A pipeline names its own plugins, from its own folder.
    try FileManager.default.createDirectory(
      atPath: folder.file("own"), withIntermediateDirectories: true)
    try FileManager.default.copyItem(
      atPath: installation.probes, toPath: folder.file("own/probes.so"))
    let own = try folder.write(
      "own/pipeline.yaml",
      "irc: 1\nplugins: [probes.so]\npasses:\n  - probe: {measure: false}\n  - include: rtn-w8a8\n")
    let (plain, other) = try project(own)
    try works(["lower", other, "--stop-after", "probe"], "probe_scaled %")
    let compare = ["compare", other, "--pipelines", "rtn-w8a8,\(own)", "--data", text]
    try works(compare, "rtn-w8a8", own)
    let rows = try installation.run(compare + ["--json", "--quiet"], environment: cache).json()
    #expect(try rows["rows"].array().allSatisfy { try $0["cached"].bool() })
    // Other bytes are another plugin, whatever they mean.
    let changed = try Data(contentsOf: URL(fileURLWithPath: installation.probes)) + [0]
    try folder.write("own/probes.so", changed)
    let after = try installation.run(compare + ["--json", "--quiet"], environment: cache).json()
    #expect(try after["rows"].array().allSatisfy { try !$0["cached"].bool() })
    withExtendedLifetime(plain) {}
  }

  @Test("What a pass of a plugin throws is told with the plugin's file, the pass and its instance")
  func failures() throws {
    let plugin = installation.probes
    for (way, id, message) in [
      ("pass-error", "passes.failed", "pass 'fail#2': no way on"),
      ("diagnostic", "probe.diagnostic", "this will not do"),
      ("other", "passes.failed", "pass 'fail#2': nobody expected this"),
    ] {
      let (folder, model) = try project(
        "[lower-kernels, fail, fail: {way: \(way)}, emit: $emit]", more: "plugins: [\(plugin)]")
      let first = try installation.run("lower", model, "--quiet")
      #expect(first.code == 1)
      #expect(first.errors.contains("pass 'fail': no way on [passes.failed]"), "\(first.errors)")
      let pipeline = "pipeline=[fail: {way: \(way)}, emit: $emit]"
      let outcome = try installation.run("lower", model, "--set", pipeline, "--quiet")
      let shown = message.replacing("fail#2", with: "fail")
      #expect(outcome.code == 1)
      #expect(outcome.errors.contains("error: \(shown) [\(id)]"), "\(outcome.errors)")
      #expect(outcome.errors.contains("plugin '\(plugin)'"), "\(outcome.errors)")
      #expect(outcome.errors.contains("pass 'fail'"), "\(outcome.errors)")
      #expect(!FileManager.default.fileExists(atPath: folder.file("out")))
    }
    // What is wrong with its options is told like that of any pass.
    let (folder, model) = try project(
      "[probe: {mode: thorough, share: 2, lable: x}]", more: "plugins: [\(plugin)]")
    let outcome = try installation.run("lower", model, "--quiet")
    #expect(
      outcome.errors.contains("model.yaml:5:43: error: expected a number from 0.0 to 1.0"),
      "\(outcome.errors)")
    #expect(outcome.errors.contains("did you mean 'label'?"), "\(outcome.errors)")
    withExtendedLifetime(folder) {}
  }

  @Test(
    "A new plugin builds and passes its own test, with the installed irc and from the build folder")
  func begins() throws {
    let folder = try TemporaryFolder()
    for (name, irc) in [("my-pass", installation.irc), ("other-pass", Program.path)] {
      let place = folder.file(name)
      let made = try Program.run(["plugin", "new", name, "-o", place, "--quiet"], executable: irc)
      #expect(made.code == 0, "\(made.errors)")
      #expect(made.output.split(separator: "\n").count == 6)
      let tested = try Program.run(
        [place + "/test.sh"], executable: "/bin/sh", environment: ["IRC": irc])
      #expect(tested.code == 0, "\(tested.output) \(tested.errors)")
      let again = try Program.run(["plugin", "new", name, "-o", place], executable: irc)
      #expect(again.code == 1 && again.errors.contains("[plugin.exists]"))
    }
    let refused = try installation.run("plugin", "new", "My Pass")
    #expect(refused.code == 1 && refused.errors.contains("[plugin.name]"), "\(refused.errors)")
  }

  @Test(
    "Equal sources give equal plugins, and sources that are wrong leave the earlier plugin as it is"
  )
  func rebuilds() throws {
    let before = try Data(contentsOf: URL(fileURLWithPath: installation.probes))
    let copy = installation.plugins + "/copy.so"
    let folder = installation.plugins + "/probes"
    let again = try installation.run("plugin", "build", folder, "-o", copy, "--json", "--quiet")
    #expect(again.code == 0, "\(again.errors)")
    #expect(try again.json()["output"].string() == copy)
    #expect(try Data(contentsOf: URL(fileURLWithPath: copy)) == before)
    for (text, hint) in [
      ("import IRCPassKit\nlet plugins: [any Plugin.Type] = [Missing.self]\n", "Missing"),
      ("import IRCPassKit\n", "say what it adds: 'let plugins: [any Plugin.Type] = [MyPass.self]'"),
    ] {
      _ = try installation.write("wrong/Wrong.swift", text)
      let output = installation.plugins + "/wrong/build/wrong.so"
      _ = try installation.write("wrong/build/wrong.so", "what was there")
      let outcome = try installation.run("plugin", "build", installation.plugins + "/wrong")
      #expect(outcome.code == 1)
      #expect(
        outcome.errors.contains("[plugin.build-failed]") && outcome.errors.contains(hint),
        "\(outcome.errors)")
      #expect(try String(contentsOfFile: output, encoding: .utf8) == "what was there")
    }
    let empty = try installation.run("plugin", "build", installation.plugins + "/nowhere")
    #expect(empty.code == 1 && empty.errors.contains("[plugin.no-sources]"), "\(empty.errors)")
  }
}
