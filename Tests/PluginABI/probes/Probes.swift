public import IRCPassKit

/// What this plugin adds to the compiler.
let plugins: [any Plugin.Type] = [
  Probe.self, Fail.self, CheapestSolver.self, Scaled.self,
]

/// Uses as much of the kit as fits: options of every kind, generics, casts, sites, statistics, and an operator of its own.
public struct Probe: Pass {
  public enum Mode: String, PassOptionChoice {
    case gentle, thorough
  }

  public static let info = PassInfo(
    name: "probe", summary: "Try the kit from outside.", preservesFunction: true,
    usesCalibration: true, statistics: [scaled, sites, rows], remarks: [seen])

  static let scaled = Statistic("scaled", "Weights doubled and halved.")
  static let sites = Statistic("sites", "Sites of rotations.")
  static let rows = Statistic("rows", "Rows measured.")
  static let seen = RemarkKind("seen", .analysis, "What an option says.")

  @PassOption("Weights to take.")
  public var include = [NamePattern("*")]
  @PassOption("How hard to try.")
  public var mode = Mode.gentle
  @PassOption("A share.", in: 0...1.0)
  public var share = 0.5
  @PassOption("A number, or none.", in: 1...8)
  public var number: Int? = nil
  @PassOption("A switch.")
  public var measure = true
  @PassOption("A text.")
  public var label = "none"
  @PassOption("A scheme.")
  public var scheme = QuantizationScheme(weights: QuantizationSpec(.integer(bits: 8), .row))

  public init() {}

  public func check() -> [String] {
    mode == .thorough && number == nil ? ["'mode: thorough' needs 'number'"] : []
  }

  public func run(on graph: inout Graph, in context: PassContext) throws {
    context.count(Self.sites, by: InvarianceAnalysis(graph).sites(.mixing).count)
    context.remark(
      Self.seen, at: .unknown,
      "\(mode.rawValue) \(share) \(number ?? 0) \(measure) \(label) \(options.count) on \(context.model.name)"
    )
    let constants = graph.constants()
    var first: ValueID?
    for (linear, _) in graph.operations(of: Linear.self) {
      let weight = linear.operands[1]
      guard constants.contains(weight), let name = graph.parameterName(of: weight),
        include.contains(where: { $0.matches(name) })
      else { continue }
      first = first ?? linear.operands[0]
      let place = context.derived(from: graph.producer(of: weight).location)
      let doubled = try graph.add(Scaled(factor: 2), [weight], before: linear.id, at: place)
      let same = try graph.add(Scaled(factor: 0.5), doubled, before: linear.id, at: place)
      graph.setOperand(1, of: linear.id, to: same[0])
      context.count(Self.scaled)
    }
    guard measure, let first else { return }
    let statistics = try context.channelStatistics(of: [first: .quantiles], in: graph)
    context.count(Self.rows, by: statistics[first]?.rows ?? 0)
  }
}

/// An operator that the compiler has never heard of.
struct Scaled: RealOperator, Plugin {
  static let name = "probe_scaled"
  var factor: Double

  init(factor: Double) {
    self.factor = factor
  }

  init(reading attributes: inout AttributeReader) {
    factor = attributes.float("factor")
  }

  var attributes: [(name: String, value: Attribute)] { [("factor", .float(factor))] }

  func resultTypes(_ operands: [TensorType]) throws(OperatorError) -> [TensorType] { operands }

  func invariance(_ operands: [TensorType]) -> InvarianceRule {
    InvarianceRule(
      ties: operands[0].shape.indices.map { AxisTie([.operand(0, $0), .result(0, $0)], .general) })
  }

  func evaluate<Scalar: Real>(_ operands: [Tensor], as scalar: Scalar.Type) throws -> [Tensor] {
    let x = operands[0]
    return [Tensor(x.shape, x.array(of: Scalar.self).map { $0 * Scalar(factor) })]
  }
}

/// Gives up in the way that was asked for.
public struct Fail: Pass {
  public enum Way: String, PassOptionChoice {
    case passError = "pass-error"
    case diagnostic, other, trap
  }

  public static let info = PassInfo(
    name: "fail", summary: "Give up.", preservesFunction: false)

  @PassOption("How to give up.")
  public var way = Way.passError

  public init() {}

  struct Surprise: Error, CustomStringConvertible {
    let description = "nobody expected this"
  }

  public func run(on graph: inout Graph, in context: PassContext) throws {
    switch way {
    case .passError: throw PassError("no way on", at: .checkpoint("some.weight"), hint: "go back")
    case .diagnostic: throw Diagnostic("probe.diagnostic", "this will not do")
    case .other: throw Surprise()
    case .trap:
      let none = graph.operations.isEmpty ? 0 : graph.operations.count
      print([Int]()[none])
    }
  }
}

/// The cheapest choice of each thing, whatever else there is room for.
struct CheapestSolver: AllocationSolver {
  static let info = ComponentInfo(name: "cheapest", summary: "The cheapest choice of each layer.")

  func solve(_ problem: AllocationProblem) -> AllocationProblem.Solution? {
    problem.solution(
      problem.items.map { item in
        item.indices.min { item[$0].costs.lexicographicallyPrecedes(item[$1].costs) } ?? 0
      })
  }
}
