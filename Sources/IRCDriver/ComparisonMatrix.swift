/// A comparison of several pipelines with several schemes for people: perplexities, then bits for each weight.
///
/// A line is written when all of its row is known.
package struct ComparisonMatrix {
  private let schemes: [String]
  private let pipelines: [String]
  private let widths: [Int]
  private var line: [String] = []
  private var bits: [[String]] = []
  private var isFirst = true

  /// Makes room for everything.
  ///
  /// - Parameters:
  ///   - pipelines: names of the rows, each with its scheme behind, those of one pipeline next to each other.
  ///   - schemes: names of the schemes, in the same order.
  package init(pipelines: [String], schemes: [String]) {
    self.schemes = schemes
    let firsts = stride(from: 0, to: pipelines.count, by: max(1, schemes.count))
    self.pipelines = firsts.map { String(pipelines[$0].dropLast((schemes.first ?? "").count + 1)) }
    let first = (self.pipelines + ["bits/weight"]).map(\.count).max() ?? 0
    widths = [first] + schemes.map { max($0.count, 10) }
  }

  /// Takes a row, and returns the lines that it completes.
  package mutating func text(adding row: ComparisonRow) -> String {
    let figures = try? row.outcome.get()
    let perplexity = figures.map { fixed($0.perplexity, 4) } ?? "failed"
    let weights = figures?.bitsPerWeight.map { fixed($0, 2) } ?? "-"
    if isFirst {
      isFirst = false
      bits = [["float", weights]]
      return text(of: ["perplexity"] + schemes) + text(of: ["float", perplexity])
    }
    if line.isEmpty {
      let name = pipelines[min(bits.count, pipelines.count) - 1]
      line = [name]
      bits.append([name])
    }
    line.append(perplexity)
    bits[bits.count - 1].append(weights)
    guard line.count == widths.count else { return "" }
    defer { line = [] }
    var text = text(of: line)
    if bits.count == pipelines.count + 1 {
      text += "\n" + self.text(of: ["bits/weight"] + schemes)
      for row in bits { text += self.text(of: row) }
    }
    return text
  }

  private func text(of cells: [String]) -> String {
    var text = ""
    for (index, (cell, width)) in zip(cells, widths).enumerated() {
      let room = String(repeating: " ", count: max(0, width - cell.count))
      text += index == 0 ? cell + room : "  " + room + cell
    }
    while text.last == " " { text.removeLast() }
    return text + "\n"
  }
}
