import Foundation
import IRCSupport
import IRCTestSupport
import Testing

/// The examples in C, C++ and Rust, built and run as a user does it.
@Suite("Plugins in C, C++ and Rust")
struct CPluginTests {
  private let installation: Installation
  private static let examples = Workbench.repository + "/examples/plugins"

  init() throws {
    installation = try Installation.shared.get()
  }

  static var hasRust: Bool {
    (try? Program.run(["rustc", "--version"], executable: "/usr/bin/env"))?.code == 0
  }

  /// Builds an example with the installed program.
  private func build(_ name: String) throws -> String {
    let output = installation.plugins + "/\(name).so"
    let built = try installation.run("plugin", "build", "\(Self.examples)/\(name)", "-o", output)
    #expect(built.code == 0, "\(built.errors)")
    #expect(built.output == "\(output): \(name)\n")
    #expect(built.errors.isEmpty, "\(built.errors)")
    return output
  }

  /// What 'lower' tells of the passes of a pipeline over the example model.
  private func lower(
    _ pipeline: String, _ plugin: String, in folder: TemporaryFolder, to output: String = "out"
  ) throws -> JSONValue {
    let text = Workbench.modelFile(
      source: Workbench.example, pipeline: pipeline, more: "plugins: [\(plugin)]")
    let model = try folder.write("model.yaml", text)
    let lowered = try installation.run(
      "lower", model, "--json", "--quiet", "-o", folder.file(output))
    #expect(lowered.code == 0, "\(lowered.errors)")
    return try lowered.json()["passes"]
  }

  private func perplexity(_ pipeline: String, in folder: TemporaryFolder) throws -> Double {
    let measured = try installation.run(
      "eval", folder.file("model.yaml"), "--data", Workbench.prose, "--windows", "4", "--json",
      "--quiet", "--set", "pipeline=\(pipeline)")
    #expect(measured.code == 0, "\(measured.errors)")
    return try measured.json()["perplexity"].double()
  }

  @Test("irc_plugin.h is clean and stands alone in C11 and C++17")
  func header() throws {
    let include = Workbench.repository + "/Sources/CIRCPlugin/include"
    let source = try installation.write(
      "clean.c",
      """
      #include "irc_plugin.h"
      static int32_t run(const irc_host *host, irc_call *call) { return host->fail(call, "no", NULL); }
      static const irc_pass pass = {IRC_PASS_HEAD, "{}", NULL, run};
      IRC_C_PLUGIN(&pass)
      """)
    let strict = ["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only", "-I", include]
    for (compiler, language) in [
      ("cc", ["-std=c11"]), ("c++", ["-std=c++17", "-x", "c++"]), ("clang", ["-std=c11"]),
      ("clang++", ["-std=c++17", "-x", "c++"]),
    ] {
      let found = try Program.run([compiler, "--version"], executable: "/usr/bin/env")
      if found.code != 0 { continue }
      let checked = try Program.run(
        [compiler] + language + strict + [source], executable: "/usr/bin/env")
      #expect(checked.code == 0, "\(compiler): \(checked.errors)")
      let example =
        language.count == 1
        ? "error-diffusion/error-diffusion.c" : "channel-order/channel-order.cpp"
      let clean = try Program.run(
        [compiler] + language + strict + ["\(Self.examples)/\(example)"],
        executable: "/usr/bin/env")
      #expect(clean.code == 0, "\(compiler): \(clean.errors)")
    }
  }

