/// A constant that a file holds under a name.
public protocol NamedConstant: Operator {
  /// The tensor's name.
  var name: String { get }
}

extension Graph {
  /// Name of the checkpoint tensor that a constant is made from: the first one met along first operands. For one that a pass
  /// computed it is the tensor that the pass made it of, the first if it made it of several.
  public func parameterName(of value: ValueID) -> String? {
    namedConstant(of: value).map { $0.location.checkpointName ?? $0.name }
  }

  /// Name of the constant that parameters have for a value, the checkpoint's or one that a pass computed: the first one met along
  /// first operands.
  public func constantName(of value: ValueID) -> String? { namedConstant(of: value)?.name }

  /// Name of the checkpoint tensor in whose place a constant was made: the first that locations tell along first operands.
  public func checkpointPlace(of value: ValueID) -> String? {
    var current = value
    while true {
      let producer = producer(of: current)
      if let name = producer.location.checkpointName { return name }
      guard let first = producer.operands.first else { return nil }
      current = first
    }
  }

  private func namedConstant(of value: ValueID) -> (name: String, location: Location)? {
    var current = value
    while true {
      let producer = producer(of: current)
      if let constant = producer.op as? any NamedConstant {
        return (constant.name, producer.location)
      }
      guard let first = producer.operands.first else { return nil }
      current = first
    }
  }
}
