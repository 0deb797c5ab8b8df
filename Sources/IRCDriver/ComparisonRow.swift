package import IRCSupport

/// One line of a comparison: the float model, or a pipeline on it.
package struct ComparisonRow: Sendable {
  /// What was measured.
  package struct Figures: Hashable, Sendable {
    /// Perplexity of the float model or of the pipeline's simulation.
    package var perplexity: Double
    /// Mean Kullback–Leibler divergence of what the simulation predicts from what the float model does, in nats for each token; nil
    /// for the float model and where that was not asked for.
    package var divergence: Double?
    /// Windows or documents that it was measured on.
    package var windows: Int
    /// Bits of everything that is stored, for each weight of the checkpoint; nil where no exporter tells it.
    package var bitsPerWeight: Double?
    /// Size of the weights file; of the checkpoint's tensors for the float model; nil where no exporter tells it.
    package var bytes: Int?
    /// Wall time of lowering; nil for the float model.
    package var seconds: Double?
    /// How far logits are apart; nil for the float model and where that was not asked for.
    package var logits: LogitDifferences?
  }

  /// Largest differences over all tokens, each in relation to the largest logit of the token; see `Agreement`.
  package struct LogitDifferences: Hashable, Sendable {
    /// Of the simulation to the float model.
    package var simulation: Double
    /// Of the compiled library to the simulation.
    package var compiled: Double
  }

  /// `float`, or the pipeline as it was named.
  package let pipeline: String
  /// The figures, or why there are none.
  package let outcome: Result<Figures, DiagnosticList>
  /// Perplexity in relation to the float model's, minus 1.
  package let change: Double?
  /// True if an earlier run had computed it.
  package let isCached: Bool

  /// True if there are no figures.
  package var isFailed: Bool { if case .failure = outcome { true } else { false } }

  /// Keys are documented in `docs/commands.md`.
  package var json: JSON {
    let figures = try? outcome.get()
    var members: [(key: String, value: JSON)] = [
      ("pipeline", .string(pipeline)),
      ("perplexity", figures.map { .real($0.perplexity) } ?? .null),
      ("change", change.map(JSON.real) ?? .null),
      ("bits_per_weight", figures?.bitsPerWeight.map(JSON.real) ?? .null),
      ("bytes", figures?.bytes.map(JSON.integer) ?? .null),
      ("seconds", figures?.seconds.map(JSON.real) ?? .null),
      ("cached", .bool(isCached)),
    ]
    if let divergence = figures?.divergence { members.append(("kl", .real(divergence))) }
    if let logits = figures?.logits {
      members.append(("logit_difference", .real(logits.simulation)))
      members.append(("logit_difference_compiled", .real(logits.compiled)))
    }
    if case .failure(let problems) = outcome {
      members.append(("error", .string(problems.diagnostics.first?.message ?? "")))
    }
    return .object(members)
  }
}

extension ComparisonRow.Figures {
  /// The figures as a cache keeps them.
  var entry: [UInt8] {
    let json = JSON.object([
      ("perplexity", .real(perplexity)), ("windows", .integer(windows)),
      ("kl", divergence.map(JSON.real) ?? .null),
      ("bits_per_weight", bitsPerWeight.map(JSON.real) ?? .null),
      ("bytes", bytes.map(JSON.integer) ?? .null), ("seconds", seconds.map(JSON.real) ?? .null),
      ("logits_simulation", logits.map { .real($0.simulation) } ?? .null),
      ("logits_compiled", logits.map { .real($0.compiled) } ?? .null),
    ])
    return Array(json.serialized().utf8)
  }

  /// Reads what `entry` wrote.
  ///
  /// - Throws: `Diagnostic` when it is something else.
  init(entry: [UInt8]) throws {
    let json = try JSONValue(parsing: String(decoding: entry, as: UTF8.self), path: "cache")
    perplexity = try json["perplexity"].double()
    windows = try json["windows"].int()
    divergence = try json.optional("kl")?.double()
    bitsPerWeight = try json.optional("bits_per_weight")?.double()
    bytes = try json.optional("bytes")?.int()
    seconds = try json.optional("seconds")?.double()
    logits = try json.optional("logits_simulation").map { simulation in
      ComparisonRow.LogitDifferences(
        simulation: try simulation.double(), compiled: try json["logits_compiled"].double())
    }
  }
}
