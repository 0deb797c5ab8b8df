import Foundation
import IRCPassKit
import IRCPassManager
import IRCPipeline
import IRCSupport
import IRCTestSupport

struct FoldGains: Pass {
  static let info = PassInfo(
    name: "fold-norm-gains", summary: "Folds gains.", establishes: [.normGainsFolded],
    preservesFunction: true)
  init() {}
  func run(on graph: inout Graph, in context: PassContext) throws {}
}

enum Rounding: String, PassOptionChoice {
  case nearest, stochastic
}

struct Quantizer: Pass {
  static let info = PassInfo(
    name: "quantize", summary: "Rounds weights.", details: "More about rounding.",
    paper: "Nobody et al., section 2", requires: [.normGainsFolded], establishes: [.quantized],
    preservesFunction: false, usesCalibration: true,
    statistics: [Statistic("rounded", "Weights rounded.")],
    remarks: [RemarkKind("left-out", .missed, "A weight was left as it was.")])

  @PassOption("Formats.")
  var scheme = QuantizationScheme(weights: QuantizationSpec(.integer(bits: 8), .row))
  @PassOption("Weights to take.")
  var include = [NamePattern("*")]
  @PassOption("Share of values to clip.", in: 0...0.5)
  var clipShare = 0.0
  @PassOption("Rounds of search.", in: 1...100)
  var rounds = 8
  @PassOption("Scale first.")
  var prescale = false
  @PassOption("How to round.")
  var rounding = Rounding.nearest
  @PassOption("A label.")
  var label = ""

  init() {}
  func check() -> [String] {
    prescale && clipShare > 0 ? ["'prescale' and 'clip_share' exclude each other"] : []
  }
  func run(on graph: inout Graph, in context: PassContext) throws {}
}

struct Lowering: Pass {
  static let info = PassInfo(
    name: "lower-kernels", summary: "Chooses kernels.", preservesFunction: true)
  init() {}
  func run(on graph: inout Graph, in context: PassContext) throws {}
}

struct CEmitter: Pass {
  static let info = PassInfo(name: "emit-c", summary: "Writes C.", preservesFunction: true)
  @PassOption("Add comments.")
  var comments = true
  init() {}
  func run(on graph: inout Graph, in context: PassContext) throws {}
}

let fakePasses: [any Pass.Type] = [
  FoldGains.self, Quantizer.self, Lowering.self, CEmitter.self,
]

/// The pipelines of this repository.
let shipped = ShippedFiles(directory: Shared.repository.map { $0 + "/pipelines" })

/// A folder called `toy` with a model and calibration text, and the files given.
struct Project {
  private let temporary: TemporaryFolder
  var path: String { temporary.path + "/toy" }

  init(_ files: [(name: String, text: String)]) throws {
    temporary = try TemporaryFolder()
    try temporary.write("toy/tiny/config.json", "{}")
    try temporary.write("toy/prose.txt", "It was a dark night.")
    for (name, text) in files { try temporary.write("toy/" + name, text) }
  }

  func plan(_ settings: [String] = [], output: String? = nil) throws -> CompilationPlan {
    try CompilationPlan(
      reading: path + "/model.yaml", settings: settings, output: output,
      registry: PassRegistry(fakePasses), shipped: shipped)
  }

  /// What the user would see, with the folders' names left out.
  func messages(_ settings: [String] = []) -> String {
    do {
      let plan = try plan(settings)
      return "fine: " + plan.passes.map(\.id).joined(separator: " ")
    } catch let list as DiagnosticList {
      return shorten(list.description)
    } catch {
      return "\(error)"
    }
  }

  func shorten(_ text: String) -> String {
    text.replacingOccurrences(of: path + "/", with: "")
      .replacingOccurrences(of: (shipped.directory ?? "?") + "/", with: "@")
  }
}

/// The pass of an instance, as the fake quantizer.
func quantizer(_ plan: CompilationPlan, _ instance: String = "quantize") -> Quantizer? {
  plan.passes.first { $0.id == instance }?.pass as? Quantizer
}
