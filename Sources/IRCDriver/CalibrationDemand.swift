import Foundation
import IRCFrontend
import IRCGraph
import IRCOps
import IRCPassKit
import IRCPassManager
import IRCPipeline
import IRCSupport
import IRCTensor

/// How much memory and time a plan asks for, from the sizes of the network, what its passes say of their work, and what this machine
/// multiplies in a moment.
struct CalibrationDemand {
  /// A figure, and where it comes from.
  struct Memory {
    var bytes: Int
    var from: String
  }

  /// Seconds, and where they come from.
  struct Time {
    var seconds: Double
    /// True if it takes longer, nobody knows how long.
    var isLeast: Bool
    var from: String
  }

  private let network: Network
  private let works: [PassWork]
  /// Tokens of the calibration text, and of the longest window that runs at once.
  private let tokens: Int
  private let window: Int
  /// Bytes that this process held before anything was forecast.
  private let ownBytes: Int

  /// - Parameters:
  ///   - graph: the network as it was loaded.
  ///   - works: what each pass takes.
  init(_ graph: Graph, _ works: [PassWork], tokens: Int, window: Int, ownBytes: Int) {
    network = Network(graph)
    self.works = works
    self.tokens = tokens
    self.window = min(window, tokens)
    self.ownBytes = ownBytes
  }

  /// What this process holds by now, blocks of rows on their way into the weights file, and what calibrating holds at once.
  var memory: Memory {
    // A block is a megabyte of floats, with its codes and a copy in double precision at worst.
    let blocks = Parallel.threads * 4 << 20
    let own = ownBytes + blocks
    guard works.contains(where: { $0.networkTokens > 0 || $0.bytes > 0 }) else {
      return Memory(
        bytes: own, from: "what planning took and a few blocks of rows for each thread")
    }
    let running = Parallel.threads * window * network.liveElements * 4 + network.weights * 4
    let held = works.map(\.bytes).max() ?? 0
    return Memory(
      bytes: own + running + held,
      from:
        "what planning took, blocks of rows, \(window) tokens in the network for each thread, and \(ByteSize.text(held)) that the largest pass holds of \(tokens) tokens"
    )
  }

  /// - Parameter bytes: size of the checkpoint.
  func time(writing bytes: Int) throws -> Time {
    let writing = Double(bytes) / Self.writingRate
    let runs = works.reduce(0) { $0 + $1.networkTokens }
    let products = works.reduce(0) { $0 + $1.multiplyAdds }
    let roundings = works.reduce(0) { $0 + $1.roundings }
    let isLeast = works.contains(where: \.isLeast)
    guard runs > 0 || products > 0 || roundings > 0 || isLeast else {
      return Time(
        seconds: writing, isLeast: false,
        from: "a checkpoint of \(ByteSize.text(bytes)) at the 1 GB/s that 'make bench' asks for")
    }
    let rate = try Self.multiplicationRate()
    let threads = Double(Parallel.threads)
    let token = 2 * network.products / rate + network.others / (Self.elementRate * threads)
    let solving = 2 * products / rate + roundings / (Self.roundingRate * threads)
    return Time(
      seconds: writing + Double(runs) * token + solving, isLeast: isLeast,
      from:
        "\(runs) tokens through the network, and \(fixed(solving, 1)) s of searching and solving, at \(fixed(rate / 1e9, 0)) GFLOP/s, just measured"
        + (isLeast ? "; what depends on data comes on top" : "")
    )
  }

  private static let writingRate = 1e9
  /// Multiply-adds of operators that are no products of matrices, in a second of a thread.
  private static let elementRate = 5e8
  /// Weights that a thread rounds in a second.
  private static let roundingRate = 3e8

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
  static var processBytes: Int {
    let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
    let line = status.split(separator: "\n").first { $0.hasPrefix("RssAnon:") }
    let number = line?.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) }
    return (number ?? 0) << 10
  }
}

/// What one token costs as it goes through a network.
private struct Network {
  /// Multiply-adds of linear layers.
  private(set) var products = 0.0
  /// Those of other operators.
  private(set) var others = 0.0
  /// Elements of all weights of linear layers.
  private(set) var weights = 0
  /// Elements that are held at a time, about.
  private(set) var liveElements = 0

  init(_ graph: Graph) {
    let constants = graph.constants()
    for operation in graph.operations
    where !operation.results.isEmpty && !constants.contains(operation.result) {
      let operands = operation.operands.map { graph.type(of: $0) }
      let results = operation.results.map { graph.type(of: $0) }
      let macs = Double(operation.op.cost(operands, results).macs)
      if operation.op is Linear {
        products += macs
        weights += operands[1].elementCount
      } else {
        others += macs
      }
      // Constants and recurrent states are there once and not for each token.
      let elements = (operation.operands + operation.results).map { graph.type(of: $0) }
        .filter { $0.fixedShape == nil }.reduce(0) { $0 + $1.elementCount }
      // What goes in and comes out, what waits for a later operator, and scratch.
      liveElements = max(liveElements, 4 * elements)
    }
  }
}

extension Compilation {
  /// Tokens of the calibration text that would be read, and of a window; a text that is surely long enough is not read, and of one that
  /// cannot be read as many are reckoned with as are asked for.
  var calibrationSize: (tokens: Int, window: Int) {
    guard let calibration = plan.model.calibration else { return (0, 0) }
    let window = min(calibration.window, model.facts.contextLength ?? .max)
    // No tokenizer makes tokens of 16 bytes on average.
    let size = FileIdentity(path: calibration.source.path)?.size ?? 0
    if size / 16 < calibration.skip + calibration.tokens,
      let windows = try? calibration.windows({ try model.tokenizer.get() }, start: model.startID)
    {
      return (windows.reduce(0) { $0 + $1.count }, window)
    }
    return (calibration.tokens, window)
  }
}
