import Foundation
import IRCSupport
import IRCTestSupport
import Testing

/// What is stored goes by the names that a user knows: those of the checkpoint.
@Suite("Names of tensors")
struct TensorNameTests {
  private struct Stored {
    let name: String
    let constant: String?
    let format: String
  }

  /// What the manifest has of a pipeline's tensors, with the names of all tensors of the checkpoint.
  private func lower(
    _ pipeline: String, in folder: TemporaryFolder
  ) throws -> (stored: [Stored], checkpoint: Set<String>) {
    let model = try folder.write(
      "model.yaml", Workbench.modelFile(source: Workbench.example, pipeline: pipeline))
    let outcome = try Program.run("lower", model, "--quiet")
    #expect(outcome.code == 0, "\(outcome.errors)")
    let manifest = try JSONValue(reading: folder.file("out/manifest.json"))
    let stored = try manifest["emitted"].array()[0]["tensors"].array().map { tensor in
      try Stored(
        name: tensor["name"].string(), constant: tensor.optional("constant")?.string(),
        format: tensor["format"].string())
    }
    return (stored, Set(try manifest["checkpoint"].array().map { try $0["name"].string() }))
  }

  @Test(
    "The manifest names tensors of the checkpoint, whatever passes made of them",
    arguments: [
      ("gptq-w4a16", "gptq.codes"), ("rsq-w4a16", "gptq.codes"),
      ("svdquant-w4a4", "low-rank-absorb/"), ("mambaquant-mixed-w4.25a16", "gptq.codes"),
      ("fitted-cb4a16", nil), ("quarot-w4a8", nil),
    ])
  func names(pipeline: String, made: String?) throws {
    let folder = try TemporaryFolder()
    let (stored, checkpoint) = try lower(pipeline, in: folder)
    let strange = stored.filter { !checkpoint.contains($0.name) || $0.name == $0.constant }
    #expect(strange.isEmpty)
    // Every layer has its codes; the table of embeddings too, of which the output layer has a copy with the gains of the norm before it.
    let packed = stored.filter { $0.format.contains("(") || $0.format.contains("row") }
    #expect(Set(packed.map(\.name)).count == 17)
    let constants = stored.compactMap(\.constant)
    #expect(Set(constants).count == constants.count)
    if let made {
      #expect(constants.contains { $0.contains(made) }, "\(constants)")
      let constant = try #require(constants.first { $0.contains(made) })
      let inspected = try Program.run("inspect", folder.file("out"))
      #expect(inspected.output.contains("as '\(constant)'\n"), "\(inspected.output)")
    }
  }

  @Test("Plain rounding has no constants of passes")
  func plain() throws {
    let folder = try TemporaryFolder()
    let (stored, checkpoint) = try lower("rtn-w4a16", in: folder)
    #expect(stored.allSatisfy { $0.constant == nil && checkpoint.contains($0.name) })
  }
}
