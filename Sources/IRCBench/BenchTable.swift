import Foundation

/// Rows of a benchmark for people, in columns of fixed width.
package struct BenchTable {
  private let columns: [(title: String, width: Int)] = [
    ("weights", -15), ("x", -3), ("rows x cols", -11), ("n", 4), ("time", 9), ("rate", 11),
    ("of limit", 8), ("best peer", 31), ("of limit", 8), ("time x", 6), ("limit x", 7),
  ]

  private let listsPeers: Bool

  /// A table of no rows yet; with a line for each peer below them if those are wanted.
  package init(listsPeers: Bool = false) { self.listsPeers = listsPeers }

  /// The line above the rows.
  package var head: String { line(columns.map(\.title)) }

  /// One row. `time x` says how many times as long the fastest peer takes, `limit x` how many times as near to the limit ours is as
  /// the nearest peer.
  package func text(of row: BenchRow) -> String {
    let entry = row.entry
    var cells = [
      entry.group == 0 ? entry.weights : "\(entry.weights)/\(entry.group)", entry.activations,
      "\(entry.rows)x\(entry.cols)", "\(entry.n)", time(row.seconds),
      entry.isMemoryBound
        ? "\(text(row.gigabytes, 1)) GB/s" : "\(text(row.gigaoperations, 0)) GOP/s",
      text(row.ofLimit, 2),
    ]
    if let fastest = row.fastestPeer, let nearest = row.nearestPeer {
      cells += [
        fastest.name, text(fastest.ofLimit, 2), text(fastest.seconds / row.seconds, 2),
        text(row.ofLimit / nearest.ofLimit, 2),
      ]
    } else if let baseline = row.baseline {
      cells += [baseline.name, "", text(baseline.seconds / row.seconds, 2), ""]
    }
    return line(cells) + (listsPeers ? peers(of: row) : "")
  }

  /// A line for each peer, fastest first.
  private func peers(of row: BenchRow) -> String {
    row.peers.sorted { $0.seconds < $1.seconds }.map { peer in
      line([
        "", "", "", "", time(peer.seconds), "", "", peer.name, text(peer.ofLimit, 2),
        text(peer.seconds / row.seconds, 2), text(row.ofLimit / peer.ofLimit, 2),
      ])
    }.joined()
  }

  private func line(_ cells: [String]) -> String {
    let padded = zip(cells, columns).map { cell, column in
      let padding = String(repeating: " ", count: max(0, abs(column.width) - cell.count))
      return column.width < 0 ? cell + padding : padding + cell
    }
    var text = padded.joined(separator: "  ")
    while text.last == " " { text.removeLast() }
    return text + "\n"
  }

  private func time(_ seconds: Double) -> String {
    seconds < 1e-3 ? "\(text(seconds * 1e6, 0)) us" : "\(text(seconds * 1e3, 2)) ms"
  }

  private func text(_ value: Double, _ digits: Int) -> String {
    String(format: "%.\(digits)f", value)
  }
}
