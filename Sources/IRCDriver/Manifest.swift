import Foundation
import IRCCodegen
import IRCFrontend
import IRCPassKit
import IRCPassManager
import IRCPipeline
import IRCSupport

/// What was done, as `manifest.json` beside the output: the same bytes for the same inputs, options and version.
struct Manifest {
  let plan: CompilationPlan
  let model: LoadedModel
  let result: Compilation.Result
  /// What was read, with digests.
  let inputs: [(file: InputFile, digest: SHA256.Digest)]
  /// What was written.
  let outputs: [OutputFiles.Summary]

  /// The manifest; keys are documented in `docs/manifest.md`.
  func json() -> JSON {
    .object([
      ("irc", .string(CompilerEnvironment.version)),
      ("name", .string(plan.model.name)),
      ("architecture", .string(model.architecture)),
      ("pipeline", .string(plan.model.pipeline)),
      ("target", .string(plan.model.target.rawValue)),
      ("calibration", result.calibration.map(calibration) ?? .null),
      ("inputs", .array(inputs.map(input))),
      ("passes", .array(zip(plan.passes, result.runs).map(pass))),
      ("source_bytes", .integer(model.checkpoint.byteCount)),
      ("checkpoint", .array(model.accounting.accounts.map(account))),
      ("emitted", .array(result.emissions.map(emission))),
      ("outputs", .array(outputs.map(output))),
    ])
  }

  /// The files that the manifest in a folder lists; none if there is no manifest of ours.
  static func files(in folder: String) -> [String] {
    guard let value = try? JSONValue(reading: "\(folder)/manifest.json"),
      (try? value["irc"].string()) != nil, let emitted = try? value["emitted"].array()
    else { return [] }
    let files = emitted.flatMap { emission in
      ((try? emission["files"].array()).map(Array.init) ?? []).compactMap { try? $0.string() }
    }
    let name = (try? value["name"].string()).map { ArtifactNames(model: $0).dependencies }
    return files + (name.map { [$0] } ?? [])
  }

  private func input(_ file: InputFile, _ digest: SHA256.Digest) -> JSON {
    .object([
      ("role", .string(file.role.rawValue)), ("name", .string(file.name)),
      ("sha256", .string(digest.description)),
    ])
  }

  private func output(_ file: OutputFiles.Summary) -> JSON {
    .object([
      ("name", .string(file.name)), ("bytes", .integer(file.byteCount)),
      ("sha256", .string(file.digest.description)),
    ])
  }

  private func calibration(_ use: CalibrationUse) -> JSON {
    .object([
      ("file", .string(use.calibration.written)),
      ("skip", .integer(use.calibration.skip)),
      ("tokens", .integer(use.tokens)),
      ("window", .integer(use.calibration.window)),
      ("seed", .integer(use.calibration.seed)),
    ])
  }

  private func pass(_ instance: PassInstance, _ run: PassRun) -> JSON {
    .object([
      ("instance", .string(instance.id)),
      ("name", .string(instance.info.name)),
      ("options", .object(instance.pass.options.map { ($0.key, .string($0.text)) })),
      ("statistics", .object(run.counters.map { ($0.name, .integer($0.value)) })),
    ])
  }

  private func account(_ account: TensorAccount) -> JSON {
    let role: (String, String?) =
      switch account.role {
      case .used: ("used", nil)
      case .tied(let other): ("tied", other)
      case .ignored(let reason): ("ignored", reason)
      }
    return .object([
      ("name", .string(account.tensor.name)), ("role", .string(role.0)),
      ("detail", role.1.map(JSON.string) ?? .null),
    ])
  }

  private func emission(_ report: EmissionReport) -> JSON {
    .object([
      ("files", .array(report.files.map { .string($0) })),
      ("weight_bytes", .integer(report.weightBytes)),
      ("arena_bytes", .integer(report.arenaBytes)),
      ("context_bytes", .integer(report.contextBytes)),
      ("token_bytes", .integer(report.tokenBytes)),
      ("tensors", .array(report.tensors.map(\.json))),
      ("arena", report.kernels.arena.json),
      ("kernels", .array(report.kernels.steps.map(\.json))),
    ])
  }
}
