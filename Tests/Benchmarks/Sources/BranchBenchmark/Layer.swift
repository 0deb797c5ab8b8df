import Foundation
import IRCCodegen
import IRCDriver
import IRCGraph
import IRCOps
import IRCQuant
import IRCSupport
import IRCTensor

/// A linear layer as a compiled library: ids pick rows of a table, the layer reads them.
struct Layer {
  /// What lies beside the product.
  enum Branch: CaseIterable {
    /// Nothing.
    case none
    /// Products and a sum of their own.
    case apart
    /// Part of the kernels.
    case joined
  }

  /// How weights and activations are kept; nil for real activations.
  struct Formats {
    let name: String
    let weights: QuantizationSpec
    let activations: QuantizationSpec?
  }

  static let vocabulary = 64

  let size: Int
  let rank: Int
  let formats: Formats

  /// Emits the layer, compiles it for this processor and loads it.
  func compiled(_ branch: Branch) throws -> CompiledModel {
    let scratch = try ScratchFolder()
    let files = OutputFiles(directory: scratch.path)
    try CEmitter(.init(name: "layer", chunk: 32)).emit(graph(branch), to: files)
    try files.commit()
    return try CompiledModel(
      folder: scratch.path, names: ArtifactNames(model: "layer"), checksWeights: false,
      scratch: scratch)
  }

  private func graph(_ branch: Branch) throws -> Graph {
    var graph = Graph(name: "layer")
    graph.stage = .kernels
    func add(_ op: any Operator, _ operands: [ValueID]) throws -> [ValueID] {
      try graph.add(op, operands)
    }
    func random(_ rows: Int, _ seed: UInt64) throws -> ValueID {
      try add(
        Generated(
          shape: [rows, size],
          values: .random(seed: seed, scale: 1 / Double(size).squareRoot())), [])[0]
    }
    func factor(_ name: String, _ shape: [Int], _ seed: UInt64) throws -> ValueID {
      let numbers = RandomNumbers(seed: seed)
      let values = (0..<shape[0] * shape[1]).map { Float(numbers.normal($0) * 0.01) }
      return try graph.attach(Tensor(shape, values).roundedToHalf, named: name)
    }
    func quantized(_ value: ValueID, _ spec: QuantizationSpec) throws -> [ValueID] {
      let parameters = try add(QuantizationParameters(spec: spec), [value])
      return try add(Quantize(spec: spec), [value] + parameters) + parameters
    }
    let tokens = TensorType(.i32, [.named("tokens")])
    let ids = try add(Input(name: "ids", type: tokens), [])[0]
    let x = try add(Embedding(), [ids, random(Self.vocabulary, 1)])[0]
    let weights = try quantized(random(size, 2), formats.weights)
    let down = try branch == .none ? x : factor("down", [rank, size], 3)
    let up = try branch == .none ? x : factor("up", [size, rank], 4)

    var input = [x]
    var hidden = x
    if branch != .none { hidden = try add(Linear(), [x, down])[0] }
    if let spec = formats.activations {
      if branch == .joined {
        let made = try add(BranchingQuantize(spec: spec, isDynamic: true), [x, down])
        (input, hidden) = (Array(made.dropLast()), made[made.count - 1])
      } else {
        input = try quantized(x, spec)
      }
    }
    let operands = input + weights
    let integer = formats.activations.map {
      IntegerLinear(weights: formats.weights, activations: $0, bias: false)
    }
    let real = DequantizingLinear(weights: formats.weights, bias: false)
    let y: ValueID
    if branch == .joined {
      let joined: any Operator =
        integer.map { BranchedIntegerLinear($0) } ?? BranchedDequantizingLinear(real)
      y = try add(joined, operands + [hidden, up])[0]
    } else {
      let plain: any Operator = integer ?? real
      let main = try add(plain, operands)[0]
      y = try branch == .none ? main : add(Add(), [main, add(Linear(), [hidden, up])[0]])[0]
    }
    graph.addOutput("logits", y)
    return graph
  }
}
