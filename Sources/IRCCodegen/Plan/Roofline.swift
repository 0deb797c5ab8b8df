/// What one thread of a machine can do at most, from which times of kernels are predicted.
///
/// A kernel takes at least the time in which its weights come from memory and its values from a cache, and at least the time of its
/// multiplications, of which real kernels reach the larger, more or less.
public struct Roofline: Hashable, Sendable {
  /// What a step waits for.
  public enum Bound: String, Sendable {
    /// Weights and values.
    case memory
    /// Arithmetic.
    case multiplications
  }

  /// A time with its reason.
  public struct Prediction: Hashable, Sendable {
    /// How long it takes.
    public var seconds: Double
    /// What for.
    public var bound: Bound
  }

  /// Bytes a second from memory.
  public var readRate: Double
  /// Bytes a second from and to the cache that holds values between steps.
  public var cacheRate: Double
  /// Operations a second on codes, two for each multiply-accumulate.
  public var integerRate: Double
  /// The same on single precision.
  public var realRate: Double
  /// Where the numbers come from.
  public var source: String

  /// States what a machine can do.
  public init(
    readRate: Double, cacheRate: Double, integerRate: Double, realRate: Double, source: String
  ) {
    self.readRate = readRate
    self.cacheRate = cacheRate
    self.integerRate = integerRate
    self.realRate = realRate
    self.source = source
  }

  /// One core of a processor that was measured.
  public static let standard = Roofline(
    readRate: 25e9, cacheRate: 90e9, integerRate: 466e9, realRate: 116e9,
    source: "one core of an AMD Zen 4 at 3.6 GHz with AVX-512 VNNI")

  /// The time of a step.
  public func prediction(of step: KernelPlan.Step, for call: KernelPlan.Call) -> Prediction {
    func total(_ amount: KernelPlan.Amount) -> Double { Double(amount.total(of: call)) }
    let moving =
      total(step.weightBytes) / readRate
      + (total(step.readBytes) + total(step.writtenBytes)) / cacheRate
    let multiplying =
      2 * total(step.integerProducts) / integerRate + 2 * total(step.realProducts) / realRate
    return Prediction(
      seconds: max(moving, multiplying), bound: moving >= multiplying ? .memory : .multiplications)
  }

  /// The time of all steps: of those for logits for one token.
  public func seconds(of plan: KernelPlan, for call: KernelPlan.Call) -> Double {
    plan.steps.reduce(0) { $0 + prediction(of: $1, for: plan.call($1, in: call)).seconds }
  }
}

extension KernelPlan {
  /// What of a call a step runs for: of a prompt only the last token's logits are asked for.
  public func call(_ step: Step, in call: Call) -> Call {
    step.isTail ? Call(tokens: 1, past: call.past + call.tokens - 1) : call
  }
}
