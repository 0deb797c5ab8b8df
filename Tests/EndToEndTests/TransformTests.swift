import Foundation
import IRCSupport
import IRCTestSupport
import Testing

/// Every kind of transform alone and all of them together, on real models: the logits of the float model stay, and the emitted C follows.
/// `docs/results/transforms.md` holds the figures.
@Suite("Transforms keep the function of real models")
struct TransformTests {
  /// A model with a text to calibrate on and to predict.
  struct Subject: Sendable, CustomTestStringConvertible {
    let name: String
    let data: String
    var testDescription: String { name }

    /// The one that ships.
    static let shipped = Subject(name: "novels-mamba-600k", data: "")

    static let shared = [
      Subject(name: "novels-mamba-4m", data: "novels/emma-part1.txt"),
      Subject(name: "stories260k", data: "tinystories-valid/stories.jsonl"),
      Subject(name: "tinystories-656k", data: "tinystories-valid/stories.jsonl"),
    ]

    /// Folder and text; nil if they are not here.
    var files: (source: String, text: String)? {
      if data.isEmpty { return (Workbench.example, Workbench.prose) }
      guard let source = Shared.model(name), let text = Shared.data(data) else { return nil }
      return (source, text)
    }
  }

  private static let folder = Workbench.repository + "/docs/results/transforms"

  private func modelFile(_ subject: Subject, in folder: TemporaryFolder) throws -> (
    model: String, text: String
  ) {
    let (source, text) = try #require(subject.files)
    let model = try folder.write(
      "model.yaml",
      """
      irc: 1
      name: subject
      source: \(source)
      pipeline: float
      calibration: {text: \(text), tokens: 4096}
      output: out
      target: portable
      """)
    return (model, text)
  }

  @Test("The model that ships")
  func shippedModel() throws { try logits(of: .shipped) }

  @Test(
    .enabled(
      if: Subject.shared.allSatisfy { $0.files != nil },
      "the shared models and texts are not here"), arguments: Subject.shared)
  func sharedModels(subject: Subject) throws { try logits(of: subject) }

  private func logits(of subject: Subject) throws {
    let folder = try TemporaryFolder()
    let (model, text) = try modelFile(subject, in: folder)
    let names = try FileManager.default.contentsOfDirectory(atPath: Self.folder).sorted()
    #expect(names.contains("all.yaml") && names.count > 8)
    let outcome = try Program.run(
      [
        "compare", model, "--pipelines",
        names.map { "\(Self.folder)/\($0)" }.joined(separator: ","),
        "--data", text, "--windows", "2", "--context", "128", "--logits", "--json", "--quiet",
      ], environment: ["IRC_CACHE_DIR": folder.file("cache")])
    #expect(outcome.code == 0, "\(outcome.errors)")
    let rows = try outcome.json()["rows"].array().dropFirst()
    #expect(rows.count == names.count)
    for row in rows {
      let name = try row["pipeline"].string()
      #expect(try row["logit_difference"].double() < 1e-4, "\(name)")
      #expect(try row["logit_difference_compiled"].double() < 1e-4, "\(name)")
      // A transform that does nothing at all would pass the two lines above.
      #expect(try row["logit_difference"].double() > 0, "\(name)")
    }
  }

  @Test(
    "Principal axes and a Hadamard matrix make all channels alike, a Hadamard matrix alone does not"
  )
  func spread() throws {
    let folder = try TemporaryFolder()
    let (model, text) = try modelFile(.shipped, in: folder)
    func spreads(_ pipeline: String) throws -> [(calibration: Double, text: Double)] {
      let outcome = try Program.run(
        "inspect", model, "--set", "pipeline=\(Self.folder)/\(pipeline).yaml", "--sites", "--data",
        text, "--windows", "8", "--json", "--quiet")
      #expect(outcome.code == 0, "\(outcome.errors)")
      return try outcome.json()["sites"].array().filter {
        try $0["family"].string() == "mixing"
          && ["residual", "low-rank"].contains($0["role"].string())
      }.map { site in
        (try site["spread_calibration"].double(), try site["spread_text"].double())
      }
    }
    let even = try spreads("klt-hadamard")
    #expect(even.count == 5)
    for site in even {
      #expect(site.calibration <= 1.3)
      #expect(site.text >= 1 && site.text < 2)
    }
    #expect(try spreads("hadamard").contains { $0.calibration > 2 })
  }
}
