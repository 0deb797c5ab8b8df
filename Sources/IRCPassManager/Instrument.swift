public import IRCGraph
public import IRCPassKit

/// Watches a schedule run: verification, timing, dumps and checks are all instruments on one list.
public protocol Instrument: AnyObject {
  /// Names of the instances that it waits for, in order; a schedule that lacks one is not run.
  var awaited: [String] { get }
  /// Called before a pass runs.
  func before(_ instance: PassInstance, _ graph: Graph) throws
  /// Called after a pass ran, with the graph as it was and as it is.
  ///
  /// - Throws: `Diagnostic` to stop the schedule; the pass is then to blame.
  func after(_ instance: PassInstance, _ before: Graph, _ graph: Graph, _ run: PassRun) throws
}

extension Instrument {
  public var awaited: [String] { [] }
  public func before(_ instance: PassInstance, _ graph: Graph) throws {}
}

/// What one pass did.
public struct PassRun: Sendable {
  /// Name of the instance.
  public var instance: String
  /// Seconds of wall time that the pass itself took.
  public var seconds: Double
  /// Its remarks, in order.
  public var remarks: [Remark]
  /// Its counters with their values, in the order of declaration.
  public var counters: [(name: String, value: Int)]
  /// What it wrote, if it is an exporter.
  public var emissions: [EmissionReport]
  /// Operations before and after.
  public var operations: (before: Int, after: Int)
}
