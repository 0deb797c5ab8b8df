import IRCExecution
import IRCGraph
import IRCOps
import IRCSupport
import IRCTensor

/// Writes the weights file: folds, quantizes and packs the tensors on all threads, a few blocks of rows at a time.
struct WeightWriter {
  let graph: Graph
  let layout: WeightLayout
  let folder: ConstantFolder

  /// Writes everything; the bytes do not depend on the thread count.
  ///
  /// - Throws: `Diagnostic` when a weight is not finite or the file cannot be written.
  func write(to file: StagedFile, table: [UInt8], fingerprint: UInt64) throws {
    let packers = layout.tensors.map { TensorPacker($0, graph, folder) }
    try checkParameters(packers)
    let header = WeightFile.header(
      data: layout.dataBytes, table: table.count, fingerprint: fingerprint)
    try unsafe header.withUnsafeBytes { try unsafe file.append($0) }

    let sink = WeightSink(file: file)
    let blocks = packers.flatMap { packer in packer.blocks.map { (packer, $0) } }
    try Parallel.forEach(blocks.count) { index in
      guard sink.wants(index) else { return }
      let (packer, range) = blocks[index]
      let endsTensor = range.upperBound == packer.rows
      do {
        let block = try packer.pack(range)
        try sink.append(block, index: index, endsTensor: endsTensor)
      } catch {
        sink.fail(index)
        throw named(error, packer.tensor.name)
      }
      if endsTensor { packer.close() }
    }
    try sink.finish(table: table)
  }

  /// Looks for values that are not finite in the parameters that reach the file by a way that does not show them.
  private func checkParameters(_ packers: [TensorPacker]) throws {
    var names: Set<String> = []
    let parameters = packers.flatMap(\.uncheckedParameters).filter {
      names.insert($0.name).inserted
    }
    for parameter in parameters where [.f32, .f16, .bf16].contains(parameter.stored) {
      let tensor = try graph.parameters.tensor(named: parameter.name)
      guard let rows = tensor.shape.first else { continue }
      let width = tensor.shape.dropFirst().reduce(1, *)
      do {
        try Parallel.forChunks(of: rows, chunk: max(1, (1 << 18) / max(1, width))) { range in
          let part = tensor.slice(rows: range)
          try unsafe withFloats(of: part) {
            try unsafe checkFinite(
              $0, count: part.count, of: parameter.name, from: range.lowerBound * width,
              width: width)
          }
        }
      } catch {
        throw named(error, parameter.name)
      }
    }
  }

  /// The error as a diagnostic that names the tensor and the file that it comes from.
  private func named(_ error: any Error, _ tensor: String) -> any Error {
    let place = graph.parameters.file(of: tensor).map { SourceLocation(file: $0) }
    if var diagnostic = error as? Diagnostic, diagnostic.id.hasPrefix("weights.") {
      diagnostic.location = diagnostic.location ?? place
      return diagnostic
    }
    guard let error = error as? OperatorError else { return error }
    return Diagnostic(
      "weights.invalid", "tensor '\(tensor)' cannot be made: \(error.message)", at: place)
  }
}
