import Foundation

/// Lowers the synthetic model with one pipeline and writes all of its output anew: files that did not change would be left alone.
///
/// - Throws: `BenchmarkError` when it fails.
func lower(with pipeline: String, _ arguments: Arguments) throws -> RunCost {
  let description = """
    irc: 1
    name: synthetic
    source: synthetic-llama
    pipeline: \(pipeline)
    target: portable
    output: output

    """
  let file = arguments.folder + "/model.yaml"
  try Data(description.utf8).write(to: URL(fileURLWithPath: file))
  let output = arguments.folder + "/output"
  if FileManager.default.fileExists(atPath: output) {
    try FileManager.default.removeItem(atPath: output)
  }
  return try measure(arguments.irc, ["lower", file, "--quiet"])
}
