import Foundation
import IRCSupport
import IRCTestSupport
import Testing

/// Files that are no plugins of this irc: each is told in its own words, at the place that names it, and nothing of it runs.
@Suite("Plugins that cannot be used")
struct PluginErrorTests {
  private let installation: Installation

  init() throws {
    installation = try Installation.shared.get()
  }

  /// Names a file in a model file and on the command line, and expects the error in both.
  private func refuses(
    _ file: String, _ id: String, _ words: String...,
    at place: Testing.SourceLocation = #_sourceLocation
  ) throws {
    let folder = try TemporaryFolder()
    let model = try folder.write(
      "model.yaml",
      Workbench.modelFile(
        source: Workbench.example, pipeline: "[mystery, emit: $emit]", more: "plugins: [\(file)]"))
    for (arguments, start) in [
      (["lower", model], "\(model):7:11: error: "),
      (["passes", "--plugin", file], "--plugin:1:1: error: "),
    ] {
      let outcome = try installation.run(arguments + ["--quiet"])
      #expect(outcome.code == 1, "\(outcome.code) \(outcome.errors)", sourceLocation: place)
      #expect(outcome.output.isEmpty, sourceLocation: place)
      // One error: that the plugin's pass is not there follows from it.
      let errors = outcome.errors.split(separator: "\n").filter { $0.contains("error: ") }
      #expect(errors.count == 1, "\(outcome.errors)", sourceLocation: place)
      for word in [start, "[\(id)]"] + words {
        #expect(
          outcome.errors.contains(word), "'\(word)' in: \(outcome.errors)", sourceLocation: place)
      }
    }
    #expect(!FileManager.default.fileExists(atPath: folder.file("out")), sourceLocation: place)
  }

  @Test("Files that are missing or are no plugins")
  func others() throws {
    let plugins = installation.plugins
    try refuses(plugins + "/probe.so", "plugin.missing", "there is no plugin")
    try refuses(plugins + "/probes/build/prebes.so", "plugin.missing", "did you mean 'probes.so'?")
    try refuses(
      plugins + "/probes", "plugin.missing", "is a folder", "probes/build/probes.so")
    try refuses(plugins + "/probes/Probes.swift", "plugin.not-a-library")
    try refuses(installation.write("empty.so", ""), "plugin.not-a-library")
    try refuses(installation.write("short.so", "\u{7F}ELF"), "plugin.truncated", "cut off")
    let whole = try Data(contentsOf: URL(fileURLWithPath: installation.probes))
    let cut = plugins + "/cut.so"
    try whole.prefix(whole.count / 2).write(to: URL(fileURLWithPath: cut))
    try refuses(cut, "plugin.truncated", "cut off")
    try refuses(installation.irc, "plugin.not-a-plugin")
    // A library that would say so if it ran.
    let canary = plugins + "/canary"
    let library = try installation.library(
      "library",
      """
      #include <stdio.h>
      __attribute__((constructor)) static void run(void) { fclose(fopen("\(canary)", "w")); }
      int irc_plugin_query(void) { return 0; }
      """)
    try refuses(library, "plugin.not-a-plugin")
    #expect(!FileManager.default.fileExists(atPath: canary))
  }

  /// C source of a table with these fields, that leaves a file behind if any of it runs.
  private func table(
    major: String = "IRC_PLUGIN_API_MAJOR", minor: String = "IRC_PLUGIN_API_MINOR",
    kind: String = "IRC_PLUGIN_SWIFT", compiler: String, kit: String,
    query: String =
      "const irc_plugin_table *irc_plugin_query(uint32_t a, uint32_t b) { return &table; }",
    passes: String = "passes", more: String = "", canary: String? = nil
  ) -> String {
    let run = canary.map {
      "__attribute__((constructor)) static void run(void) { fclose(fopen(\"\($0)\", \"w\")); }"
    }
    return """
      #include <stdio.h>
      #include "irc_plugin.h"
      \(run ?? "")
      \(more)
      static void passes(void *list) { (void)list; }
      __attribute__((used)) static const irc_plugin_table table = {
        IRC_PLUGIN_MARK, sizeof(irc_plugin_table), \(major), \(minor), \(kind),
        "\(compiler)", "\(kit)", \(passes)};
      \(query)
      """
  }

  /// What a plugin of the installed program says about itself.
  private func own() throws -> (compiler: String, kit: String) {
    let bytes = try Data(contentsOf: URL(fileURLWithPath: installation.probes))
    let mark = try #require(bytes.firstRange(of: Data("irc-plugin-table\0".utf8)))
    func text(_ offset: Int) -> String {
      String(decoding: bytes[(mark.lowerBound + offset)...].prefix { $0 != 0 }, as: UTF8.self)
    }
    return (text(40), text(296))
  }

  @Test(
    "Plugins of other versions, kinds, compilers and builds are told from each other before they run"
  )
  func strangers() throws {
    let (compiler, kit) = try own()
    #expect(compiler.contains("lang") && kit.count == 40)
    let canary = installation.plugins + "/stranger"
    for (name, source, id, words) in [
      (
        "major", table(major: "99", compiler: compiler, kit: kit, canary: canary),
        "plugin.api-version", "version 99.0"
      ),
      (
        "minor", table(minor: "7", compiler: compiler, kit: kit, canary: canary),
        "plugin.api-version", "version 1.7"
      ),
      (
        "kind", table(kind: "42", compiler: compiler, kit: kit, canary: canary), "plugin.kind",
        "kind 42"
      ),
      (
        "compiler", table(compiler: "Clang 3.0", kit: kit, canary: canary), "plugin.compiler",
        "the plugin: Clang 3.0"
      ),
      (
        "kit", table(compiler: compiler, kit: "0123", canary: canary), "plugin.kit",
        "the plugin: 0123"
      ),
    ] {
      try refuses(installation.library(name, source), id, words)
    }
    #expect(!FileManager.default.fileExists(atPath: canary))
  }

  @Test("Plugins that lie about themselves or are incomplete end in an error, not in a crash")
  func liars() throws {
    let (compiler, kit) = try own()
    func library(_ name: String, query: String? = nil, passes: String = "passes", more: String = "")
      throws -> String
    {
      try installation.library(
        name,
        query.map { table(compiler: compiler, kit: kit, query: $0, passes: passes, more: more) }
          ?? table(compiler: compiler, kit: kit, passes: passes, more: more))
    }
    try refuses(library("silent", query: ""), "plugin.no-query", "irc_plugin_query")
    let null = "const irc_plugin_table *irc_plugin_query(uint32_t a, uint32_t b) { return NULL; }"
    try refuses(library("null", query: null), "plugin.other-table")
    try refuses(library("hollow", passes: "NULL"), "plugin.other-table")
    try refuses(library("idle"), "plugin.no-passes")
    try refuses(
      library(
        "unbound", more: "int missing_function(void); int use(void) { return missing_function(); }"),
      "plugin.unloadable", "missing_function")
    let other = """
      const irc_plugin_table *irc_plugin_query(uint32_t a, uint32_t b) {
        static irc_plugin_table copy;
        copy = table;
        copy.kind = 2;
        return &copy;
      }
      """
    try refuses(library("changing", query: other), "plugin.other-table")
  }

  @Test("Names that are taken, or are none, are told with both files")
  func names() throws {
    func plugin(_ folder: String, _ name: String) throws -> Program.Outcome {
      _ = try installation.write(
        "\(folder)/Passes.swift",
        """
        import IRCPassKit
        let plugins: [any Plugin.Type] = [Own.self]
        struct Own: Pass {
          static let info = PassInfo(name: "\(name)", summary: "Nothing.", preservesFunction: true)
          func run(on graph: inout Graph, in context: PassContext) throws {}
        }
        """)
      return try installation.run("plugin", "build", "\(installation.plugins)/\(folder)")
    }
    let builtIn = try plugin("first", "quantize")
    #expect(builtIn.code == 1)
    #expect(
      builtIn.errors.contains(
        "has a pass 'quantize', and so has the compiler itself [passes.duplicate-name]"))
    _ = try installation.write(
      "fourth/Operators.swift",
      """
      import IRCPassKit
      let plugins: [any Plugin.Type] = [Own.self]
      struct Own: PlainOperator, Plugin {
        static let name = "linear"
        func resultTypes(_ operands: [TensorType]) throws(OperatorError) -> [TensorType] { operands }
        func invariance(_ operands: [TensorType]) -> InvarianceRule { InvarianceRule(ties: []) }
        func evaluate(_ operands: [Tensor], in context: EvaluationContext) throws -> [Tensor] { operands }
      }
      """)
    let fourth = try installation.run("plugin", "build", "\(installation.plugins)/fourth")
    #expect(fourth.code == 1)
    #expect(
      fourth.errors.contains(
        "has an operator 'linear', and so has the compiler itself [passes.duplicate-name]"),
      "\(fourth.errors)")
    let word = try plugin("second", "include")
    #expect(word.code == 1 && word.errors.contains("[plugin.pass-name]"), "\(word.errors)")
    #expect(try plugin("third", "probe").code == 0)
    let third = "\(installation.plugins)/third/build/third.so"
    let both = try installation.run("passes", "--plugin", third, "--plugin", installation.probes)
    #expect(both.code == 1)
    #expect(both.errors.contains("--plugin:2:1: error: "), "\(both.errors)")
    #expect(
      both.errors.contains(
        "'\(installation.probes)' has a pass 'probe', and so has plugin '\(third)'"),
      "\(both.errors)")
  }

  @Test("A plugin built by one irc is refused by another")
  func otherBuild() throws {
    let outcome = try Program.run(
      ["passes", "--plugin", installation.probes], executable: Installation.ownCompiler)
    #expect(outcome.code == 1)
    #expect(outcome.errors.contains("[plugin.kit]"), "\(outcome.errors)")
    let pass = try Program.run(["passes", "count-layers"], executable: Installation.ownCompiler)
    #expect(pass.code == 0 && pass.output.contains("Count linear layers"), "\(pass.errors)")
  }

  @Test("A kit of another build is not compiled against")
  func otherKit() throws {
    let folder = try TemporaryFolder()
    let prefix = URL(fileURLWithPath: installation.irc).deletingLastPathComponent()
      .deletingLastPathComponent().path
    for place in ["bin", "lib", "share"] {
      try FileManager.default.copyItem(atPath: "\(prefix)/\(place)", toPath: folder.file(place))
    }
    try folder.write("lib/irc/kit.json", "{\"irc\": \"0.1.0\", \"fingerprint\": \"0123\"}")
    let build = ["plugin", "build", installation.plugins + "/probes", "-o", folder.file("x.so")]
    let outcome = try Program.run(build, executable: folder.file("bin/irc"))
    #expect(outcome.code == 1 && outcome.errors.contains("[plugin.other-kit]"), "\(outcome.errors)")
    try FileManager.default.removeItem(atPath: folder.file("lib"))
    let without = try Program.run(build, executable: folder.file("bin/irc"))
    #expect(without.code == 1 && without.errors.contains("[plugin.no-kit]"), "\(without.errors)")
    let none = try Program.run(
      build, executable: installation.irc, environment: ["PATH": "/nowhere"])
    #expect(none.code == 1 && none.errors.contains("[plugin.no-compiler]"), "\(none.errors)")
  }
}
