public import IRCGraph
public import IRCPassKit

/// Watches a schedule run: verification, timing, dumps and checks are all instruments on one list.
public protocol Instrument: AnyObject {
  /// Names of the instances that it waits for, in order; a schedule that lacks one is not run.
  var awaited: [String] { get }
  /// Name of the check that `after` makes of a pass's result, with all that it depends on besides the two graphs; nil if it makes none, or one that
  /// is as fast as looking up whether it was made. A kept result that has passed it is not checked again.
  func check(of instance: PassInstance) -> String?
  /// Called before a pass runs, or before its result is taken from an earlier run.
  func before(_ instance: PassInstance, _ graph: Graph) throws
  /// Called after a pass ran, with the graph as it was and as it is.
  ///
  /// - Throws: `Diagnostic` to stop the schedule; the pass is then to blame.
  func after(_ instance: PassInstance, _ before: Graph, _ graph: Graph, _ run: PassRun) throws
}

extension Instrument {
  public var awaited: [String] { [] }
  public func check(of instance: PassInstance) -> String? { nil }
  public func before(_ instance: PassInstance, _ graph: Graph) throws {}
}

/// What one pass did.
public struct PassRun: Sendable {
  /// Name of the instance.
  public var instance: String
  /// Seconds of wall time that the pass itself took, or reading its result again.
  public var seconds: Double
  /// If the result is that of an earlier run: the seconds that it took then.
  public var earlierSeconds: Double? = nil
  /// Its remarks, in order.
  public var remarks: [Remark]
  /// Its counters with their values, in the order of declaration.
  public var counters: [(name: String, value: Int)]
  /// What it wrote, if it is an exporter.
  public var emissions: [EmissionReport]
  /// Operations before and after.
  public var operations: (before: Int, after: Int)
}
