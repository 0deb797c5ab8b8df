import Foundation
import IRCSupport
import IRCTestSupport
import Testing

/// Plugins that do what they must not: each ends in an error of its own, told with plugin, pass and place.
@Suite("Plugins that misbehave")
struct PluginMisuseTests {
  private let installation: Installation
  private let plugin: String
  private let graph: String

  init() throws {
    installation = try Installation.shared.get()
    (plugin, graph) = try Self.files.get()
  }

  /// The plugin and the graph, made once for all tests.
  private static let files = Result {
    let source = try String(
      contentsOfFile: Workbench.repository + "/Tests/PluginABI/misuse/misuse.c", encoding: .utf8)
    let installation = try Installation.shared.get()
    let graph = try installation.write(
      "misuse.irc",
      """
      irc.graph @"small" {stage = "float"} {
        %0 = input "ids" : i32[tokens]
        %1 = generated {shape = [16, 8], values = random(1, 0.5)} : f32[16, 8]
        %2 = embedding %0, %1 : f32[tokens, 8]
        %3 = generated {shape = [4, 8], values = random(2, 0.5)} : f32[4, 8]
        %4 = linear %2, %3 : f32[tokens, 4]
        %5 = silu %4 : f32[tokens, 4]
        %6 = generated {shape = [16, 4], values = random(3, 0.5)} : f32[16, 4]
        %7 = linear %5, %6 : f32[tokens, 16]
        output "logits" = %7
      }
      """)
    return (try installation.library("misuse", source), graph)
  }

  private func run(_ passes: String) throws -> Program.Outcome {
    try installation.run("opt", graph, "--plugin", plugin, "--passes", passes)
  }

