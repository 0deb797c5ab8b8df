public import IRCPassKit

/// Multiplies out two linear layers of which one reads the other, where that saves work.
///
///     before: %h = linear %x, %a    %y = linear %h, %b
///     after:  %t = transpose %a     %c = linear %b, %t    %y = linear %x, %c
///
/// Exact in real arithmetic: (x·Aᵀ)·Bᵀ = x·(B·A)ᵀ. The product B·A is a constant and folds when weights are written. Not done
/// when something else reads %h, or when %h has a bias.
public struct FuseLinears: Pass {
  public static let info = PassInfo(
    name: "fuse-linears",
    summary: "Multiply out linear layers that follow each other, where that saves work.",
    preservesFunction: true, statistics: [fused, kept], remarks: [notFused])

  static let fused = Statistic("fused", "Pairs of layers made one.")
  static let kept = Statistic("kept", "Pairs of layers left alone.")
  static let notFused = RemarkKind("not-fused", .missed, "A pair of layers was left alone.")

  @PassOption("Multiplications allowed after fusing, in relation to those before.", in: 0...100.0)
  public var growth = 1.0

  public init() {}

  public func run(on graph: inout Graph, in context: PassContext) throws {
    var constants = graph.constants()
    let uses = graph.uses()
    for (outer, _) in graph.operations(of: Linear.self) {
      // Earlier rounds of this loop may have changed the first layer, so it is looked up now.
      let inner = graph.producer(of: outer.operands[0])
      guard inner.op is Linear, constants.contains(outer.operands[1]),
        constants.contains(inner.operands[1])
      else { continue }
      let readers = uses[inner.result]?.count ?? 0
      if let reason = obstacle(inner, outer, readers: readers, in: graph) {
        context.remark(Self.notFused, at: outer.location, reason.message, hint: reason.hint)
        context.count(Self.kept)
        continue
      }
      let (a, b) = (inner.operands[1], outer.operands[1])
      let place = context.derived(from: graph.producer(of: b).location)
      let transposed = try graph.add(
        Transpose(order: [1, 0]), [a], before: outer.id, at: place)
      let product = try graph.add(
        Linear(), [b, transposed[0]], before: outer.id, at: place)
      constants.formUnion(transposed + product)
      let bias = outer.operands.dropFirst(2)
      try graph.replace(outer.id, with: Linear(), [inner.operands[0], product[0]] + bias)
      context.count(Self.fused)
    }
  }

  /// Why the two layers must stay apart, or nil.
  private func obstacle(
    _ inner: Operation, _ outer: Operation, readers: Int, in graph: Graph
  ) -> (message: String, hint: String?)? {
    if readers > 1 || graph.isObserved(inner.result) {
      return ("something else reads what the first layer makes", nil)
    }
    if inner.operands.count > 2 { return ("the first layer has a bias", nil) }
    guard let a = graph.type(of: inner.operands[1]).fixedShape,
      let b = graph.type(of: outer.operands[1]).fixedShape
    else { return ("the weights have no fixed shape", nil) }
    let (before, after) = (a[0] * a[1] + b[0] * b[1], b[0] * a[1])
    if Double(after) > growth * Double(before) {
      return (
        "a token would take \(after) multiplications instead of \(before)",
        "set 'growth' to \(Double(after) / Double(before)) to fuse all the same"
      )
    }
    return nil
  }
}
