import IRCSupport

/// The table of a comparison for people: columns of fixed width, so that rows can be written as they finish.
package struct ComparisonTable {
  private let nameWidth: Int
  private let comparesLogits: Bool
  private static let titles = [
    "perplexity", "change", "bits/weight", "bytes", "seconds", "logits", "compiled",
  ]
  private static let widths = [12, 10, 11, 12, 9, 8, 8]

  /// Makes room for the names of the pipelines and, if they are compared, for logits.
  package init(pipelines: [String], comparesLogits: Bool = false) {
    nameWidth = (pipelines + ["pipeline"]).map(\.count).max() ?? 0
    self.comparesLogits = comparesLogits
  }

  /// The line above the rows.
  package var head: String {
    line("pipeline", comparesLogits ? Self.titles : Self.titles.dropLast(2))
  }

  /// One row.
  package func text(of row: ComparisonRow) -> String {
    switch row.outcome {
    case .success(let figures):
      let isFloat = figures.seconds == nil
      return line(
        row.pipeline,
        [
          fixed(figures.perplexity, 4),
          isFloat ? "" : row.change.map { fixed($0 * 100, 2) + " %" } ?? "",
          figures.bitsPerWeight.map { fixed($0, 2) } ?? "-",
          figures.bytes.map { "\($0)" } ?? "-",
          figures.seconds.map { fixed($0, 1) } ?? "",
        ] + (figures.logits.map { [short($0.simulation), short($0.compiled)] } ?? []))
    case .failure(let problems):
      let first = problems.diagnostics.first
      return padded(row.pipeline) + "  failed: \(first.map { "\($0.message) [\($0.id)]" } ?? "")\n"
    }
  }

  private func line(_ name: String, _ cells: some Sequence<String>) -> String {
    var text = padded(name)
    for (cell, width) in zip(cells, Self.widths) {
      text += "  " + String(repeating: " ", count: max(0, width - cell.count)) + cell
    }
    while text.last == " " { text.removeLast() }
    return text + "\n"
  }

  private func padded(_ name: String) -> String {
    name + String(repeating: " ", count: max(0, nameWidth - name.count))
  }
}
