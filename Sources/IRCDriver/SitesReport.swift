import Foundation
package import IRCGraph
package import IRCSupport

/// The sites of a graph as `irc inspect --sites` shows them.
package struct SitesReport {
  private let rows: [(family: TransformFamily, site: Site)]
  private let graph: Graph
  private var spreads: [SiteSpread] = []

  /// Finds the sites of every family.
  package init(_ graph: Graph) {
    self.graph = graph
    let analysis = InvarianceAnalysis(graph)
    rows = TransformFamily.allCases.flatMap { family in
      analysis.sites(family).map { (family, $0) }
    }
  }

  /// Adds a column: how unevenly a text uses the channels; see `SiteSpread`.
  mutating func measure(
    _ title: String, over windows: [[Int32]], _ reporter: Reporter
  ) throws {
    spreads.append(
      try SiteSpread(title, of: rows.map(\.site), in: graph, over: windows, reporter))
  }

  /// A table for people.
  package var text: String {
    let header =
      ["site", "family", "group", "width", "writers", "readers", "online", "cost"]
      + spreads.map(\.title)
    let cells = rows.enumerated().map { index, row in
      let (family, site) = row
      return [
        site.name, family.rawValue, site.group.description, String(site.width),
        String(site.writers.count), String(site.readers.count), String(site.onlineCount),
        site.isOffline ? "-" : "\(site.onlineOperations)/token",
      ] + spreads.map { $0.ratios[index].map { fixed($0, 2) } ?? "-" }
    }
    let widths = header.indices.map { column in
      ([header] + cells).map { $0[column].count }.max() ?? 0
    }
    return ([header] + cells).map { line in
      zip(line, widths).map { $0.padding(toLength: $1, withPad: " ", startingAt: 0) }
        .joined(separator: "  ").trimmingTrailingSpaces + "\n"
    }.joined()
  }

  /// Keys are documented in `docs/commands.md`.
  package var json: JSON {
    .object([
      ("kind", "sites"), ("name", .string(graph.name)),
      (
        "sites",
        .array(
          rows.enumerated().map { index, row in
            let (family, site) = row
            return .object(
              [
                ("name", .string(site.name)), ("role", .string(site.role.rawValue)),
                ("family", .string(family.rawValue)), ("group", .string(site.group.description)),
                ("width", .integer(site.width)), ("writers", names(site.writers)),
                ("readers", names(site.readers)), ("online", .integer(site.onlineCount)),
                ("operations_per_token", .integer(site.isOffline ? 0 : site.onlineOperations)),
              ] + spreads.map { ("spread_\($0.title)", $0.ratios[index].map(JSON.real) ?? .null) })
          })
      ),
    ])
  }

  /// The constants by the tensors that they are made from.
  private func names(_ absorbers: [Site.Absorber]) -> JSON {
    .array(
      absorbers.map { absorber in
        let operands = graph[absorber.operation].operands
        let name =
          absorber.operand < operands.count
          ? graph.parameterName(of: operands[absorber.operand]) : nil
        return .string(name ?? graph[absorber.operation].op.operatorName)
      })
  }
}

extension String {
  fileprivate var trimmingTrailingSpaces: String {
    String(self[..<(lastIndex { $0 != " " }.map(index(after:)) ?? startIndex)])
  }
}
