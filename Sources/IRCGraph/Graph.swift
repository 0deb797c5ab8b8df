public import IRCTensor

/// Names a value of one graph.
public struct ValueID: Hashable, Sendable, Comparable {
  let index: Int

  public static func < (a: ValueID, b: ValueID) -> Bool { a.index < b.index }
}

/// Names an operation of one graph.
public struct OperationID: Hashable, Sendable {
  let index: Int
}

/// One operator applied to values.
public struct Operation: Sendable {
  /// Its name in the graph.
  public let id: OperationID
  /// What it computes.
  public internal(set) var op: any Operator
  /// What it reads.
  public internal(set) var operands: [ValueID]
  /// What it makes.
  public internal(set) var results: [ValueID]
  /// Where it comes from.
  public var location: Location

  /// Its first result.
  public var result: ValueID { results[0] }
  /// Its operator and where it comes from, for messages: `'linear' (checkpoint tensor 'a.weight', by gptq)`.
  public var title: String { "'\(op.operatorName)'" + (location.words.map { " (\($0))" } ?? "") }
}

/// What the graph's values may be taken for: each later stage allows what the pass that leads to it makes.
public enum Stage: String, Hashable, Sendable, CaseIterable {
  /// Real numbers only.
  case float
  /// With explicit `quantize` and `dequantize`.
  case quantized
  /// With kernel operators.
  case kernels
}

/// Something that a pass has made true of a graph and later passes rely on, such as `norm-gains-folded`.
public struct Fact: Hashable, Sendable, Comparable, CustomStringConvertible {
  /// The fact's name in kebab-case.
  public let description: String

  /// Names a fact.
  public init(_ name: String) {
    description = name
  }

  public static func < (a: Fact, b: Fact) -> Bool { a.description < b.description }
}

/// A network: operators over typed values in an order in which they can run.
///
/// A value type: a copy is a snapshot, and storage is shared until one of the two changes. States are values that live
/// from one run to the next: a `state` operation reads one, and `next` names the value it has afterwards.
public struct Graph: Sendable {
  /// Name of the network.
  public var name: String
  /// How far it has been lowered.
  public var stage: Stage = .float
  /// What passes have established.
  public var facts: Set<Fact> = []
  /// Value of each state after a run, in order of first mention.
  public internal(set) var nextStates: [(name: String, value: ValueID)] = []
  /// What the graph computes, in order.
  public internal(set) var outputs: [(name: String, value: ValueID)] = []
  /// Where parameters find their values; not part of the text form.
  public var parameters: any ParameterSource = NoParameters()

  var table: [Operation?] = []
  var order: [OperationID] = []
  var types: [TensorType] = []
  var producers: [(operation: OperationID, index: Int)] = []
  /// Operand places that read each value.
  var readerCounts: [Int] = []

  /// An empty graph.
  public init(name: String) {
    self.name = name
  }

  /// The operations in an order in which they can run.
  public var operations: [Operation] { order.compactMap { table[$0.index] } }

  /// The operation of that name.
  public subscript(id: OperationID) -> Operation {
    guard let operation = table[id.index] else { preconditionFailure("operation was erased") }
    return operation
  }

  /// Type of a value.
  public func type(of value: ValueID) -> TensorType { types[value.index] }

  /// The operation that makes a value.
  public func producer(of value: ValueID) -> Operation { self[producers[value.index].operation] }

  /// Which result of its producer a value is.
  public func resultIndex(of value: ValueID) -> Int { producers[value.index].index }

  /// The operator that makes a value, if it is of kind `Kind`.
  public func definition<Kind: Operator>(of value: ValueID, as kind: Kind.Type) -> Kind? {
    producer(of: value).op as? Kind
  }

  /// The operations of one kind, with their operators, in order.
  public func operations<Kind: Operator>(
    of kind: Kind.Type
  ) -> [(operation: Operation, op: Kind)] {
    operations.compactMap { operation in (operation.op as? Kind).map { (operation, $0) } }
  }

  /// Number of operand places that read a value.
  public func readerCount(of value: ValueID) -> Int { readerCounts[value.index] }

  /// The operations that read each value, in order; one entry for each operand place.
  public func uses() -> [ValueID: [(operation: OperationID, operand: Int)]] {
    var uses: [ValueID: [(operation: OperationID, operand: Int)]] = [:]
    for operation in operations {
      for (index, operand) in operation.operands.enumerated() {
        uses[operand, default: []].append((operation.id, index))
      }
    }
    return uses
  }

  /// For each value, whether it depends on neither an input nor a state, so that it can be folded.
  public func constants() -> Set<ValueID> {
    var constants: Set<ValueID> = []
    for operation in operations where !(operation.op is any RuntimeLeaf) {
      if operation.operands.allSatisfy(constants.contains) {
        constants.formUnion(operation.results)
      }
    }
    return constants
  }
}

/// An operator without operands whose value comes at run time: an input or a state.
public protocol RuntimeLeaf: Operator {
  /// Name by which the value is bound.
  var name: String { get }
  /// Type that was declared, since there is nothing to infer it from.
  var type: TensorType { get }
  /// Declares a value; the parser takes the type from the right of the colon.
  init(name: String, type: TensorType)
}

extension RuntimeLeaf {
  /// Reads the name; the type is not an attribute.
  public init(reading attributes: inout AttributeReader) {
    self.init(name: attributes.string("name"), type: TensorType(.f32, []))
  }

  public var attributes: [(name: String, value: Attribute)] { [("name", .string(name))] }
  public func resultTypes(_ operands: [TensorType]) throws(OperatorError) -> [TensorType] { [type] }
  public func invariance(_ operands: [TensorType]) -> InvarianceRule { .opaque }

  /// Always fails: the executor binds leaves before it runs anything.
  public func evaluate(_ operands: [Tensor], in context: EvaluationContext) throws -> [Tensor] {
    throw OperatorError("'\(name)' has no value")
  }
}
