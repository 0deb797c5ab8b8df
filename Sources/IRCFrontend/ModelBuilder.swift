public import IRCGraph
import IRCOps
import IRCSupport
import IRCTensor

/// Builds a graph out of the tensors of a checkpoint, checking each one and remembering what became of it.
///
/// A tensor that is missing or does not fit is noted, and a stand-in goes into the graph, so that all such problems of a
/// checkpoint are found together; `finish` throws them.
public struct ModelBuilder {
  /// What was built so far.
  public private(set) var graph: Graph
  private let checkpoint: Checkpoint
  private var problems: [Diagnostic] = []
  private var roles: [ByteKey: TensorAccount.Role] = [:]
  private var parameters: [ByteKey: ValueID] = [:]

  /// Problems of one checkpoint that are shown.
  static let problemLimit = 20

  init(name: String, checkpoint: Checkpoint) {
    graph = Graph(name: name)
    graph.parameters = checkpoint
    self.checkpoint = checkpoint
  }

  /// True if the checkpoint has a tensor of that name.
  public func has(_ name: String) -> Bool { checkpoint[name] != nil }

  // MARK: - Graph

  /// Adds an operation that has to do with a tensor and returns its results.
  @discardableResult
  public mutating func add(
    _ op: any Operator, _ operands: [ValueID] = [], at tensor: String
  ) throws -> [ValueID] {
    try graph.add(op, operands, at: .checkpoint(tensor))
  }

  /// Adds an operation with one result that has to do with a tensor.
  public mutating func make(
    _ op: any Operator, _ operands: [ValueID] = [], at tensor: String
  ) throws -> ValueID {
    try add(op, operands, at: tensor)[0]
  }

  /// Names an output of the graph.
  public mutating func output(_ name: String, _ value: ValueID) {
    graph.addOutput(name, value)
  }

  /// Says what a state is after a run.
  public mutating func next(_ state: String, _ value: ValueID) {
    graph.setNextState(state, value)
  }

  /// x·Wᵀ (+ bias) with `prefix.weight` [outputs, inputs] and, where `bias` says so, `prefix.bias` [outputs].
  public mutating func linear(
    _ x: ValueID, _ prefix: String, inputs: Int, outputs: Int, bias: Bool
  ) throws -> ValueID {
    var operands = [x, try parameter("\(prefix).weight", [outputs, inputs])]
    if bias { operands.append(try parameter("\(prefix).bias", [outputs])) }
    return try make(Linear(), operands, at: "\(prefix).weight")
  }

  // MARK: - Tensors

  /// A tensor as a value of the graph; the same value each time.
  public mutating func parameter(_ name: String, _ shape: [Int]) throws -> ValueID {
    if let value = parameters[ByteKey(name)] { return value }
    let stored = check(name, shape)
    let value = try make(
      Parameter(name: name, shape: shape, stored: stored?.type.element ?? .f32), at: name)
    parameters[ByteKey(name)] = value
    roles[ByteKey(name)] = .used
    return value
  }

  /// The table of embeddings and the matrix that makes logits of hidden states, both [vocabulary, width].
  ///
  /// When tied they are one tensor, stored under either name, or under both with the same content.
  public mutating func vocabularyTables(
    table: String, head: String, _ shape: [Int], areTied: Bool
  ) throws -> (table: ValueID, head: ValueID, headName: String) {
    guard areTied else {
      return (try parameter(table, shape), try parameter(head, shape), head)
    }
    if let first = checkpoint[table], let second = checkpoint[head] {
      if try !checkpoint.areEqual(first, second) {
        problems.append(
          Diagnostic(
            "checkpoint.tied",
            "config.json says that '\(table)' and '\(head)' are one tensor, but the checkpoint holds two different ones",
            at: SourceLocation(file: second.file),
            hint:
              "set tie_word_embeddings to false if both are meant, else get the checkpoint again"))
      }
      roles[ByteKey(head)] = .tied(to: table)
    }
    let name = has(table) || !has(head) ? table : head
    let value = try parameter(name, shape)
    return (value, value, name)
  }

