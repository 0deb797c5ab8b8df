/// A constant that a file holds under a name.
public protocol NamedConstant: Operator {
  /// The tensor's name.
  var name: String { get }
}

extension Graph {
  /// Name of the checkpoint tensor that a constant is made from: the first one met along first operands.
  public func parameterName(of value: ValueID) -> String? {
    var current = value
    while true {
      let producer = producer(of: current)
      if let constant = producer.op as? any NamedConstant { return constant.name }
      guard let first = producer.operands.first else { return nil }
      current = first
    }
  }
}
