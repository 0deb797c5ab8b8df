import IRCSupport

/// A manifest as tables: what `irc inspect` shows of an output folder.
struct ManifestReport {
  /// Lines for people.
  let text: String

  /// Reads what `Manifest` wrote.
  ///
  /// - Throws: `Diagnostic` when it is something else.
  init(_ manifest: JSONValue) throws {
    var lines = [
      "\(try manifest["name"].string()): \(try manifest["architecture"].string()), "
        + "pipeline \(try Self.shown(manifest["pipeline"].string())), "
        + "target \(try manifest["target"].string()), irc \(try manifest["irc"].string())"
    ]
    if let calibration = try manifest.optional("calibration") {
      lines.append(
        "calibrated on \(try calibration["file"].string()): \(try calibration["tokens"].int()) tokens in "
          + "windows of \(try calibration["window"].int()), after the first \(try calibration["skip"].int()), "
          + "seed \(try calibration["seed"].int())")
    }
    lines += ["", "passes"] + alignedRows(try manifest["passes"].array().map(Self.pass), [])
    for emission in try manifest["emitted"].array() {
      let rows = try emission["tensors"].array().map(Self.tensor)
      lines += ["", "tensors"] + alignedRows(rows, [1, 3, 4])
      lines += [""]
      var sizes = [
        ("checkpoint", try manifest["source_bytes"].int()),
        ("weights file", try emission["weight_bytes"].int()),
        ("memory of a context", try emission["context_bytes"].int()),
        ("of it between operators", try emission["arena_bytes"].int()),
      ]
      // Earlier versions did not write it, and models without caches have none.
      if let bytes = try emission.optional("token_bytes")?.int(), bytes > 0 {
        sizes.insert(("of it in caches for each token", bytes), at: 3)
      }
      lines += alignedRows(sizes.map { [$0.0, "\($0.1) bytes"] }, [1])
    }
    let ignored = try manifest["checkpoint"].array().filter {
      try $0["role"].string() == "ignored"
    }
    if !ignored.isEmpty {
      lines += ["", "ignored tensors of the checkpoint"]
      lines += alignedRows(
        try ignored.map { [try $0["name"].string(), try $0.optional("detail")?.string() ?? ""] },
        [])
    }
    text = lines.joined(separator: "\n") + "\n"
  }

  private static func shown(_ pipeline: String) -> String {
    pipeline.isEmpty ? "written out" : pipeline
  }

  private static func pass(_ pass: JSONValue) throws -> [String] {
    let options = try pass["options"].object().map { "\($0.key): \(try $0.value.string())" }
    let statistics = try pass["statistics"].object().map { "\($0.key) \(try $0.value.int())" }
    return [
      try pass["instance"].string(), statistics.joined(separator: ", "),
      "{\(options.joined(separator: ", "))}",
    ]
  }

  private static func tensor(_ tensor: JSONValue) throws -> [String] {
    let shape = try tensor["shape"].array().map { "\(try $0.int())" }.joined(separator: "x")
    return [
      try tensor["name"].string(), shape, try tensor["format"].string(),
      "\(try tensor["bytes"].int()) bytes",
      "\(fixed(try tensor["bits_per_weight"].double(), 2)) bits",
      try tensor.optional("constant").map { "as '\(try $0.string())'" } ?? "",
    ]
  }
}
