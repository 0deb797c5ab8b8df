/// Rows as lines, with every column as wide as its widest cell; columns of numbers, `right`, end below each other.
func alignedRows(_ rows: [[String]], _ right: Set<Int>) -> [String] {
  let columns = rows.map(\.count).max() ?? 0
  let widths = (0..<columns).map { column in
    rows.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0
  }
  return rows.map { row in
    var line = ""
    for (column, cell) in row.enumerated() {
      let gap = String(repeating: " ", count: widths[column] - cell.count)
      line += "  " + (right.contains(column) ? gap + cell : cell + gap)
    }
    while line.last == " " { line.removeLast() }
    return line
  }
}