  /// Marks all tensors that fit the pattern, and that nothing uses, as of no use.
  public mutating func ignore(_ pattern: String, reason: String) {
    let pattern = NamePattern(pattern)
    for tensor in checkpoint.tensors
    where roles[ByteKey(tensor.name)] == nil && pattern.matches(tensor.name) {
      roles[ByteKey(tensor.name)] = .ignored(reason: reason)
    }
  }

  /// The tensor of that name, if it is what the graph needs; else notes why not.
  private mutating func check(_ name: String, _ shape: [Int]) -> StoredTensor? {
    let expected = "[\(shape.map(String.init).joined(separator: ", "))]"
    guard let tensor = checkpoint[name] else {
      let unused = checkpoint.tensors.lazy.map(\.name)
        .filter { [roles] in roles[ByteKey($0)] == nil }
      problems.append(
        Diagnostic(
          "checkpoint.missing-tensor", "tensor '\(name)' of shape \(expected) is missing",
          at: SourceLocation(file: checkpoint.folder),
          hint: problems.count < ModelBuilder.problemLimit
            ? nearestMatch(to: name, in: unused).map { "there is '\($0)'" } : nil))
      return nil
    }
    let place = SourceLocation(file: tensor.file)
    if tensor.shape != shape {
      problems.append(
        Diagnostic(
          "checkpoint.shape",
          "tensor '\(name)' is \(tensor.description), expected shape \(expected)", at: place,
          hint: "config.json and the checkpoint do not belong together"))
      return nil
    }
    if !tensor.type.isWeight {
      problems.append(
        Diagnostic(
          "checkpoint.dtype",
          "tensor '\(name)' is \(tensor.description), expected F32, F16 or BF16", at: place,
          hint: "convert the checkpoint, for example to F16"))
      return nil
    }
    return tensor
  }

  // MARK: - End

  /// The graph, and what became of each tensor.
  ///
  /// - Throws: `DiagnosticList` with everything noted, and one `checkpoint.unexpected-tensor` for each tensor without a role.
  func finish() throws -> (Graph, TensorAccounting) {
    var problems = problems
    var accounts: [TensorAccount] = []
    for tensor in checkpoint.tensors {
      if let role = roles[ByteKey(tensor.name)] {
        accounts.append(TensorAccount(tensor: tensor, role: role))
      } else {
        problems.append(
          Diagnostic(
            "checkpoint.unexpected-tensor",
            "tensor '\(tensor.name)' (\(tensor.description)) has no place in this architecture",
            at: SourceLocation(file: tensor.file),
            hint: "the network would not be what was trained: check config.json"))
      }
    }
    problems = ModelBuilder.gathered(problems)
    let hidden = problems.count - ModelBuilder.problemLimit
    if hidden > 0 {
      problems = Array(problems.prefix(ModelBuilder.problemLimit))
      problems[problems.count - 1].notes.append("\(hidden) more problems are not shown")
    }
    if !problems.isEmpty { throw DiagnosticList(problems) }
    return (graph, TensorAccounting(accounts: accounts))
  }

  /// Tensors of wrong shapes as one problem: a wrong size in config.json makes many of them.
  private static func gathered(_ problems: [Diagnostic]) -> [Diagnostic] {
    let isShape = { (problem: Diagnostic) in problem.id == "checkpoint.shape" }
    let more = problems.count(where: isShape) - 1
    guard more > 0, let first = problems.firstIndex(where: isShape) else { return problems }
    var result = problems.enumerated().filter { $0.offset == first || !isShape($0.element) }
      .map(\.element)
    if let place = result.firstIndex(where: isShape) {
      result[place].notes.append("and \(more) more tensor\(more == 1 ? "" : "s") of other shapes")
    }
    return result
  }
}
