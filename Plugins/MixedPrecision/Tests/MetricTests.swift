import Foundation
import IRCPassKit
import IRCTestSupport
import MixedPrecision
import Testing

/// Each metric against sums written out in double precision, on a network small enough for that: logits = E[ids]·Wᵀ.
@Suite("Sensitivity metrics")
struct MetricTests {
  private static let windows: [[Int32]] = (0..<3).map { window in
    let random = RandomNumbers(seed: UInt64(window))
    return (0..<20).map { Int32(random.integer($0, below: 16)) }
  }

  private let network: MeasuredNetwork
  private let layer: RoundedLinear
  /// Rows of E for every token of the windows.
  private let inputs: [[Double]]
  /// W, [12][8].
  private let weights: [[Double]]
  private let specs = [2, 3, 8].map { QuantizationSpec(.integer(bits: $0), .row) }

  init() throws {
    var graph = Graph(name: "pair")
    let ids = try graph.add(Input(name: "ids", type: TensorType(.i32, [.named("tokens")])))[0]
    let table = try graph.add(Generated(shape: [16, 8], values: .random(seed: 1, scale: 0.7)))[0]
    let weight = try graph.add(Generated(shape: [12, 8], values: .random(seed: 2, scale: 0.5)))[0]
    let x = try graph.add(Embedding(), [ids, table])[0]
    let logits = try graph.add(Linear(), [x, weight])[0]
    graph.addOutput("logits", logits)
    graph.stage = .quantized
    let linear = try #require(graph.operations(of: Linear.self).first?.operation)
    let rounded = try graph.round(
      weight, to: QuantizationSpec(.integer(bits: 4), .row), before: linear.id, at: .unknown)
    graph.setOperand(1, of: linear.id, to: rounded)
    layer = try #require(
      RoundedLinear(graph[linear.id], in: graph, constants: graph.constants()))
    graph.setOperand(1, of: linear.id, to: weight)
    let context = PassContext(
      instance: "mixed-precision",
      model: ModelDescription(name: "pair", vocabularySize: 12, contextLength: nil),
      target: .portable,
      services: PassServices(
        statistics: { _, _ in throw PassError("not asked for") },
        channelStatistics: {
          try Calibration.collectChannels($1, groups: $0, windows: Self.windows)
        },
        logitProbe: { try LogitProbe($0, windows: Self.windows, tokens: $1) },
        output: { throw PassError("not asked for") }))
    network = try MeasuredNetwork(graph, tokens: 1000, context)
    let rows = Self.rows(try ConstantFolder(graph).fold(table))
    inputs = Self.windows.joined().map { rows[Int($0)] }
    weights = Self.rows(try ConstantFolder(graph).fold(weight))
  }

  private static func rows(_ matrix: Tensor) -> [[Double]] {
    let elements = matrix.array(of: Float.self).map(Double.init)
    return (0..<matrix.rows).map {
      Array(elements[$0 * matrix.columns..<($0 + 1) * matrix.columns])
    }
  }

  private func outputs(_ weights: [[Double]]) -> [[Double]] {
    inputs.map { x in weights.map { zip(x, $0).reduce(0) { $0 + $1.0 * $1.1 } } }
  }

  private func rounded(_ spec: QuantizationSpec) throws -> [[Double]] {
    try Self.rows(spec.nearestValues(of: network.weight(of: layer)))
  }

  private func difference(_ a: [[Double]], _ b: [[Double]]) -> [[Double]] {
    zip(a, b).map { zip($0, $1).map { $0 - $1 } }
  }

  private func power(_ rows: [[Double]]) -> Double {
    rows.joined().reduce(0) { $0 + $1 * $1 }
  }

  private func expect(
    _ metric: any SensitivityMetric, _ expected: (_ rounded: [[Double]]) -> Double
  ) throws {
    let losses = try metric.losses(of: [layer], as: specs, in: network)
    try #require(losses.count == 1 && losses[0].count == specs.count)
    for (loss, spec) in zip(losses[0], specs) {
      let value = try expected(rounded(spec))
      // Logits in single precision tell a divergence of 1e-5 to 1e-9, which depends on the order of BLAS's sums.
      #expect(abs(loss - value) < 1e-4 * value + 1e-9, "\(spec): \(loss), expected \(value)")
    }
    #expect(losses[0][0] > losses[0][1] && losses[0][1] > losses[0][2] && losses[0][2] > 0)
  }

  @Test("output-mse is the power of the output's change over that of the output")
  func outputError() throws {
    let real = outputs(weights)
    try expect(OutputErrorMetric()) { power(difference(outputs($0), real)) / power(real) }
  }

  @Test("weighted-mse is the power of the weights' change times the inputs' mean square")
  func weightError() throws {
    let meanSquare = power(inputs) / Double(inputs.count * 8)
    try expect(WeightErrorMetric()) { power(difference($0, weights)) * meanSquare }
  }

  @Test("sqnr is the power of the logits' change over that of the logits")
  func noise() throws {
    let real = outputs(weights)
    try expect(LogitNoiseMetric()) { power(difference(outputs($0), real)) / power(real) }
  }

  @Test("kl is the mean divergence of what is predicted")
  func divergence() throws {
    let real = outputs(weights)
    try expect(LogitDivergenceMetric()) { rounded in
      let sums = zip(real, outputs(rounded)).map { p, q in
        let (a, b) = (p.reduce(0) { $0 + exp($1) }, q.reduce(0) { $0 + exp($1) })
        return zip(p, q).reduce(0) { sum, pair in
          sum + exp(pair.0) / a * ((pair.0 - log(a)) - (pair.1 - log(b)))
        }
      }
      return sums.reduce(0, +) / Double(sums.count)
    }
  }
}
