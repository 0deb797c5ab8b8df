public import IRCPassKit

extension FitValues {
  /// How often each weight is looked at, about, until the values of its row no longer move.
  private static let rounds = 50.0

  /// One run over the text for the inputs of all layers, and rounds of fitting.
  public func work(
    on graph: Graph, calibrationTokens tokens: Int, in context: PassContext
  ) throws -> PassWork {
    var work = PassWork()
    let layers = select(in: graph, context)
    let inputs = Set(layers.joined().map(\.realInput)).sorted()
    work.measure(inputs.compactMap { graph.type(of: $0).shape.last?.fixed }, tokens: tokens)
    for layer in layers.compactMap(\.first) {
      work.roundings += Self.rounds * Double(layer.shape.reduce(1, *))
    }
    return work
  }
}
