import Foundation
import IRCDriver
import IRCQuant
import IRCTensor

/// What a branch of low rank costs a linear layer of a compiled library: as operators of their own, and joined to the kernels.
///
/// The library is emitted, compiled for this processor and run on one thread, the three layers in turn in each round. Times are
/// those of the processor and not of the clock; shares and ratios are medians of those of single rounds, so that a busy machine
/// disturbs both sides alike. Both ways give the same bits, which is checked.

let arguments = CommandLine.arguments.dropFirst().compactMap(Int.init)
let (size, rank, runs) =
  arguments.count == 3 ? (arguments[0], arguments[1], arguments[2]) : (4096, 32, 100)

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
    var rounds: [[Double]] = []
    var results = [Tensor?](repeating: nil, count: models.count)
    for round in 0...runs {
      var times = [Double](repeating: 0, count: models.count)
      // Each of them is first in turn, so that what one leaves in the caches helps no one more than others.
      for index in models.indices.map({ ($0 + round) % models.count }) {
        let start = milliseconds()
        results[index] = try sessions[index].read(ids)
        times[index] = milliseconds() - start
      }
      if round > 0 { rounds.append(times) }
    }
    precondition(
      results[1]?.array(of: Float.self) == results[2]?.array(of: Float.self),
      "a joined branch gives other numbers")
    func median(_ value: ([Double]) -> Double) -> Double {
      rounds.map(value).sorted()[rounds.count / 2]
    }
    func share(_ index: Int) -> String {
      String(format: "%.1f %%", 100 * (median { $0[index] / $0[0] } - 1))
    }
    print(
      formats.name + column("\(tokens)", 15 - formats.name.count)
        + models.indices.map { index in
          column(String(format: "%.3f", rounds.map { $0[index] }.min() ?? 0), 11)
        }.joined()
        + column(share(1), 15) + column(share(2), 15)
        + column(String(format: "%.3f", median { $0[1] / $0[2] }), 14))
  }
}
