public import IRCGraph

extension Graph {
  /// True if an output or a next state reads the value.
  public func isObserved(_ value: ValueID) -> Bool {
    outputs.contains { $0.value == value } || nextStates.contains { $0.value == value }
  }
}
