public import IRCPassKit

extension GPTQ {
  /// One walk over the text; of each group of layers a second moment, its decomposition, and a product for each weight.
  public func work(
    on graph: Graph, calibrationTokens tokens: Int, in context: PassContext
  ) throws -> PassWork {
    var work = PassWork()
    for group in selectGroups(in: graph, context) {
      let width = graph.type(of: group.input).shape.last?.fixed ?? 0
      work.networkTokens = tokens
      work.multiplyAdds += Double(tokens) * Double(width) * Double(width)
      work.decompose(width, width, times: 2)
      // All windows wait at the layer, with what goes into it and what goes past it.
      work.hold(8 * tokens * width + 24 * width * width)
      for target in group.targets {
        let weights = Double(target.shape.reduce(1, *))
        work.multiplyAdds += weights * Double(width)
        work.roundings += weights * (clip && target.hasPlainScales ? PassWork.triedRanges : 1)
      }
    }
    return work
  }
}
