import Foundation
import IRCOps
import IRCSupport
import IRCTensor

/// What transforms cost, in relation to what the machine does at best: copying the same bytes, and a plain matrix product.
///
/// Everything runs on one thread and is measured in turn in the same run, so that a busy machine disturbs both sides alike; the
/// fastest of several runs counts.

let runs = CommandLine.arguments.dropFirst().first.flatMap(Int.init) ?? 7
Parallel.setThreads(1)

func report(_ columns: [String]) {
  let widths = [34, 14, 14, 10]
  let cells = zip(columns, widths).map { text, width in
    String(repeating: " ", count: max(0, width - text.count)) + text
  }
  print(cells.joined())
}

func number(_ value: Double) -> String { String(format: "%.2f", value) }

report(["fast Hadamard transform, f32", "copy, GB/s", "itself, GB/s", "ratio"])
for width in [768, 1024, 4096, 11008] {
  let rows = (64 << 20) / 4 / width
  let transform = try RowTransform(rows: rows, width: width)
  let best = fastest(of: runs, [transform.copy, transform.run])
  let bytes = Double(transform.bytes) / 1e9
  report([
    "rows of \(width)", number(bytes / best[0]), number(bytes / best[1]),
    number(best[1] / best[0]),
  ])
}

print("")
report(["folding channel_matmul, f32", "sgemm, GFLOP/s", "itself", "of sgemm"])
for (rows, width, axis) in [(2048, 2048, 1), (2048, 2048, 0), (4096, 1024, 1)] {
  let folding = Folding(rows: rows, width: width, axis: axis)
  let best = fastest(of: runs, [folding.plainProduct, folding.run])
  let work = 2e-9 * Double(rows * width * width)
  report([
    "[\(folding.shape.map(String.init).joined(separator: ", "))] along axis \(axis)",
    number(work / best[0]), number(work / best[1]),
    String(format: "%.0f %%", 100 * best[0] / best[1]),
  ])
}
