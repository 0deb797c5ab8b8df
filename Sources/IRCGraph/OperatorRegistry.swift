/// Every operator that the textual IR can name.
public struct OperatorRegistry: Sendable {
  private let types: [String: any Operator.Type]
  /// Names, sorted.
  public let names: [String]

  /// Lists operators; a name may occur once.
  public init(_ operators: [any Operator.Type]) {
    types = Dictionary(operators.map { ($0.name, $0) }) { first, _ in first }
    names = types.keys.sorted()
    precondition(types.count == operators.count, "two operators have one name")
  }

  /// The operators with more of them, whose names are new.
  public func adding(_ operators: [any Operator.Type]) -> OperatorRegistry {
    operators.isEmpty ? self : OperatorRegistry(types.values + operators)
  }

  /// The operator of that name.
  public subscript(name: String) -> (any Operator.Type)? { types[name] }
}
