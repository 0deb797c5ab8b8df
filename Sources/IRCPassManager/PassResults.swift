package import IRCGraph
package import IRCPassKit

/// What a pass left.
package struct PassResult: Sendable {
  /// The graph after it.
  package var graph: Graph
  /// What it said.
  package var said: PassLog
  /// Seconds of wall time that the run took that computed it.
  package var seconds: Double

  package init(graph: Graph, said: PassLog, seconds: Double) {
    self.graph = graph
    self.said = said
    self.seconds = seconds
  }
}

/// Names a kept result of a pass.
package struct KeptResult: Sendable {
  /// Stands for the pass with everything that its result depends on.
  package let name: String

  package init(_ name: String) {
    self.name = name
  }
}

/// Keeps what passes leave, so that the manager need not run them again; whoever runs the manager says how.
package protocol PassResults: AnyObject {
  /// The result of an earlier run on the same inputs; nil if there is none.
  func find(
    _ instance: PassInstance, on graph: Graph
  ) -> (result: PassResult, kept: KeptResult)?
  /// Keeps a result of a pass that ran on `graph`; nil where it cannot be kept.
  func keep(_ result: PassResult, of instance: PassInstance, on graph: Graph) -> KeptResult?
  /// True if a result has passed a check.
  func hasPassed(_ check: String, _ kept: KeptResult) -> Bool
  /// Remembers that a result has passed a check.
  func pass(_ check: String, _ kept: KeptResult)
}