  @Test("Error diffusion, in C, rounds better than rounding to nearest, and by its seed alone")
  func rounding() throws {
    let plugin = try build("error-diffusion")
    let folder = try TemporaryFolder()
    let before = "fold-norm-gains, quantize: {scheme: w3a16}"
    let pipeline = "[\(before), error-diffusion, lower-kernels, emit: $emit]"
    let passes = try lower(pipeline, plugin, in: folder).array()
    let pass = try #require(
      try passes.first { try $0["instance"].string() == "error-diffusion" })
    #expect(try pass["statistics"]["rounded"].int() == 17)
    // "'…': relative error of outputs 0.1034, and 0.1281 if rounded to nearest"
    for remark in try pass["remarks"].array() {
      let message = try remark["message"].string()
      let numbers = message.matches(of: /(\d\.\d{4})/).compactMap { Double($0.1) }
      #expect(numbers.count == 2 && numbers[0] < numbers[1], "\(message)")
    }
    let model = folder.file("model.yaml")
    let forecast = try installation.run("lower", model, "--dry-run", "--json", "--quiet")
    #expect(forecast.code == 0, "\(forecast.errors)")
    #expect(try forecast.json()["passes"].array().allSatisfy { try $0.optional("open") == nil })
    #expect(
      try forecast.json()["weight_bytes"].int()
        == contents(of: folder.file("out"))["tested.weights"]?.count)
    let unmeasured = try String(contentsOfFile: model, encoding: .utf8)
      .replacing(/calibration: .*\n/, with: "")
    let refused = try installation.run(
      "check", folder.write("unmeasured.yaml", unmeasured), "--quiet")
    #expect(refused.code == 1, "\(refused.errors)")
    #expect(refused.errors.contains("pass 'error-diffusion' needs calibration text"))
    let rounded = try perplexity("[\(before), error-diffusion]", in: folder)
    let nearest = try perplexity("[\(before)]", in: folder)
    #expect(rounded < nearest, "\(rounded) against \(nearest)")
    func weights(_ options: String, _ output: String) throws -> Data? {
      _ = try lower(
        "[\(before), error-diffusion: {\(options)}, lower-kernels, emit: $emit]", plugin,
        in: folder, to: output)
      return try contents(of: folder.file(output))["tested.weights"]
    }
    let first = try weights("noise: 0.5, seed: 3", "first")
    #expect(try first == weights("noise: 0.5, seed: 3", "again"))
    #expect(try first != weights("noise: 0.5, seed: 4", "other"))
  }

  @Test("Ordering channels, in C++, keeps the function and is undone by nothing")
  func ordering() throws {
    let plugin = try build("channel-order")
    let folder = try TemporaryFolder()
    let rest = "quantize: {scheme: w8a16}, lower-kernels, emit: $emit]"
    let passes = try lower("[fold-norm-gains, channel-order, \(rest)", plugin, in: folder).array()
    let pass = try #require(try passes.first { try $0["instance"].string() == "channel-order" })
    #expect(try pass["statistics"]["ordered"].int() == 4)
    #expect(try pass["remarks"].array().contains { try $0["kind"].string() == "absent" })
    _ = try lower("[fold-norm-gains, \(rest)", plugin, in: folder, to: "plain")
    #expect(
      try contents(of: folder.file("out"))["tested.weights"]
        != contents(of: folder.file("plain"))["tested.weights"])
    // Scales of rows do not mind the order of columns, so that it changes no number.
    let ordered = try perplexity("[channel-order, quantize: {scheme: w8a16}]", in: folder)
    let plain = try perplexity("[quantize: {scheme: w8a16}]", in: folder)
    #expect(abs(ordered - plain) < 0.02 * plain)
  }

  @Test("Evening channels out, in Rust, helps rounding to few bits", .enabled(if: hasRust))
  func evening() throws {
    let plugin = try build("even-channels")
    let folder = try TemporaryFolder()
    let passes = try lower(
      "[fold-norm-gains, even-channels, quantize: {scheme: w4a4}, lower-kernels, emit: $emit]",
      plugin, in: folder
    ).array()
    let pass = try #require(try passes.first { try $0["instance"].string() == "even-channels" })
    #expect(try pass["statistics"]["evened"].int() > 8)
    let even = try perplexity(
      "[fold-norm-gains, even-channels, quantize: {scheme: w4a4}]", in: folder)
    let plain = try perplexity("[fold-norm-gains, quantize: {scheme: w4a4}]", in: folder)
    #expect(even < plain, "\(even) against \(plain)")
  }

  @Test("Descriptions feed help, schema and checks as the declarations of Swift do")
  func declarations() throws {
    let plugin = try build("error-diffusion")
    let help = try installation.run("passes", "error-diffusion", "--plugin", plugin)
    for words in [
      "| `feedback` | a number from 0.0 to 8.0 | `1.0` |", "Requires: `quantized`",
      "Establishes: `codes-solved`", "Counts `rounded`", "it would find nothing left to round",
    ] {
      #expect(help.output.contains(words), "\(help.output)")
    }
    let schema = try installation.run("schema", "model", "--plugin", plugin)
    #expect(schema.output.contains("Steps of its scale that a weight may be moved"))
    let folder = try TemporaryFolder()
    let model = try folder.write(
      "model.yaml",
      Workbench.modelFile(
        source: Workbench.example,
        pipeline: "[error-diffusion: {feedback: 9, sed: 1}, quantize, error-diffusion, gptq]",
        more: "plugins: [\(plugin)]"))
    let wrong = try installation.run("check", model, "--quiet")
    #expect(wrong.code == 1)
    for words in [
      "model.yaml:5:40: error: expected a number from 0.0 to 8.0, found '9'",
      "has no option 'sed'", "did you mean 'seed'?",
    ] {
      #expect(wrong.errors.contains(words), "\(wrong.errors)")
    }
    let order = try installation.run(
      "check", model, "--quiet", "--set",
      "pipeline=[error-diffusion, quantize, error-diffusion, gptq]")
    #expect(order.errors.contains("requires 'quantized'"), "\(order.errors)")
    #expect(order.errors.contains("'codes-solved'"), "\(order.errors)")
  }

  @Test(
    "A new plugin in each language builds and passes its own test", arguments: ["c", "c++", "rust"])
  func begins(_ language: String) throws {
    if language == "rust" && !Self.hasRust { return }
    let folder = try TemporaryFolder()
    let place = folder.file("my-pass")
    let made = try installation.run(
      "plugin", "new", "my-pass", "-o", place, "--language", language, "--quiet")
    #expect(made.code == 0, "\(made.errors)")
    let tested = try Program.run(
      [place + "/test.sh"], executable: "/bin/sh", environment: ["IRC": installation.irc])
    #expect(tested.code == 0, "\(tested.output) \(tested.errors)")
    // Equal sources give equal bytes, and the plugin goes with another program too.
    let built = place + "/build/my-pass.so"
    let again = try installation.run("plugin", "build", place, "-o", folder.file("again.so"))
    #expect(again.code == 0, "\(again.errors)")
    let files = try [built, folder.file("again.so")].map {
      try Data(contentsOf: URL(fileURLWithPath: $0))
    }
    #expect(files[0] == files[1])
    let other = try Program.run(
      ["passes", "my-pass", "--plugin", built], executable: Installation.ownCompiler)
    #expect(other.code == 0 && other.output.contains("reverse order"), "\(other.errors)")
  }

  @Test("Sources that do not compile, or do not go together, are told")
  func sources() throws {
    _ = try installation.write("bad-c/bad.c", "int x = ;\n")
    let bad = try installation.run("plugin", "build", installation.plugins + "/bad-c")
    #expect(bad.code == 1 && bad.errors.contains("[plugin.build-failed]"), "\(bad.errors)")
    _ = try installation.write("mixed/a.c", "")
    _ = try installation.write("mixed/b.swift", "")
    let mixed = try installation.run("plugin", "build", installation.plugins + "/mixed")
    #expect(mixed.code == 1 && mixed.errors.contains("[plugin.mixed-sources]"), "\(mixed.errors)")
  }
}
