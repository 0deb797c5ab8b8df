import IRCGraph
import IRCOps
import IRCSupport
import IRCTensor

/// Turns a graph into the steps of a program.
struct ProgramSelection {
  private let graph: Graph
  private let constants: Set<ValueID>
  private let fold: (ValueID) throws -> Tensor
  private var program = Program()
  private var values: [ValueID: RowValue] = [:]

  /// The program that computes the graph's only output.
  ///
  /// - Parameters:
  ///   - threads: Threads that a context has room for; 0 if there are to be none.
  ///   - fold: Gives the values of small constants.
  /// - Throws: `Diagnostic` `codegen.unsupported` naming the operation that no template fits.
  static func program(
    of graph: Graph, chunk: Int, threads: Int, fold: @escaping (ValueID) throws -> Tensor
  ) throws -> Program {
    var selection = ProgramSelection(graph: graph, fold: fold)
    selection.program.threads = threads
    return try selection.run(chunk: chunk)
  }

  private init(graph: Graph, fold: @escaping (ValueID) throws -> Tensor) {
    self.graph = graph
    self.fold = fold
    constants = graph.constants()
  }

  private mutating func run(chunk: Int) throws -> Program {
    let tail = graph.tail(constants: constants)
    let output = try checkedOutput()
    try placeLeaves()
    let uses = graph.uses()[output] ?? []
    let producer = graph.producer(of: output)
    let writesLogits = tail.contains(producer.id) && uses.isEmpty && !(producer.op is Slice)
    let logits = RowValue(
      name: "logits", type: .float, home: .logits, columns: program.vocabulary,
      stride: program.vocabulary)
    if writesLogits { values[output] = logits }

    let running = graph.operations.filter {
      !($0.op is any RuntimeLeaf) && !$0.results.allSatisfy(constants.contains)
    }
    var groups = LayerNames(graph: graph, constants: constants)
    let named = running.map { (operation: $0, layer: groups.layer(of: $0)) }
    var index = 0
    for isTail in [false, true] {
      let part = named.filter { tail.contains($0.operation.id) == isTail }
      for (operation, layer) in graph.rowsTogether(part, constants: constants) {
        guard let step = try step(for: operation, index: index) else { continue }
        append(step, layer, isTail: isTail)
        index += 1
      }
    }
    if !writesLogits { try copyOutput(output, to: logits, index) }
    try checkStates()
    program.joinRows()
    program.placeBuffers(chunk: chunk)
    nameFunctions()
    return program
  }

  // MARK: Interface of the graph

  private mutating func checkedOutput() throws -> ValueID {
    guard graph.outputs.count == 1, let output = graph.outputs.first else {
      throw Diagnostic(
        "codegen.unsupported", "the graph has \(graph.outputs.count) outputs, expected one")
    }
    let inputs = graph.operations(of: Input.self)
    guard inputs.count == 1, inputs[0].op.type.element == .i32, inputs[0].op.type.rank == 1 else {
      throw Diagnostic(
        "codegen.unsupported", "the graph needs exactly one input: token ids of type i32[tokens]")
    }
    let type = graph.type(of: output.value)
    guard type.element == .f32, type.rank == 2, type.shape[0] == inputs[0].op.type.shape[0],
      let columns = type.shape[1].fixed, columns > 0, !constants.contains(output.value)
    else {
      throw Diagnostic(
        "codegen.unsupported",
        "output '\(output.name)' has type \(type), expected f32[tokens, vocabulary] for "
          + "\(inputs[0].op.type) token ids")
    }
    program.vocabulary = columns
    return output.value
  }

  private mutating func placeLeaves() throws {
    for (operation, _) in graph.operations(of: Input.self) {
      values[operation.result] = RowValue(
        name: "ids", type: .int32, home: .ids, columns: 1, stride: 1)
    }
    for (operation, state) in graph.operations(of: State.self) {
      let grows = state.type.shape.first.map { $0.fixed == nil } ?? false
      let extents = state.type.shape.dropFirst(grows ? 1 : 0).compactMap(\.fixed)
      guard let type = CType(ofState: state.type.element, grows: grows),
        extents.count == state.type.rank - (grows ? 1 : 0),
        !grows || (state.type.rank == 2 && state.type.shape[0].constant == 0)
      else {
        throw unsupported(operation, "a state of type \(state.type)")
      }
      let count = extents.reduce(1, *)
      let offset = program.states.reduce(0) {
        if $1.grows != grows { return $0 }
        let bytes = $1.count * $1.type.byteCount
        return $0 + (grows ? bytes : aligned(bytes))
      }
      let index = program.states.count
      program.states.append(
        StateBuffer(name: state.name, type: type, count: count, grows: grows, offset: offset))
      let columns = state.type.rank == 2 ? extents.last ?? 1 : count
      values[operation.result] = RowValue(
        name: "state_\(cIdentifier(state.name))_\(index)", type: type,
        home: grows ? .cache(index) : .state(index), columns: columns, stride: columns)
    }
  }

