import IRCExecution
import IRCGraph
import IRCPassKit

/// How unevenly a text uses the channels of each site: the largest mean square of a channel in relation to the smallest. Where a site
/// transforms blocks of channels separately, as those of heads, that of the block in which it is greatest.
///
/// A single scale fits channels that are used alike. Rotating onto the eigenvectors of the second moment and then by a Hadamard matrix
/// makes this 1 on the text that the moment was measured on (MambaQuant, section 4.1); what other text gives is the price of measuring.
struct SiteSpread {
  /// Heading of the column.
  let title: String
  /// For each site, in order; nil where no value of run time is read.
  let ratios: [Double?]

  /// Measures `sites` of `graph` over windows of token ids, each read from a fresh state.
  ///
  /// - Throws: `Diagnostic` when there are no tokens, or the graph cannot run.
  init(
    _ title: String, of sites: [Site], in graph: Graph, over windows: [[Int32]],
    _ reporter: Reporter
  ) throws {
    self.title = title
    let moments = sites.map { try? SiteMoments($0, in: graph) }
    let groups = moments.compactMap { $0 }.map { StatisticGroup($0.request.values) }
    let calibration = ChannelCalibration(windows: windows) {
      reporter.progress("measure sites", $0, of: $1)
    }
    var statistics = try calibration.statistics(of: groups, in: graph)[...]
    ratios = zip(sites, moments).map { site, moments in
      guard let squares = moments.map({ $0.meanSquares(of: statistics.removeFirst()) }) else {
        return nil
      }
      return SiteMoments.spread(of: squares, in: site.group)
    }
  }
}
