import IRCSupport

/// The table of a comparison for people: columns of fixed width, so that rows can be written as they finish.
package struct ComparisonTable {
  private let nameWidth: Int
  private let columns: [(title: String, width: Int)]
  private let measuresDivergence: Bool

  /// Makes room for the names of the pipelines and, if they are measured, for divergences and differences of logits.
  package init(
    pipelines: [String], measuresDivergence: Bool = false, comparesLogits: Bool = false
  ) {
    nameWidth = (pipelines + ["pipeline"]).map(\.count).max() ?? 0
    self.measuresDivergence = measuresDivergence
    columns =
      [("perplexity", 12), ("change", 10)] + (measuresDivergence ? [("kl", 10)] : [])
      + [("bits/weight", 11), ("bytes", 12), ("seconds", 9)]
      + (comparesLogits ? [("logits", 8), ("compiled", 8)] : [])
  }

  /// The line above the rows.
  package var head: String {
    line("pipeline", columns.map(\.title))
  }

  /// One row.
  package func text(of row: ComparisonRow) -> String {
    switch row.outcome {
    case .success(let figures):
      let isFloat = figures.seconds == nil
      var cells = [fixed(figures.perplexity, 4)]
      cells.append(isFloat ? "" : row.change.map { fixed($0 * 100, 2) + " %" } ?? "")
      if measuresDivergence { cells.append(figures.divergence.map { fixed($0, 6) } ?? "") }
      cells.append(figures.bitsPerWeight.map { fixed($0, 2) } ?? "-")
      cells.append(figures.bytes.map { "\($0)" } ?? "-")
      cells.append(figures.seconds.map { fixed($0, 1) } ?? "")
      if let logits = figures.logits {
        cells += [short(logits.simulation), short(logits.compiled)]
      }
      return line(row.pipeline, cells)
    case .failure(let problems):
      let first = problems.diagnostics.first
      return padded(row.pipeline) + "  failed: \(first.map { "\($0.message) [\($0.id)]" } ?? "")\n"
    }
  }

  private func line(_ name: String, _ cells: some Sequence<String>) -> String {
    var text = padded(name)
    for (cell, width) in zip(cells, columns.map(\.width)) {
      text += "  " + String(repeating: " ", count: max(0, width - cell.count)) + cell
    }
    while text.last == " " { text.removeLast() }
    return text + "\n"
  }

  private func padded(_ name: String) -> String {
    name + String(repeating: " ", count: max(0, nameWidth - name.count))
  }
}
