import Foundation
import IRCSupport
import IRCTestSupport
import Testing

/// What a low-rank branch does for the model that ships; `docs/results/low-rank.md` holds the figures of all models.
@Suite("Low-rank branches of a real model")
struct LowRankTests {
  @Test("A branch makes 4-bit activations better, plain and with injected outliers")
  func improves() throws {
    let folder = try TemporaryFolder()
    let model = try modelFile(in: folder)
    for prefix in [[], ["--prefix", "inject-outliers"]] {
      let rows = try compare(
        model,
        ["\(Workbench.repository)/docs/results/low-rank/no-branch-w4a4.yaml", "svdquant-w4a4"],
        prefix + ["--windows", "16"])
      let losses = try rows.map { try $0["perplexity"].double() }
      #expect(losses.count == 3 && losses[2] < losses[1], "\(losses)")
    }
  }

  @Test("The emitted C runs the branch in half precision and follows the simulation")
  func compiled() throws {
    let folder = try TemporaryFolder()
    let model = try modelFile(in: folder)
    let rows = try compare(model, ["svdquant-w4a16"], ["--windows", "2", "--logits"])
    #expect(try rows[1]["logit_difference_compiled"].double() == 0)

    let outcome = try Program.run("lower", model, "--set", "pipeline=svdquant-w4a16", "--quiet")
    #expect(outcome.code == 0, "\(outcome.errors)")
    let manifest = try JSONValue(reading: folder.file("out/manifest.json"))
    let tensors = try manifest["emitted"].array()[0]["tensors"].array()
    let branch = try tensors.filter {
      try $0.optional("constant")?.string().hasPrefix("low-rank-absorb/") == true
    }
    #expect(branch.count > 8)
    for tensor in branch { #expect(try tensor["format"].string() == "f16") }
  }

  private func modelFile(in folder: TemporaryFolder) throws -> String {
    try folder.write(
      "model.yaml",
      """
      irc: 1
      name: subject
      source: \(Workbench.example)
      pipeline: float
      calibration: {text: \(Workbench.prose), tokens: 4096}
      output: out
      """)
  }

  private func compare(
    _ model: String, _ pipelines: [String], _ more: [String]
  ) throws -> [JSONValue] {
    let outcome = try Program.run(
      [
        "compare", model, "--pipelines", pipelines.joined(separator: ","), "--data",
        Workbench.prose, "--context", "128", "--json", "--quiet", "--no-cache",
      ] + more, environment: [:])
    #expect(outcome.code == 0, "\(outcome.errors)")
    return Array(try outcome.json()["rows"].array())
  }
}
