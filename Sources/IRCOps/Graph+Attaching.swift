public import IRCGraph
public import IRCTensor

extension Graph {
  /// Adds a constant whose values a pass computed: a `param` that finds `tensor` in memory (`DerivedParameters`).
  ///
  /// - Parameters:
  ///   - tensor: of any type that a parameter can have; f64 is rounded where the graph runs in single precision
  ///   - name: a name that neither the checkpoint nor an earlier constant has, unless that has the same content
  ///   - anchor: the operation before which the constant is made; nil for the end of the graph
  /// - Throws: `Diagnostic` `parameters.duplicate` or `parameters.non-finite`, or `OperatorError` for an element type that no parameter has.
  public mutating func attach(
    _ tensor: Tensor, named name: String, before anchor: OperationID? = nil,
    at location: Location = .unknown
  ) throws -> ValueID {
    var derived = parameters as? DerivedParameters ?? DerivedParameters(over: parameters)
    try derived.add(tensor, named: name)
    let parameter = Parameter(name: name, shape: tensor.shape, stored: tensor.elementType)
    let value = try add(parameter, before: anchor, at: location)[0]
    parameters = derived
    return value
  }
}
