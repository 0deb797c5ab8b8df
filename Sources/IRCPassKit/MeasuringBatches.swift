extension Sequence {
  /// Runs of elements whose sizes add up to at most `limit`, or that are single elements: what is measured in one pass over the
  /// calibration text, so that memory does not grow with the depth of the network.
  ///
  /// - Parameters:
  ///   - limit: bytes; by default 256 MiB.
  ///   - size: bytes that an element's statistics take.
  public func batches(within limit: Int = 1 << 28, size: (Element) -> Int) -> [[Element]] {
    var batches: [[Element]] = []
    var room = 0
    for element in self {
      let bytes = size(element)
      if batches.isEmpty || bytes > room {
        batches.append([])
        room = limit
      }
      batches[batches.count - 1].append(element)
      room -= bytes
    }
    return batches
  }
}
