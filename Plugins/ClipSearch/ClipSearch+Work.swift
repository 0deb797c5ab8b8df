public import IRCPassKit

extension ClipSearch {
  /// Each weight is rounded with every range that is tried.
  public func work(
    on graph: Graph, calibrationTokens tokens: Int, in context: PassContext
  ) throws -> PassWork {
    var work = PassWork()
    let constants = graph.constants()
    for (quantize, op) in graph.operations(of: Quantize.self)
    where constants.contains(quantize.operands[0]) && !op.spec.format.isFitted {
      let weights = graph.type(of: quantize.operands[0]).elementCount
      // A power of each error takes as long as the rounding.
      work.roundings += 2 * PassWork.triedRanges * Double(weights)
      work.hold(8 * weights)
    }
    return work
  }
}
