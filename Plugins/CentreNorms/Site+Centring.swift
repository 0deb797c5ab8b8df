import IRCPassKit

extension Site {
  /// True if the channels at the last axis of a value are among those that move.
  func holds(_ value: ValueID, in graph: Graph) -> Bool {
    let last = graph.type(of: value).rank - 1
    return values.contains { $0.place.holder == .value(value) && $0.place.axis == last }
  }

  /// What stops "subtract the mean over the channels" from moving into the writers of this site; nil if nothing does.
  ///
  /// A site of mixing transforms ends at layer normalisations, which let none pass; every other end, and everything that would
  /// have to take an inverse, is an obstacle.
  func obstacleOfCentring(in graph: Graph) -> String? {
    obstacleOnPath(in: graph) ?? obstacleAtEdge(in: graph) ?? obstacleOfConstants(in: graph)
  }

  /// Something that lets rotations or less pass and not every matrix, or only some of the channels.
  private func obstacleOnPath(in graph: Graph) -> String? {
    if let place = values.first(where: { !isWhole($0.place, in: graph) })?.place {
      let channels = place.channels
      return
        "channels \(channels.lowerBound)..<\(channels.upperBound) of what it reads move apart from the others"
    }
    if group == .general { return nil }
    let culprit = graph.operations.first { operation in
      if operation.op is LayerNorm { return false }
      let ties = operation.op.invariance(operation.operands.map(graph.type(of:))).ties
      return values.contains { value in
        operation.operands.indices.contains { index in
          value.place.holder == .value(operation.operands[index])
            && ties.contains {
              $0.group != .general && $0.axes.contains(.operand(index, value.place.axis))
            }
        }
      }
    }
    guard let culprit else { return "what it reads admits \(group) only" }
    return "\(culprit.title) reads the same and would miss the mean"
  }

  private func obstacleAtEdge(in graph: Graph) -> String? {
    for edge in frontier {
      switch edge {
      case .entry(let place, _, _):
        guard case .value(let value) = place.holder else { continue }
        let writer = graph.producer(of: value)
        return "\(writer.title) writes what it reads and cannot leave out the mean"
      case .exit(let place, let use):
        let reader = graph[use.operation]
        let isLast = place.axis == graph.type(of: reader.operands[use.operand]).rank - 1
        if reader.op is LayerNorm, use.operand == 0, isLast { continue }
        return "\(reader.title) reads the same and would miss the mean"
      case .output(_, let name): return "the output '\(name)' shows what it reads"
      }
    }
    return nil
  }

  private func obstacleOfConstants(in graph: Graph) -> String? {
    for absorber in absorbers {
      let operation = graph[absorber.operation]
      if absorber.element.isInverse {
        return "\(operation.title) reads the same and would miss the mean"
      }
      let extent = graph.type(of: operation.operands[absorber.operand]).shape[absorber.axis].fixed
      if absorber.channels != 0..<(extent ?? 0) || absorber.element.repeats != 1 {
        return "\(operation.title) makes what it reads and other channels with the same weights"
      }
    }
    return nil
  }

  private func isWhole(_ place: Place, in graph: Graph) -> Bool {
    guard case .value(let value) = place.holder else { return true }
    return place.channels == 0..<(graph.type(of: value).shape[place.axis].fixed ?? 0)
  }
}
