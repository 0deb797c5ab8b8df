import Foundation
import IRCDriver
import IRCQuant
import IRCTensor

/// What a branch of low rank costs a linear layer of a compiled library: as operators of their own, and joined to the kernels.
///
/// The library is emitted, compiled for this processor and run on one thread, the three layers in turn in the same run; the
/// fastest of many counts, in time of the processor and not of the clock, so that a busy machine disturbs less. Both ways
/// give the same bits, which is checked.

let arguments = CommandLine.arguments.dropFirst().compactMap(Int.init)
let (size, rank, runs) =
  arguments.count == 3 ? (arguments[0], arguments[1], arguments[2]) : (4096, 32, 60)

func spec(_ bits: Int, _ granularity: Granularity, _ scales: ScaleFormat = .f32) -> QuantizationSpec
{
  QuantizationSpec(.integer(bits: bits), granularity, scaleFormat: scales)
}

let formats = [
  Layer.Formats(
    name: "w4a4", weights: spec(4, .group(64), .f16), activations: spec(4, .row)),
  Layer.Formats(
    name: "w4a8", weights: spec(4, .group(64), .f16), activations: spec(8, .row)),
  Layer.Formats(name: "w8a8", weights: spec(8, .row), activations: spec(8, .row)),
  Layer.Formats(name: "w4a16", weights: spec(4, .group(64), .f16), activations: nil),
]

/// Milliseconds of this thread so far.
func milliseconds() -> Double {
  var time = timespec()
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
  return Double(time.tv_sec) * 1e3 + Double(time.tv_nsec) / 1e6
}

func column(_ text: String, _ width: Int) -> String {
  String(repeating: " ", count: max(0, width - text.count)) + text
}

print("a layer of \(size) x \(size) with a branch of rank \(rank), one thread, milliseconds")
print(
  "formats   tokens    without      apart     joined   branch apart  branch joined  apart/joined")
for formats in formats {
  let layer = Layer(size: size, rank: rank, formats: formats)
  let models = try Layer.Branch.allCases.map { try layer.compiled($0) }
  for tokens in [1, 16] {
    let ids = (0..<tokens).map { Int32($0 * 5 % Layer.vocabulary) }
    var sessions = try models.map { try $0.makeSession() }
    var best = [Double](repeating: .infinity, count: models.count)
    var results: [Tensor] = []
    for run in 0...runs {
      results = []
      for index in models.indices {
        let start = milliseconds()
        results.append(try sessions[index].read(ids))
        if run > 0 { best[index] = min(best[index], milliseconds() - start) }
      }
    }
    precondition(
      results[1].array(of: Float.self) == results[2].array(of: Float.self),
      "a joined branch gives other numbers")
    func share(_ time: Double) -> String { String(format: "%.1f %%", 100 * (time / best[0] - 1)) }
    print(
      formats.name + column("\(tokens)", 15 - formats.name.count)
        + best.map { column(String(format: "%.3f", $0), 11) }.joined()
        + column(share(best[1]), 15) + column(share(best[2]), 15)
        + column(String(format: "%.3f", best[1] / best[2]), 14))
  }
}