  /// Every state must have been updated in place by now, or stay as it is.
  private func checkStates() throws {
    for (name, value) in graph.nextStates {
      guard let home = values[value]?.home,
        case .state(let index) = home.asState, program.states[index].name == name
      else {
        throw Diagnostic(
          "codegen.unsupported",
          "state '\(name)' becomes the result of '\(graph.producer(of: value).op.operatorName)', "
            + "which does not update it in place")
      }
    }
  }

  // MARK: Steps

  private mutating func step(for operation: Operation, index: Int) throws -> Program.Step? {
    guard let op = operation.op as? any EmittableOperator else {
      throw unsupported(operation, "there is no C template for it")
    }
    var builder = StepBuilder(
      graph: graph, operation: operation, constants: constants, index: index, fold: fold,
      values: values, program: program)
    do {
      try op.emit(&builder)
    } catch let error as OperatorError {
      throw unsupported(operation, error.message)
    }
    values = builder.values
    program = builder.program
    if builder.calls.isEmpty { return nil }
    let types = operation.operands.filter { !constants.contains($0) }.map {
      graph.type(of: $0).description
    }
    var comment =
      "\(op.operatorName): \(types.joined(separator: ", ")) -> "
      + operation.results.map { graph.type(of: $0).description }.joined(separator: ", ")
    if !builder.notes.isEmpty { comment += "; " + builder.notes.joined(separator: ", ") }
    let operandTypes = operation.operands.map { graph.type(of: $0) }
    let resultTypes = operation.results.map { graph.type(of: $0) }
    var work = builder.work
    work.integerProducts = op.integerProducts(operandTypes, resultTypes)
    if work.realProductsPerKey == 0 {
      work.realProducts = op.cost(operandTypes, resultTypes).macs - work.integerProducts
    }
    return Program.Step(
      index: index, title: op.operatorName, comment: comment, locals: builder.locals,
      calls: builder.calls, values: builder.used, reads: builder.reads, writes: builder.writes,
      rows: builder.isOneByOne ? .oneByOne : op.isRowwise ? .either : .together,
      isDivisible: op.isTokenwise && !builder.isShared,
      replaceable: builder.replaceable, work: work)
  }

  private mutating func append(_ step: Program.Step, _ layer: String, isTail: Bool) {
    let block = Program.Block(steps: [step], isLoop: false)
    if let last = program.functions.last, last.isTail == isTail, last.comment == layer {
      program.functions[program.functions.count - 1].blocks.append(block)
    } else {
      program.functions.append(
        Program.Function(name: "", comment: layer, isTail: isTail, blocks: [block]))
    }
  }

  private mutating func copyOutput(
    _ output: ValueID, to logits: RowValue, _ index: Int
  ) throws {
    let operation = graph.producer(of: output)
    guard let value = values[output], case .arena(let buffer) = value.home else {
      throw unsupported(operation, "the output is not made as the model runs")
    }
    let life = program.buffers[buffer].life
    program.buffers[buffer].life = life.lowerBound...max(life.upperBound, index)
    program.helpers.insert(.copyRows)
    let columns = program.vocabulary
    let copy = KernelCall(
      function: "copy_rows", kernel: "copy_rows",
      arguments: [.rows(logits), "\(columns)"] + value.strided + [.tokens, "\(columns)"])
    let step = Program.Step(
      index: index, title: "output", comment: "the output", calls: [copy],
      values: [logits, value], reads: [value], writes: [logits], rows: .either)
    append(step, "output", isTail: true)
  }

  private func unsupported(_ operation: Operation, _ reason: String) -> Diagnostic {
    Diagnostic(
      "codegen.unsupported",
      "no C can be made for operation \(operation.title): "
        + reason,
      hint: "change the pipeline so that the operation is lowered or left out")
  }

  // MARK: Functions

  private mutating func nameFunctions() {
    var taken: Set<String> = []
    for index in program.functions.indices {
      let function = program.functions[index]
      let base = (function.isTail ? "finish_" : "run_") + cIdentifier(function.comment)
      var name = base
      var number = 2
      while !taken.insert(name).inserted {
        name = "\(base)_\(number)"
        number += 1
      }
      program.functions[index].name = name
    }
  }
}

extension CType {
  /// How a state is kept: numbers, and codes where it grows by rows of them, or whole numbers where it does not.
  fileprivate init?(ofState element: ElementType, grows: Bool) {
    switch (element, grows) {
    case (.f32, _): self = .float
    case (.i8, true): self = .int8
    case (.i32, false): self = .int32
    default: return nil
    }
  }
}

extension RowValue.Home {
  /// Growing states and others alike.
  fileprivate var asState: RowValue.Home {
    if case .cache(let index) = self { .state(index) } else { self }
  }
}
