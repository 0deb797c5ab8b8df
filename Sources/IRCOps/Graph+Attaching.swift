public import IRCGraph
import IRCSupport
public import IRCTensor

extension Graph {
  /// Adds a constant whose values a pass computed: a `param` that finds `tensor` in memory (`DerivedParameters`).
  ///
  /// - Parameters:
  ///   - tensor: of any type that a parameter can have; the emitted file holds f16 in half precision, and f64 is rounded where the
  ///     graph runs in single precision
  ///   - name: a name that neither the checkpoint nor an earlier constant has, unless that has the same content
  ///   - isKeptReal: true if no pass may give it another format
  ///   - anchor: the operation before which the constant is made; nil for the end of the graph
  /// - Throws: `Diagnostic` `parameters.duplicate` or `parameters.non-finite`, or `OperatorError` for an element type that no parameter has.
  public mutating func attach(
    _ tensor: Tensor, named name: String, isKeptReal: Bool = false,
    before anchor: OperationID? = nil, at location: Location = .unknown
  ) throws -> ValueID {
    var derived = parameters as? DerivedParameters ?? DerivedParameters(over: parameters)
    try derived.add(tensor, named: name)
    let parameter = Parameter(
      name: name, shape: tensor.shape, stored: tensor.elementType, isKeptReal: isKeptReal)
    let value = try add(parameter, before: anchor, at: location)[0]
    parameters = derived
    return value
  }

  /// As `attach(_:named:isKeptReal:before:at:)`, with `#2`, `#3` … behind a name that means another tensor already.
  public mutating func attach(
    _ tensor: Tensor, numberedFrom name: String, isKeptReal: Bool = false,
    before anchor: OperationID? = nil, at location: Location = .unknown
  ) throws -> ValueID {
    var count = 1
    while true {
      do {
        return try attach(
          tensor, named: count == 1 ? name : "\(name)#\(count)", isKeptReal: isKeptReal,
          before: anchor, at: location)
      } catch let problem as Diagnostic where problem.id == "parameters.duplicate" {
        count += 1
      }
    }
  }

  /// Adds a constant of which only name, shape and type are known, for a forecast: nothing that reads it can run.
  ///
  /// - Returns: the constant, under the name with `#2`, `#3` … behind it where there is one of that name.
  /// - Throws: `OperatorError` for an element type that no parameter has.
  public mutating func announce(
    _ name: String, shape: [Int], stored: ElementType, before anchor: OperationID,
    at location: Location
  ) throws -> ValueID {
    let taken = Set(operations(of: Parameter.self).map { Array($0.op.name.utf8) })
    var (own, count) = (name, 1)
    while taken.contains(Array(own.utf8)) {
      count += 1
      own = "\(name)#\(count)"
    }
    return try add(
      Parameter(name: own, shape: shape, stored: stored), before: anchor, at: location)[0]
  }

  /// Forgets the constants that passes computed and no operation refers to any more.
  public mutating func dropUnusedParameters() {
    guard let derived = parameters as? DerivedParameters else { return }
    parameters = derived.keeping(Set(operations(of: Parameter.self).map { Array($0.op.name.utf8) }))
  }

  /// True if a constant is made, going by the first operands, from a tensor whose precision was chosen when it was made.
  public func isKeptReal(_ value: ValueID) -> Bool {
    var value = value
    while true {
      let producer = producer(of: value)
      if let parameter = producer.op as? Parameter { return parameter.isKeptReal }
      guard let first = producer.operands.first else { return false }
      value = first
    }
  }
}
