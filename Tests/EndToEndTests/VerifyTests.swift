import Foundation
import IRCSupport
import IRCTestSupport
import Testing

@Suite("irc verify and irc check")
struct VerifyTests {
  private let folder: TemporaryFolder
  private let model: String
  private var output: String { folder.file("out") }

  init() throws {
    folder = try TemporaryFolder()
    model = try folder.write(
      "model.yaml", Workbench.modelFile(source: Workbench.example, pipeline: "rtn-w8a8-static"))
  }

  private func lower(_ more: String...) throws {
    let outcome = try Program.run(["lower", model, "--quiet"] + more)
    #expect(outcome.code == 0, "\(outcome.errors)")
  }

  /// Expects that a command fails with exit code 1 and all of these words.
  private func refused(_ arguments: [String], _ words: String...) throws {
    let outcome = try Program.run(arguments)
    #expect(outcome.code == 1 && outcome.output.isEmpty, "\(outcome.output)")
    for word in words { #expect(outcome.errors.contains(word), "\(word): \(outcome.errors)") }
  }

  @Test("The manifest has the digests that sha256sum computes, of inputs and outputs")
  func digests() throws {
    try lower()
    let manifest = try JSONValue(reading: "\(output)/manifest.json")
    func digest(_ path: String) throws -> String {
      let sum = try Program.run([path], executable: "/usr/bin/sha256sum")
      return String(sum.output.prefix(64))
    }
    let outputs = try manifest["outputs"].array()
    let names = try outputs.map { try $0["name"].string() }
    #expect(names.contains("tested.weights") && names.contains("tested.c"))
    for output in outputs {
      let path = "\(self.output)/\(try output["name"].string())"
      #expect(try output["sha256"].string() == digest(path))
      let size = try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int
      #expect(try output["bytes"].int() == size)
    }
    let inputs = try manifest["inputs"].array().map { input in
      (try input["role"].string(), try input["name"].string(), try input["sha256"].string())
    }
    let roles = ["model", "pipeline", "checkpoint", "tokenizer", "calibration"]
    #expect(Set(inputs.map(\.0)) == Set(roles))
    for (_, name, found) in inputs {
      let path =
        name == "model.yaml"
        ? model
        : name.hasPrefix("irc:")
          ? "\(Workbench.repository)/pipelines/\(name.dropFirst(4))"
          : name.hasPrefix("/") ? name : "\(Workbench.example)/\(name)"
      #expect(try found == digest(path), "\(name)")
    }
    #expect(inputs.contains { $0.1 == "irc:schemes/w8a8-static.yaml" })
    #expect(inputs.contains { $0.1 == "model.safetensors" })
  }

  @Test("The dependency file names everything that was read, and Make understands it")
  func dependencies() throws {
    try lower()
    let text = try String(contentsOfFile: "\(output)/tested.d", encoding: .utf8)
    for path in [
      model, "\(Workbench.example)/config.json", "\(Workbench.example)/model.safetensors",
      "\(Workbench.example)/tokenizer.json", Workbench.prose, "pipelines/rtn.yaml",
      "pipelines/lower-and-emit.yaml", "pipelines/schemes/w8a8-static.yaml",
    ] { #expect(text.contains(path), "\(path)") }
    #expect(text.hasPrefix("\(output)/"))
    try folder.write("Makefile", "include out/tested.d\n")
    let make = try Program.run(
      ["make", "-C", folder.path, "-n", "\(output)/tested.weights"], executable: "/usr/bin/env")
    #expect(make.code == 0, "\(make.errors)")
  }

  @Test("A folder as it was written is verified; changed, missing and foreign ones are not")
  func verify() throws {
    try refused(["verify", folder.path], "[verify.no-manifest]")
    try lower()
    let whole = try Program.run(["verify", output, "--model", model])
    #expect(whole.code == 0, "\(whole.errors)")
    #expect(whole.output.contains("tested.weights: as written"))
    #expect(whole.output.contains("reads 8 tokens") && whole.output.contains("inputs: the same"))
    #expect(
      try Program.run(["verify", output, "--json"]).keys() == [
        "folder", "files", "inputs_checked", "tokens_read",
      ])
    let other = try folder.write(
      "other.yaml",
      Workbench.modelFile(source: Workbench.example, pipeline: "rtn-w8a8-static") + "\n# more\n")
    try refused(["verify", output, "--model", other], "[verify.input]", "other.yaml")

    let weights = URL(fileURLWithPath: "\(output)/tested.weights")
    var bytes = try Data(contentsOf: weights)
    bytes[bytes.count / 2] ^= 1
    try bytes.write(to: weights)
    try FileManager.default.removeItem(atPath: "\(output)/tested.h")
    try refused(
      ["verify", output], "tested.weights' has other bytes than were written [verify.changed]",
      "tested.h' is not there [verify.missing]")
    try (bytes + [0]).write(to: weights)
    try refused(["verify", output], "bytes, and")
    try lower()
    #expect(try Program.run(["verify", output]).code == 0)
  }

  @Test(
    "A folder with files of two outputs, as a process leaves that is killed between them, is refused"
  )
  func mixed() throws {
    try lower()
    let other = folder.file("other")
    try lower("-o", other, "--set", "pipeline=rtn-w4a16")
    #expect(try Program.run(["verify", other]).code == 0)
    let names = ["tested.weights", "tested.c", "manifest.json"]
    for name in names {
      let mixed = folder.file("mixed-\(name)")
      try FileManager.default.copyItem(atPath: output, toPath: mixed)
      try FileManager.default.removeItem(atPath: "\(mixed)/\(name)")
      try FileManager.default.copyItem(atPath: "\(other)/\(name)", toPath: "\(mixed)/\(name)")
      try refused(["verify", mixed], "verify.")
    }
  }

  @Test("Check reports problems of files, options, facts and texts at once, and writes nothing")
  func check() throws {
    let fine = try Program.run(["check", model, "--json"])
    #expect(fine.code == 0, "\(fine.errors)")
    let found = try fine.json()
    #expect(
      try found["passes"].array().map { try $0.string() } == [
        "fold-norm-gains", "quantize", "lower-kernels", "emit-c",
      ])
    #expect(try found["files"].array().map { try $0.string() }.contains(Workbench.prose))
    #expect(!FileManager.default.fileExists(atPath: output))

    let wrong = try folder.write(
      "wrong.yaml",
      """
      irc: 1
      source: "\(Workbench.example)"
      calibration: {text: nowhere.txt}
      pipeline: [gptq: {damping: 7}, quantise]
      """)
    try refused(["check", wrong], "there is no file", "expected a number from", "'quantize'")
    let order = try folder.write(
      "order.yaml",
      """
      irc: 1
      source: "\(Workbench.example)"
      pipeline: [gptq, lower-kernels]
      """)
    try refused(
      ["check", order], "requires 'quantized'", "[pipeline.no-exporter]")
  }
}