  @Test("What is right goes through", arguments: ["none", "mix-good", "mix-general", "order"])
  func works(_ way: String) throws {
    let outcome = try run("misuse-site{way: \(way)}")
    #expect(outcome.code == 0, "\(outcome.errors)")
    let rounded = try run("quantize{scheme: w4a16},misuse-weight")
    #expect(
      rounded.code == 0 && rounded.output.contains(".misuse-weight.codes"), "\(rounded.errors)")
  }

  @Test(
    "Wrong arguments, numbers and questions are errors of the pass",
    arguments: [
      ("no-option", "asks for an option 'wohle'"), ("type", "is not of type 'integer'"),
      ("no-room", "no room for a result"), ("no-remark", "remarks 'sung'"),
      ("no-text", "gives no remark"), ("no-counter", "counts 'undone'"),
      ("much", "adds 9223372036854775807"), ("silent", "without a reason (it returned 1)"),
      ("message", "this will not do"), ("family", "no family 17"),
      ("patterns", "'word' is not of type 'patterns'"), ("tensor", "no.such.tensor"),
      ("stranger", "strangers are sent away"), ("thread", "from another thread"),
      ("ignored", "counts 'undone'"), ("index", "there is no site"), ("size", "struct_size"),
      ("count", "has 8"), ("no-factors", "factors of 8 channels cannot be applied"),
      ("flags", "flags 64"), ("nan", "is nan, which has no inverse"),
      ("zero", "is 0.0, which has no inverse"), ("statistics", "has no 'calibration'"),
      ("order-twice", "does not hold each of them once"),
      ("order-far", "does not hold each of them once"), ("group", "is not of that group"),
      ("mix-skew", "are not orthogonal"), ("mix-flat", "has no inverse"),
      ("mix-nan", "not finite"), ("mix-many", "do not fit"), ("mix-odd", "do not fit"),
      ("mix-none", "do not fit"), ("twice", "was transformed already"),
    ])
  func sites(_ way: String, _ words: String) throws {
    let outcome = try run("misuse-site{way: \(way)}")
    #expect(outcome.code == 1, "\(outcome.code): \(outcome.errors)")
    #expect(outcome.output.isEmpty)
    #expect(outcome.errors.contains(words), "\(outcome.errors)")
    #expect(outcome.errors.contains("pass 'misuse-site'"), "\(outcome.errors)")
    #expect(outcome.errors.contains(plugin), "\(outcome.errors)")
  }

  @Test(
    "Wrong codes and scales are errors of the pass",
    arguments: [
      ("weight-index", "there is no weight"), ("weight-statistics", "has no 'calibration'"),
      ("read-count", "there is room for 33"), ("read-null", "no room for weight"),
      ("codes-null", "no codes were given"), ("codes-count", "31 codes were given"),
      ("codes-range", "code 100"), ("scales-count", "scales, and 5 were given"),
      ("scales-nan", "scale 0 of 'weight' is nan"), ("scales-negative", "is -1.0"),
      ("scales-odd", "cannot be stored as f16"),
      ("zeros", "has no zero points, and some"), ("zeros-alone", "zero points without scales"),
      ("codes-twice", "has been given codes already"),
    ])
  func weights(_ way: String, _ words: String) throws {
    let outcome = try run("quantize{scheme: w4a16},misuse-weight{way: \(way)}")
    #expect(outcome.code == 1, "\(outcome.code): \(outcome.errors)")
    #expect(
      outcome.errors.contains("--passes:1:25: error: pass 'misuse-weight': "), "\(outcome.errors)")
    #expect(outcome.errors.contains(words), "\(outcome.errors)")
  }

  @Test("A pass says which options do not go together")
  func complains() throws {
    let outcome = try run("misuse-site{way: complain}")
    #expect(outcome.code == 1)
    #expect(
      outcome.errors.contains(
        "'way: complain' cannot be; choose another [options.constraint]"), "\(outcome.errors)")
    let sites = try run("misuse-site{way: check-sites}")
    #expect(
      sites.code == 1 && sites.errors.contains("can ask for options alone"), "\(sites.errors)")
  }

  @Test(
    "A crash is told as the plugin's, with its file and the pass",
    arguments: [
      ("segv", "SIGSEGV", SIGSEGV), ("abort", "SIGABRT", SIGABRT), ("fpe", "SIGFPE", SIGFPE),
      ("overflow", "SIGSEGV", SIGSEGV),
    ])
  func crashes(_ way: String, _ name: String, _ signal: Int32) throws {
    let outcome = try run("misuse-site,misuse-site{way: \(way)}")
    #expect(outcome.code == -signal, "\(outcome.code): \(outcome.errors)")
    #expect(
      outcome.errors.contains(
        "--passes:1:13: error: pass 'misuse-site#2' of plugin '\(plugin)' crashed (\(name)) [plugin.crashed]"
      ), "\(outcome.errors)")
    #expect(outcome.output.isEmpty)
    // The error, its place, and the hint: no backtrace.
    #expect(outcome.errors.split(separator: "\n").count <= 5, "\(outcome.errors)")
  }

  @Test(
    "A crash of a plugin in Swift, and one outside of passes, are told too; earlier output stays")
  func otherCrashes() throws {
    let folder = try TemporaryFolder()
    let model = try folder.write(
      "model.yaml",
      Workbench.modelFile(
        source: Workbench.example, pipeline: "[lower-kernels, fail: {way: trap}, emit: $emit]",
        more: "plugins: [\(installation.probes)]"))
    try folder.write("out/kept.txt", "as it was")
    let trapped = try installation.run("lower", model, "--quiet")
    #expect(trapped.code < 0, "\(trapped.code)")
    #expect(
      trapped.errors.contains("pass 'fail' of plugin '\(installation.probes)' crashed (SIG"),
      "\(trapped.errors)")
    #expect(try contents(of: folder.file("out")).keys.sorted() == ["kept.txt"])
    let checked = try run("misuse-site{way: check-segv}")
    #expect(checked.code == -SIGSEGV)
    #expect(
      checked.errors.contains("crashed while it checked options of 'misuse-site' (SIGSEGV)"),
      "\(checked.errors)")
    let early = try installation.library(
      "early",
      """
      #include <stdlib.h>
      #include "irc_plugin.h"
      __attribute__((constructor)) static void begin(void) { abort(); }
      static int32_t run(const irc_host *host, irc_call *call) { return host->fail(call, "", NULL); }
      static const irc_pass pass = {IRC_PASS_HEAD, "{}", NULL, run};
      IRC_C_PLUGIN(&pass)
      """)
    let loaded = try installation.run("passes", "--plugin", early)
    #expect(loaded.code == -SIGABRT)
    #expect(
      loaded.errors.contains("plugin '\(early)' crashed while it was loaded (SIGABRT)"),
      "\(loaded.errors)")
  }

  @Test("A crash while a plugin says what it is, or in a component of one, is told too")
  func declaringCrashes() throws {
    func build(_ name: String, _ source: String) throws -> Program.Outcome {
      _ = try installation.write("\(name)/Traps.swift", "import IRCPassKit\n\(source)")
      return try installation.run("plugin", "build", installation.plugins + "/\(name)")
    }
    let silent = try build(
      "silent-trap",
      """
      let plugins: [any Plugin.Type] = [Silent.self]
      struct Silent: Pass {
        static let info: PassInfo = { fatalError("no words") }()
        func run(on graph: inout Graph, in context: PassContext) throws {}
      }
      """)
    #expect(silent.code < 0)
    #expect(silent.errors.contains("crashed while it told of a pass (SIG"), "\(silent.errors)")
    let mute = try build(
      "mute-trap",
      """
      let plugins: [any Plugin.Type] = [Mute.self]
      struct Mute: AllocationSolver {
        static let info: ComponentInfo = { fatalError("no words") }()
        func solve(_ problem: AllocationProblem) -> AllocationProblem.Solution? { nil }
      }
      """)
    #expect(mute.code < 0)
    #expect(mute.errors.contains("crashed while it was added (SIG"), "\(mute.errors)")
    let late = try build(
      "late-trap",
      """
      let plugins: [any Plugin.Type] = [Late.self, Desperate.self]
      struct Late: Pass {
        static let info = PassInfo(name: "late", summary: "Trap.", preservesFunction: true)
        @PassOption("Where to trap.") var place = "nowhere"
        var effects: PassEffects { if place == "effects" { fatalError() } else { PassEffects() } }
        var isCostly: Bool { if place == "costs" { fatalError() } else { false } }
        func run(on graph: inout Graph, in context: PassContext) throws {}
      }
      struct Desperate: AllocationSolver {
        static let info = ComponentInfo(name: "desperate", summary: "Trap.")
        func solve(_ problem: AllocationProblem) -> AllocationProblem.Solution? { fatalError() }
      }
      """)
    #expect(late.code == 0, "\(late.errors)")
    let plugin = installation.plugins + "/late-trap/build/late-trap.so"
    for place in ["effects", "costs"] {
      let told = try installation.run(
        "opt", graph, "--plugin", plugin, "--passes", "late{place: \(place)}")
      #expect(told.code < 0)
      #expect(
        told.errors.contains("plugin '\(plugin)' crashed while it told \(place) of 'late' (SIG"),
        "\(told.errors)")
    }
    let folder = try TemporaryFolder()
    let model = try folder.write(
      "model.yaml",
      Workbench.modelFile(
        source: Workbench.example,
        pipeline:
          "[quantize: {scheme: w4a16}, mixed-precision: {solver: desperate, metric: sqnr, bits: 8}]",
        more: "plugins: [\(plugin)]"))
    let solved = try installation.run("eval", model, "--data", Workbench.prose, "--quiet")
    #expect(solved.code < 0)
    #expect(
      solved.errors.contains("pass 'mixed-precision' with plugin '\(plugin)' crashed (SIG"),
      "\(solved.errors)")
  }

  @Test("Descriptions that are wrong are told with their place")
  func descriptions() throws {
    let good = #""name": "d", "summary": "s", "preserves_function": true"#
    func option(_ rest: String) -> String {
      #"{\#(good), "options": [{"key": "k", "help": "h", \#(rest)}]}"#
    }
    for (index, (description, words)) in [
      ("{", "describes pass 1 wrongly"), ("{}", "the key 'preserves_function' is missing"),
      ("{\(good), \"nmae\": 1}", "the key 'nmae' is not known"),
      (#"{"name": "d", "summary": "s", "preserves_function": 1}"#, "should be true or false"),
      ("{\(good), \"calibration\": [\"maen\"]}", "did you mean \"mean\"?"),
      (option(#""type": "integr", "default": 1"#), "did you mean \"integer\"?"),
      (option(#""type": "integer", "default": 1.5"#), "should be an integer"),
      (option(#""type": "integer", "default": 7, "maximum": 5"#), "which is not"),
      (option(#""type": "number", "default": 1, "minimum": 2, "maximum": 1"#), "greater than"),
      (option(#""type": "choice", "default": "c", "choices": ["a", "b"]"#), "is not known"),
      (option(#""type": "text", "default": "c", "minimum": 1"#), "cannot have bounds"),
      (#"{"name": "Not a name", "summary": "s", "preserves_function": true}"#, "plugin.pass-name"),
    ].enumerated() {
      let quoted = description.replacing("\"", with: "\\\"")
      let library = try installation.library(
        "described\(index)",
        """
        #include "irc_plugin.h"
        static int32_t run(const irc_host *host, irc_call *call) { return host->fail(call, "", NULL); }
        static const irc_pass pass = {IRC_PASS_HEAD, "\(quoted)", NULL, run};
        IRC_C_PLUGIN(&pass)
        """)
      let outcome = try installation.run("passes", "--plugin", library)
      #expect(outcome.code == 1, "\(outcome.errors)")
      #expect(outcome.errors.contains("--plugin:1:1: error: "), "\(outcome.errors)")
      #expect(outcome.errors.contains(words), "\(description): \(outcome.errors)")
    }
  }

  @Test("Tables that are cut off or of another version end in an error")
  func tables() throws {
    for (index, head) in [
      "8, IRC_PLUGIN_API_MAJOR, IRC_PLUGIN_API_MINOR, 0",
      "(uint32_t)sizeof(irc_pass), 99, 0, 0",
      "(uint32_t)sizeof(irc_pass), IRC_PLUGIN_API_MAJOR, 99, 0",
    ].enumerated() {
      let library = try installation.library(
        "table\(index)",
        """
        #include "irc_plugin.h"
        static int32_t run(const irc_host *host, irc_call *call) { return host->fail(call, "", NULL); }
        static const irc_pass pass = {\(head), "{}", NULL, run};
        IRC_C_PLUGIN(&pass)
        """)
      let outcome = try installation.run("passes", "--plugin", library)
      #expect(
        outcome.code == 1 && outcome.errors.contains("[plugin.other-table]"), "\(outcome.errors)")
    }
    // One that knows more than this irc, of the same version, is longer.
    let longer = try installation.library(
      "longer",
      #"""
      #include "irc_plugin.h"
      static int32_t run(const irc_host *host, irc_call *call) { return host->fail(call, "I ran", NULL); }
      static const struct { irc_pass pass; void *more; } longer = {
        {sizeof longer, IRC_PLUGIN_API_MAJOR, IRC_PLUGIN_API_MINOR, 0,
         "{\"name\": \"longer\", \"summary\": \"s\", \"preserves_function\": true}", NULL, run}, NULL};
      IRC_C_PLUGIN(&longer.pass)
      """#)
    let ran = try installation.run("opt", graph, "--plugin", longer, "--passes", "longer")
    #expect(ran.code == 1 && ran.errors.contains("I ran"), "\(ran.errors)")
    let null = try installation.library(
      "null-pass",
      """
      #include "irc_plugin.h"
      IRC_C_PLUGIN(NULL)
      """)
    let outcome = try installation.run("passes", "--plugin", null)
    #expect(
      outcome.code == 1 && outcome.errors.contains("[plugin.other-table]"), "\(outcome.errors)")
  }
}
