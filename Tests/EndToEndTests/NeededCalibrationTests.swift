import Foundation
import IRCTestSupport
import Testing

/// Which pipelines cannot do without calibration text, as 'irc check' finds it from their options.
@Suite("Calibration that is needed")
struct NeededCalibrationTests {
  /// Whether 'irc check' misses calibration text where there is none; nothing else may be wrong.
  private func needsText(_ pipeline: String, in folder: TemporaryFolder) throws -> Bool {
    let model = try folder.write(
      "model.yaml",
      "irc: 1\nsource: \(Workbench.example)\npipeline: \(pipeline)\n")
    let outcome = try Program.run("check", model, "--quiet")
    if outcome.code == 0 { return false }
    #expect(outcome.errors.contains("model.yaml:3:"), "\(pipeline): \(outcome.errors)")
    #expect(
      outcome.errors.components(separatedBy: ": error: ").count == 2
        && outcome.errors.contains("[passes.missing-calibration]"),
      "\(pipeline): \(outcome.errors)")
    return true
  }

  @Test("docs/pipelines.md says of each pipeline whether it needs text")
  func pipelines() throws {
    let page = try String(
      contentsOfFile: Workbench.repository + "/docs/pipelines.md", encoding: .utf8)
    let folder = try TemporaryFolder()
    var seen: Set<String> = []
    for line in page.split(separator: "\n") where line.hasPrefix("| `") {
      let cells = line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
      guard cells.count == 3, ["yes", "only with static activations"].contains(cells[1]) else {
        continue
      }
      for name in cells[0].split(separator: ", ").map({ $0.filter { $0 != "`" } }) {
        #expect(try needsText("\(name)-w8a8", in: folder) == (cells[1] == "yes"), "\(name)")
        #expect(try needsText("\(name)-w8a8-static", in: folder), "\(name)")
        seen.insert(name)
      }
    }
    let shipped = try FileManager.default.contentsOfDirectory(
      atPath: Workbench.repository + "/pipelines"
    ).filter { $0.hasSuffix(".yaml") }.map { String($0.dropLast(5)) }
    #expect(seen == Set(shipped).subtracting(["float", "lower-and-emit"]))
  }

  @Test(
    "Options decide",
    arguments: [
      ("quantize: {scheme: w4a8}", false), ("quantize: {scheme: w4a8-static}", true),
      ("quantize, clip-search", false), ("quantize, gptq", true),
      ("quantize: {scheme: cb4a16}, fit-values", true),
      ("quantize, mixed-precision: {metric: weighted-mse, bits: 9}", true),
      ("awq: {clip: true}", true), ("smooth-fusion: {alpha: 0.5}", true),
      ("low-rank-absorb", false), ("low-rank-absorb: {iterations: 3}", false),
      ("low-rank-absorb: {objective: whitened}", true),
      ("rotation-fusion: {kind: hadamard}", false), ("rotation-fusion: {kind: orthogonal}", false),
      ("rotation-fusion: {kind: klt}", true), ("rotation-fusion: {kind: klt-hadamard}", true),
    ])
  func options(passes: String, isNeeded: Bool) throws {
    let folder = try TemporaryFolder()
    let pipeline = "[fold-norm-gains, \(passes), lower-kernels, emit: $emit]"
    #expect(try needsText(pipeline, in: folder) == isNeeded)
  }
}
