import IRCGraph
import IRCSupport
import IRCTensor

/// Parameters of a small graph, made up from their names: the same values on every machine.
public struct NamedTensors: ParameterSource {
  private var tensors: [String: Tensor] = [:]

  /// No tensors yet.
  public init() {}

  /// Adds an f32 tensor of values in −1…1 that depend on `name`.
  public mutating func add(random name: String, _ shape: [Int]) {
    let seed = name.utf8.reduce(UInt64(7)) { ($0 &* 31) &+ UInt64($1) }
    var generator = SeededGenerator(seed: seed)
    let count = shape.reduce(1, *)
    add(name, shape, (0..<count).map { _ in Float.random(in: -1...1, using: &generator) })
  }

  /// Adds an f32 tensor.
  public mutating func add(_ name: String, _ shape: [Int], _ values: [Float]) {
    tensors[name] = Tensor(shape, values)
  }

  /// The values of a tensor; empty when there is none of that name.
  public func values(of name: String) -> [Float] { tensors[name]?.array(of: Float.self) ?? [] }

  public func tensor(named name: String) throws -> Tensor {
    guard let tensor = tensors[name] else { throw Diagnostic("test.missing", "no '\(name)'") }
    return tensor
  }
}
