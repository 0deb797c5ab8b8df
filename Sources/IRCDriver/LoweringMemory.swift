import Foundation
import IRCCodegen
import IRCFrontend
import IRCGraph
import IRCPassKit
package import IRCPassManager
import IRCPipeline
package import IRCSupport
import IRCTensor
import IRCTokenizer

/// Remembers, in the cache, what each run of `irc lower` read and wrote, so that the next one need not even read the model to find that
/// nothing has changed.
///
/// The output folder holds nothing of it: its bytes do not depend on times.
package struct LoweringMemory: Sendable {
  /// What a user asks for: equal questions about unchanged files have the same answer.
  package struct Question: Sendable {
    /// The model file.
    package var model: String
    /// Arguments of `--set`.
    package var settings: [String]
    /// The output folder, where one is named.
    package var output: String?
    /// Arguments of `--plugin`.
    package var plugins: [String]
    /// What is checked on the way.
    package var functionCheck: FunctionCheckMode

    /// Asks.
    package init(
      model: String, settings: [String], output: String?, plugins: [String],
      functionCheck: FunctionCheckMode
    ) {
      self.model = model
      self.settings = settings
      self.output = output
      self.plugins = plugins
      self.functionCheck = functionCheck
    }
  }

  private let cache: ContentCache
  private let key: ContentKey
  /// Folder with the shipped pipelines; nil when it was not found.
  private let shipped: String?

  /// Nil where nothing is kept.
  ///
  /// - Parameter executable: path of the running program.
  package init?(_ question: Question, executable: String, cache: ContentCache?) {
    guard let cache else { return nil }
    self.cache = cache
    shipped = ShippedFiles.pipelinesDirectory(executable: executable)
    func list(_ texts: [String]) -> String { JSON.array(texts.map(JSON.string)).serialized() }
    key = ContentKey(
      "lowering-record 1",
      [
        // Paths as they were written show up in dependency files.
        "folder": FileManager.default.currentDirectoryPath, "model": question.model,
        "settings": list(question.settings), "output": list(question.output.map { [$0] } ?? []),
        "plugins": list(question.plugins), "check": question.functionCheck.rawValue,
        "shipped": shipped ?? "",
        // They change last digits of what passes compute.
        "processor": HostProcessor.features, "algebra": LinearAlgebraLibrary.description,
      ])
  }

  /// What the last run on this question did, whether or not anything has changed since; nil if it is not known.
  package var lastRun: LoweringRecord? {
    guard let bytes = cache.get(key),
      let json = try? JSONValue(parsing: String(decoding: bytes, as: UTF8.self), path: "cache")
    else { return nil }
    return try? LoweringRecord(json)
  }

  /// The last run, if everything that it read and wrote is as it was; nil if it has to be done again.
  ///
  /// Files are looked at and not read, but for those that were touched.
  package func upToDate() -> LoweringRecord? {
    guard let (record, isRefreshed) = lastRun?.compared(knownTo: cache) else { return nil }
    if isRefreshed { put(record) }
    return record
  }

  /// Remembers a run.
  ///
  /// Nothing is remembered if anything that it read has changed since it began, since nobody knows which content it saw.
  package func keep(
    _ result: Compilation.Result, of compilation: Compilation, since start: StartOfRun
  ) {
    guard let footprint = result.footprint,
      let record = try? record(of: result, footprint, compilation, since: start)
    else { return }
    put(record)
  }

  private func put(_ record: LoweringRecord) {
    // What cannot be remembered is done again.
    cache.keep { try cache.put(Array(record.json.serialized().utf8), for: key) }
  }

  private func record(
    of result: Compilation.Result, _ footprint: LoweringFootprint, _ compilation: Compilation,
    since start: StartOfRun
  ) throws -> LoweringRecord? {
    let source = compilation.model.checkpoint.folder
    let folders = [source] + (shipped.map { [$0, "\($0)/schemes"] } ?? [])
    var inputs = footprint.inputs
    let program = "/proc/self/exe"
    inputs.append((program, try FileDigests.digest(of: program, knownTo: cache)))
    // Of a tokenizer that cannot be read no more is used than that.
    for path in Tokenizer.paths(in: source)
    where FileIdentity(path: path) != nil && !inputs.contains(where: { $0.path == path }) {
      inputs.append((path, try FileDigests.digest(of: path, knownTo: cache)))
    }
    let listings = folders.map(FolderListing.init(of:))
    let states = try inputs.map { try FileState($0.path, $0.digest) }
    guard inputs.allSatisfy({ start.follows(changesOf: $0.path) }),
      folders.allSatisfy(start.follows)
    else { return nil }
    return LoweringRecord(
      output: compilation.plan.model.output, weightBytes: result.emissions.first?.weightBytes,
      inputs: states,
      outputs: try footprint.outputs.map { try FileState($0.path, $0.digest) }, folders: listings,
      passes: result.runs.map { run in
        LoweringRecord.PassRecord(
          instance: run.instance, seconds: run.earlierSeconds ?? run.seconds,
          statistics: run.statisticsJSON, remarks: run.remarksJSON)
      }, notes: result.notes)
  }
}

/// What a run read and wrote, with digests.
struct LoweringFootprint: Sendable {
  var inputs: [(path: String, digest: SHA256.Digest)]
  var outputs: [(path: String, digest: SHA256.Digest)]
}

extension PassRun {
  /// Counters by name, as `--json` has them.
  package var statisticsJSON: JSON { .object(counters.map { ($0.name, .integer($0.value)) }) }

  /// Remarks, as `--json` has them.
  package var remarksJSON: JSON {
    .array(
      remarks.map {
        .object([
          ("kind", .string($0.kind.name)), ("outcome", .string($0.kind.outcome.rawValue)),
          ("location", .string($0.location.text)), ("message", .string($0.message)),
          ("hint", $0.hint.map(JSON.string) ?? .null),
        ])
      })
  }
}
