public import IRCPassKit

/// Takes the mean out of what layer normalisations read, so that they become RMS normalisations.
///
///     before: %x = linear %h, %w          %n = layer_norm %x
///     after:  %v = channel_centre %w      %x = linear %h, %v      %n = rms_norm %x
///
/// With C = I − 11ᵀ/d, a layer normalisation is an RMS normalisation of x·C. Where everything that writes x can take up C, x is
/// x·C already, and nothing but such normalisations reads it, so nobody misses the mean.
///
/// C is no transform of a site, since nothing undoes it. But the invertible matrices are dense among all: what lets every
/// invertible matrix pass lets C pass too, where nothing has to take the inverse.
public struct CentreNorms: Pass {
  public static let info = PassInfo(
    name: "centre-norms",
    summary:
      "Turn layer normalisations into RMS normalisations by centring what writes their input.",
    details: """
      Embedding tables, weights and biases that write the residual stream lose the mean over its channels, which layer \
      normalisations take away in any case. An RMS normalisation admits rotations, a layer normalisation does not. Run it after \
      `fold-norm-gains`, since an RMS normalisation has no bias.
      """,
    paper: "SliceGPT (arXiv 2401.15024), section 3.2; QuaRot (arXiv 2404.00456), section 4",
    conflicts: FactConflict.changesOfWeights,
    preservesFunction: true, tolerance: 1e-8,
    statistics: [turned, writers, kept], remarks: [.untied, notCentred])

  static let turned = Statistic("centred", "Layer normalisations that became RMS normalisations.")
  static let writers = Statistic("writers", "Constants that lost their mean.")
  static let kept = Statistic("kept", "Layer normalisations left as they were.")
  static let notCentred = RemarkKind(
    "not-centred", .missed, "A layer normalisation stays because of its bias or of what it reads.")

  public init() {}

  public func run(on graph: inout Graph, in context: PassContext) throws {
    var norms: [OperationID: Int] = [:]
    let sites = graph.operations(of: LayerNorm.self).isEmpty ? [] : graph.sites(.mixing)
    for (operation, _) in graph.operations(of: LayerNorm.self) {
      norms[operation.id] =
        sites.firstIndex { $0.holds(operation.operands[0], in: graph) } ?? sites.count
    }
    for (index, site) in sites.enumerated() {
      let readers = graph.operations(of: LayerNorm.self).filter { norms[$0.operation.id] == index }
      if let obstacle = site.obstacleOfCentring(in: graph) {
        for (operation, _) in readers { keep(operation, obstacle, context) }
        continue
      }
      try centre(site, before: readers.map(\.operation), in: &graph, context)
    }
    for (operation, _) in graph.operations(of: LayerNorm.self)
    where norms[operation.id] == sites.count {
      let producer = graph.producer(of: operation.operands[0])
      keep(
        operation,
        "its input is no residual stream; \(producer.title) makes it",
        context)
    }
    graph.mergeEqualOperations()
  }

  /// Centres the writers of a site and turns those normalisations that have no bias.
  private func centre(
    _ site: Site, before norms: [Operation], in graph: inout Graph, _ context: PassContext
  ) throws {
    let plain = norms.filter { $0.operands.count < 3 }
    for operation in norms where operation.operands.count == 3 {
      keep(
        operation, "it has a bias, which an RMS normalisation has not",
        hint: "run 'fold-norm-gains' before, which says why a bias stays", context)
    }
    guard !plain.isEmpty else { return }
    try centreWriters(of: site, in: &graph, context)
    for operation in plain {
      guard let norm = operation.op as? LayerNorm else { continue }
      try graph.replace(operation.id, with: RMSNorm(epsilon: norm.epsilon), operation.operands)
      context.count(Self.turned)
    }
  }

  private func centreWriters(
    of site: Site, in graph: inout Graph, _ context: PassContext
  ) throws {
    var order: [ValueID] = []
    for writer in site.absorbers {
      let old = graph[writer.operation].operands[writer.operand]
      // A projection needs no second one, where an earlier run left some normalisations.
      if graph.definition(of: old, as: ChannelCentre.self)?.axis == writer.axis { continue }
      let new = try graph.add(
        ChannelCentre(axis: writer.axis), [old], before: writer.operation,
        at: context.derived(from: graph.producer(of: old).location))
      graph.setOperand(writer.operand, of: writer.operation, to: new[0])
      context.count(Self.writers)
      if !order.contains(old) { order.append(old) }
    }
    let (uses, constants) = (graph.uses(), graph.constants())
    for old in order {
      let isStillRead = (uses[old] ?? []).contains {
        !graph[$0.operation].results.allSatisfy(constants.contains)
      }
      if isStillRead, let name = graph.parameterName(of: old) {
        context.remarkUntied(name, elements: graph.type(of: old).elementCount)
      }
    }
  }

  private func keep(
    _ operation: Operation, _ reason: String, hint: String? = nil, _ context: PassContext
  ) {
    context.remark(Self.notCentred, at: operation.location, reason, hint: hint)
    context.count(Self.kept)
  }
}
