import Foundation

/// Lowers the synthetic model with one pipeline and writes all of its output anew: files that did not change would be left alone.
///
/// - Throws: `BenchmarkError` when it fails.
func lower(with pipeline: String, _ arguments: Arguments) throws -> RunCost {
  let calibration = try calibration(arguments)
  let description = """
    irc: 1
    name: synthetic
    source: synthetic-llama
    pipeline: \(pipeline)
    target: portable
    output: output
    \(calibration)

    """
  let file = arguments.folder + "/model.yaml"
  try Data(description.utf8).write(to: URL(fileURLWithPath: file))
  let output = arguments.folder + "/output"
  if FileManager.default.fileExists(atPath: output) {
    try FileManager.default.removeItem(atPath: output)
  }
  // What an earlier run found out must not help.
  let cache = arguments.folder + "/cache"
  if FileManager.default.fileExists(atPath: cache) {
    try FileManager.default.removeItem(atPath: cache)
  }
  setenv("IRC_CACHE_DIR", cache, 1)
  return try measure(arguments.irc, ["lower", file, "--quiet"])
}

/// The model file's line for random token ids to calibrate on, in windows of 512; empty if none were asked for.
private func calibration(_ arguments: Arguments) throws -> String {
  guard arguments.tokens > 0 else { return "" }
  let vocabulary = SyntheticLlama(layers: 1).vocabulary
  var state: UInt64 = 1
  var lines: [String] = []
  for start in stride(from: 0, to: arguments.tokens, by: 512) {
    let ids = (start..<min(start + 512, arguments.tokens)).map { _ in
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return String(Int(state >> 33) % vocabulary)
    }
    lines.append(ids.joined(separator: " "))
  }
  try Data(lines.joined(separator: "\n").utf8).write(
    to: URL(fileURLWithPath: arguments.folder + "/ids.txt"))
  return "calibration: {ids: ids.txt, window: 512, tokens: \(arguments.tokens)}"
}
