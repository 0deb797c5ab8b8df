import Foundation
import IRCCodegen
import IRCExecution
import IRCFrontend
package import IRCPipeline
package import IRCSupport
import IRCTensor

/// Whether an output folder is what its manifest says, and whether its library still works: what `irc verify` does.
package struct Verification {
  /// One line for each file and for the library.
  package let text: String
  /// The same as JSON.
  package let json: JSON

  /// Checks a folder; with the plan of its model file also that what it was made from is the same.
  ///
  /// - Throws: `DiagnosticList` with everything that differs.
  package init(
    _ folder: String, of plan: CompilationPlan? = nil, in environment: CompilerEnvironment
  ) throws {
    let path = "\(folder)/manifest.json"
    guard FileManager.default.fileExists(atPath: path) else {
      throw Diagnostic(
        "verify.no-manifest", "'\(folder)' has no 'manifest.json'",
        hint: "give a folder that 'irc lower' wrote")
    }
    let manifest = try JSONValue(reading: path)
    guard let recorded = try manifest.optional("outputs")?.array() else {
      throw Diagnostic(
        "verify.no-digests", "the manifest says nothing of the bytes of the files",
        at: SourceLocation(file: path),
        hint: "lower the model again with this version")
    }
    var problems: [Diagnostic] = []
    var lines: [String] = []
    for output in recorded {
      let name = try output["name"].string()
      let problem = try Self.problem(
        "\(folder)/\(name)", bytes: try output["bytes"].int(), digest: try output["sha256"].string()
      )
      if let problem { problems.append(problem) } else { lines.append("\(name): as written") }
    }
    if let plan {
      problems += try Self.changedInputs(manifest, plan, environment)
      lines.append("inputs: the same")
    }
    if !problems.isEmpty { throw DiagnosticList(problems) }
    let names = ArtifactNames(model: try manifest["name"].string())
    var tokens = 0
    if FileManager.default.fileExists(atPath: "\(folder)/\(names.source)") {
      let target = Target(rawValue: try manifest["target"].string()) ?? .native
      if target.runsHere {
        let library = try CompiledModel(
          folder: folder, names: names, target: target, reporter: environment.reporter)
        tokens = try Self.run(library)
        lines.append("library: compiles, loads its weights and reads \(tokens) tokens")
      } else {
        lines.append("library: not run, as it is for \(target.rawValue)")
      }
    }
    text = lines.map { $0 + "\n" }.joined()
    json = .object([
      ("folder", .string(folder)), ("files", .integer(recorded.count)),
      ("inputs_checked", .bool(plan != nil)), ("tokens_read", .integer(tokens)),
    ])
  }

  /// What is wrong with a file; nil if it is as recorded.
  private static func problem(_ path: String, bytes: Int, digest: String) throws -> Diagnostic? {
    guard FileManager.default.fileExists(atPath: path) else {
      return Diagnostic(
        "verify.missing", "'\(path)' is not there", hint: "lower the model again")
    }
    let found = try FileDigests.digest(of: path).description
    if found == digest { return nil }
    let size = try MappedFile(path: path).byteCount
    return Diagnostic(
      "verify.changed",
      size == bytes
        ? "'\(path)' has other bytes than were written"
        : "'\(path)' has \(size) bytes, and \(bytes) were written",
      hint: "lower the model again")
  }

  /// An error for each file that differs from what the manifest says was read, or that only one of them knows.
  private static func changedInputs(
    _ manifest: JSONValue, _ plan: CompilationPlan, _ environment: CompilerEnvironment
  ) throws -> [Diagnostic] {
    let model = try ModelFolder.load(plan.model.source)
    var recorded: [String: String] = [:]
    for input in try manifest["inputs"].array() {
      recorded["\(try input["role"].string()) \(try input["name"].string())"] =
        try input["sha256"].string()
    }
    var problems: [Diagnostic] = []
    for input in plan.inputs(model, shipped: environment.shipped) {
      let known = recorded.removeValue(forKey: "\(input.role.rawValue) \(input.name)")
      let found = try FileDigests.digest(of: input.path).description
      if known == found { continue }
      problems.append(
        Diagnostic(
          "verify.input",
          known == nil
            ? "'\(input.path)' is read now, and was not when the folder was written"
            : "'\(input.path)' has changed since the folder was written",
          hint: "lower the model again"))
    }
    problems += recorded.keys.sorted().map { name in
      Diagnostic(
        "verify.input", "the \(name) was read when the folder was written, and is not now",
        hint: "lower the model again")
    }
    return problems
  }

  /// Lets the library read a few ids.
  ///
  /// - Returns: how many.
  /// - Throws: `Diagnostic` when it fails, or its logits are no numbers.
  private static func run(_ library: CompiledModel) throws -> Int {
    let count = min(8, library.contextLength ?? 8)
    let ids = (0..<count).map { Int32($0 * 31 % library.vocabularySize) }
    var session = try library.makeSession()
    let logits = try session.read(ids)
    guard logits.array(of: Float.self).allSatisfy(\.isFinite) else {
      throw Diagnostic("verify.not-finite", "the library's logits are no numbers")
    }
    return count
  }
}
