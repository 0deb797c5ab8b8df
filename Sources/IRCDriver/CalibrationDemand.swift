import Foundation
import IRCGraph
import IRCOps
import IRCPassKit
import IRCPassManager
import IRCPipeline
import IRCSupport
import IRCTensor

/// How much memory and time a plan asks for, from the sizes of the network and what this machine multiplies in a moment.
struct CalibrationDemand {
  /// Passes that run the network over the calibration text.
  private let runs: Int
  private let tokens: Int
  /// Elements of all weights of linear layers.
  private let weights: Int
  /// Columns of the widest input of a linear layer.
  private let width: Int

  init(_ graph: Graph, _ plan: CompilationPlan) {
    runs = plan.passes.count { $0.pass.needsCalibration && $0.pass.isCostly }
    tokens = plan.model.calibration?.tokens ?? 0
    let shapes = graph.operations(of: Linear.self).compactMap {
      graph.type(of: $0.operation.operands[1]).fixedShape
    }
    weights = shapes.reduce(0) { $0 + $1.reduce(1, *) }
    width = shapes.map { $0.last ?? 0 }.max() ?? 0
  }

  /// What this process holds by now, blocks of rows on their way into the weights file, and what calibrating keeps at once.
  var memory: (bytes: Int, from: String) {
    // A block is a megabyte of floats, with its codes and a copy in double precision at worst.
    let blocks = Parallel.threads * 4 << 20
    let own = Self.ownBytes
    guard runs > 0 else {
      return (own + blocks, "what planning took and a few blocks of rows for each thread")
    }
    // The values at one point of the network, before and after it, and a second moment with its factor in double precision.
    let measured = 2 * tokens * width * 4 + 2 * width * width * 8
    return (
      own + blocks + measured,
      "what planning took, blocks of rows, and \(tokens) tokens and one second moment of \(width) channels"
    )
  }

  /// - Parameter bytes: size of the checkpoint.
  func time(writing bytes: Int) throws -> (seconds: Double, from: String) {
    let writing = Double(bytes) / Self.writingRate
    guard runs > 0 else {
      return (
        writing, "a checkpoint of \(ByteSize.text(bytes)) at the 1 GB/s that 'make bench' asks for"
      )
    }
    let rate = try Self.multiplicationRate()
    let walks = 2 * Double(weights) * Double(tokens) * Double(runs) / rate
    return (
      writing + walks,
      "\(runs) × \(tokens) tokens of calibration at \(fixed(rate / 1e9, 0)) GFLOP/s, just measured; searches and solving come on top"
    )
  }

  private static let writingRate = 1e9

  /// Floating point operations in a second, from one product that takes milliseconds.
  private static func multiplicationRate() throws -> Double {
    let size = 512
    let matrix = Tensor([size, size], [Float](repeating: 0.5, count: size * size))
    // The first product wakes the library's threads.
    _ = try matrix.product(matrix)
    let elapsed = try ContinuousClock().measure { _ = try matrix.product(matrix) } / .seconds(1)
    return 2 * pow(Double(size), 3) / max(elapsed, 1e-6)
  }

  /// Bytes of memory of this process's own; 0 where the system does not tell.
  private static var ownBytes: Int {
    let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
    let line = status.split(separator: "\n").first { $0.hasPrefix("RssAnon:") }
    let number = line?.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) }
    return (number ?? 0) << 10
  }
}
