import IRCCommandLine
import IRCPassKit

/// `irc` with one pass more.
@main
struct OwnCompiler {
  static func main() { IRCTool.main(adding: [CountLayers.self]) }
}

/// Counts the linear layers of a network and their weights, and changes nothing.
struct CountLayers: Pass {
  static let info = PassInfo(
    name: "count-layers", summary: "Count linear layers and their weights.",
    preservesFunction: true, statistics: [layers, weights])

  static let layers = Statistic("layers", "Linear layers.")
  static let weights = Statistic("weights", "Their weights.")

  func run(on graph: inout Graph, in context: PassContext) throws {
    for (layer, _) in graph.operations(of: Linear.self) {
      context.count(Self.layers)
      let shape = graph.type(of: layer.operands[1]).fixedShape ?? []
      context.count(Self.weights, by: shape.reduce(1, *))
    }
  }
}
