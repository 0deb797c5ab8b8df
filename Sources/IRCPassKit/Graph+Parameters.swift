public import IRCGraph
import IRCOps

extension Graph {
  /// Name of the checkpoint tensor that a constant is made from: the first one met along first operands.
  public func parameterName(of value: ValueID) -> String? {
    var current = value
    while true {
      let producer = producer(of: current)
      if let parameter = producer.op as? Parameter { return parameter.name }
      guard let first = producer.operands.first else { return nil }
      current = first
    }
  }

  /// True if an output or a next state reads the value.
  public func isObserved(_ value: ValueID) -> Bool {
    outputs.contains { $0.value == value } || nextStates.contains { $0.value == value }
  }
}
