import IRCGraph

/// Finds out which layer of the checkpoint an operation belongs to, by the names of its weights.
///
/// An operation without weights belongs to the layer before it.
struct LayerNames {
  private let graph: Graph
  private let constants: Set<ValueID>
  private var current = "start"

  init(graph: Graph, constants: Set<ValueID>) {
    self.graph = graph
    self.constants = constants
  }

  /// The operation's layer; call in the order of the graph.
  mutating func layer(of operation: Operation) -> String {
    let weight = operation.operands.first {
      constants.contains($0) && graph.parameterName(of: $0) != nil
    }
    let name =
      weight.flatMap { graph.parameterName(of: $0) } ?? operation.location.checkpointName
    if let name { current = LayerNames.layer(of: name) }
    return current
  }

  /// `model.layers.3` of `model.layers.3.mlp.up_proj.weight`; `model.norm` of `model.norm.weight`. What a pass made of a tensor, as
  /// `pass/model.norm.weight/part`, belongs with it.
  static func layer(of tensor: String) -> String {
    let tensor = tensor.split(separator: "/").first { $0.contains(".") }.map(String.init) ?? tensor
    let parts = tensor.split(separator: ".")
    if let number = parts.firstIndex(where: { $0.allSatisfy(\.isNumber) }) {
      return parts[...number].joined(separator: ".")
    }
    return parts.count > 1 ? parts.dropLast().joined(separator: ".") : tensor
  }
}

/// `up_proj` of `model.layers.0.mlp.up_proj.weight`.
func lastMeaningfulPart(_ tensor: String) -> String {
  let parts = tensor.split(separator: ".").map(String.init)
  let roles = ["weight", "bias"]
  return parts.last { !roles.contains($0) } ?? tensor
}

/// A C identifier that reminds of a name.
func cIdentifier(_ name: String) -> String {
  var result = ""
  for scalar in name.unicodeScalars {
    let isKept =
      scalar.isASCII && (scalar.properties.isAlphabetic || ("0"..."9").contains(scalar))
    let character = isKept ? Character(scalar) : "_"
    if character == "_" && (result.isEmpty || result.hasSuffix("_")) { continue }
    result.append(character)
  }
  while result.hasSuffix("_") { result.removeLast() }
  if result.isEmpty { return "value" }
  return result.first?.isNumber == true ? "n" + result : result
}
