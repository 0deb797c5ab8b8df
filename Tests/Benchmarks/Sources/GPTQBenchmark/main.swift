import Foundation
import GPTQ
import IRCPassKit
import IRCSupport

/// What GPTQ of one layer costs, in relation to its parts at the speed of BLAS, on one thread.
///
/// Products, second moments and updates are measured on a part of the work, before and after GPTQ itself and at the same sizes,
/// and the faster of the two counts.

Parallel.setThreads(1)
let sizes = CommandLine.arguments.dropFirst().compactMap(Int.init)
let (hidden, feedForward, windows, window) =
  sizes.count == 4 ? (sizes[0], sizes[1], sizes[2], sizes[3]) : (2048, 5632, 32, 512)
let layer = try Layer(hidden: hidden, feedForward: feedForward, windows: windows, window: window)
var parts = Parts(size: max(hidden, feedForward) * max(hidden, feedForward))

let before = parts.measure(layer)
let spec = QuantizationSpec(.integer(bits: 4), .group(128), isSymmetric: false)
let (seconds, rounded) = try layer.round(GPTQ(), spec)
let after = parts.measure(layer)

let names = [
  "forward products", "second moments", "factors", "updates behind blocks",
  "updates inside blocks",
]
print("GPTQ of a layer of \(hidden) and \(feedForward), \(windows) x \(window) tokens, one thread")
for (name, seconds) in zip(names, zip(before, after).map(min)) {
  print(
    "  \(name.padding(toLength: 24, withPad: " ", startingAt: 0))\(String(format: "%8.2f s", seconds))"
  )
}
let sum = zip(before, after).reduce(0) { $0 + min($1.0, $1.1) }
var usage = rusage()
getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
print(String(format: "parts together            %8.2f s", sum))
print(
  String(
    format: "gptq, %d weights           %8.2f s, %.2f times its parts", rounded, seconds,
    seconds / sum))
print(String(format: "peak memory               %8.0f MiB", Double(usage.ru_maxrss) / 1024))
