import CNovels
import Foundation

/// Why the program gives up.
struct Failure: Error, CustomStringConvertible {
  let description: String
}

/// Complains of a call of the library that failed.
func check(_ status: novels_mamba_status) throws {
  guard status != NOVELS_MAMBA_OK else { return }
  throw Failure(description: String(cString: novels_mamba_status_text(status)))
}

// SwiftPM copies the weights beside the program.
let weights = Bundle.main.bundleURL
  .appending(path: "novels_CNovels.resources/novels-mamba.weights").path
let prompt = CommandLine.arguments.dropFirst().compactMap { Int32($0) }
guard !prompt.isEmpty else { throw Failure(description: "usage: generate TOKEN...") }

let size = novels_mamba_context_bytes(0)
let memory = UnsafeMutableRawPointer.allocate(
  byteCount: size, alignment: Int(NOVELS_MAMBA_ALIGNMENT))
defer { memory.deallocate() }
var model: OpaquePointer?
try check(novels_mamba_create(&model, memory, size, 0, weights))
defer { novels_mamba_destroy(model) }

var logits: UnsafePointer<Float>?
try check(novels_mamba_prefill(model, prompt, prompt.count, &logits))
var text: [String] = []
for _ in 0..<16 {
  let scores = UnsafeBufferPointer(start: logits, count: Int(NOVELS_MAMBA_VOCABULARY))
  guard let best = scores.indices.max(by: { scores[$0] < scores[$1] }) else { break }
  text.append("\(best)")
  try check(novels_mamba_step(model, Int32(best), &logits))
}
print(text.joined(separator: " "))
