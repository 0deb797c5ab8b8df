import CKernels
import IRCGraph
import IRCOps
import IRCQuant
import IRCTensor

/// What a C template works with: the operation's operands as C expressions, and the statements that it adds.
struct StepBuilder {
  let graph: Graph
  let operation: Operation
  let constants: Set<ValueID>
  /// Index of the step, for the lifetimes of buffers.
  let index: Int
  /// Values of literals that C code needs in its text.
  let fold: (ValueID) throws -> Tensor
  /// Run-time values so far.
  var values: [ValueID: RowValue]
  var program: Program
  var used: [RowValue] = []
  var reads: [RowValue] = []
  var writes: [RowValue] = []
  /// Values that the kernel allows its result to be written over.
  var replaceable: [RowValue] = []
  /// Constants that calls take by address.
  var locals: [String] = []
  var calls: [KernelCall] = []
  /// True if the calls are for one token only.
  var isOneByOne = false
  /// True if threads share the work of a kernel.
  private(set) var isShared = false
  var work = StepWork()
  var notes: [String] = []

  /// Name of the value's variable, numbered: that of the module whose weight makes it, else the operator's.
  private func variableName(_ result: Int) -> String {
    let base =
      operation.operands.lazy.filter { constants.contains($0) }
      .compactMap { graph.parameterName(of: $0) }.first { $0.hasSuffix(".weight") }
      .map { cIdentifier(lastMeaningfulPart($0)) } ?? operation.op.operatorName
    return "\(base)_\(program.buffers.count)" + (result == 0 ? "" : "_\(result)")
  }

  // MARK: Operands

  func isConstant(_ operand: Int) -> Bool { constants.contains(operation.operands[operand]) }

  /// Extents of an operand with the fixed ones as numbers.
  func type(_ operand: Int) -> TensorType { graph.type(of: operation.operands[operand]) }

  /// A run-time operand.
  mutating func rows(_ operand: Int, _ type: CType = .float) throws -> RowValue {
    let id = operation.operands[operand]
    guard let value = values[id] else {
      throw OperatorError(
        constants.contains(id)
          ? "operand \(operand) must be made as the model runs"
          : "operand \(operand) of type \(graph.type(of: id)) has no rows in memory")
    }
    guard value.type == type else {
      throw OperatorError("operand \(operand) holds \(value.type.rawValue), not \(type.rawValue)")
    }
    use(value)
    reads.append(value)
    return value
  }

  /// A run-time operand with a row for each token of the call.
  mutating func tokenRows(_ operand: Int, _ type: CType = .float) throws -> RowValue {
    let value = try rows(operand, type)
    switch value.home {
    case .arena, .ids, .logits: return value
    case .state, .cache:
      throw OperatorError("operand \(operand) is a state, where a value for each token is needed")
    }
  }

  /// A value with a row for each token, whose rows the kernel allows its result to be written over.
  mutating func replaceableRows(_ operand: Int) throws -> RowValue {
    let value = try tokenRows(operand)
    replaceable.append(value)
    return value
  }

  private mutating func use(_ value: RowValue) {
    if !used.contains(value) { used.append(value) }
    if case .arena(let buffer) = value.home {
      let life = program.buffers[buffer].life
      program.buffers[buffer].life = life.lowerBound...max(life.upperBound, index)
    }
  }

  /// A real constant in single precision, as a C expression; `NULL` if there is no such operand.
  mutating func floats(_ operand: Int, isTable: Bool = false) throws -> String {
    guard operand < operation.operands.count else { return "NULL" }
    guard isConstant(operand) else { throw OperatorError("operand \(operand) must be a constant") }
    let tensor = try program.weights.floats(operation.operands[operand], graph)
    notes.append("\(tensor.name) \(tensor.shape)")
    work.weights.append(StepWork.Weight(tensor: tensor, isTable: isTable))
    return "floats_at(m, \(tensor.sections[0].offset))"
  }

  /// A real constant in half precision, if the checkpoint has it so.
  mutating func halves(_ operand: Int, isTable: Bool = false) throws -> String? {
    guard let tensor = try program.weights.halves(operation.operands[operand], graph) else {
      return nil
    }
    notes.append("\(tensor.name) \(tensor.shape) f16")
    work.weights.append(StepWork.Weight(tensor: tensor, isTable: isTable))
    return "(const uint16_t *)(const void *)(m->weights + \(tensor.sections[0].offset))"
  }

  /// A quantized constant whose codes are operand `first`, as the name of a local `irc_packed_weights`.
  mutating func packed(
    _ first: Int, _ spec: QuantizationSpec, isTable: Bool = false
  ) throws -> String {
    let operands = operation.operands[first...].prefix(spec.partCount)
    guard operands.allSatisfy(constants.contains) else {
      throw OperatorError("the weight's codes must be constants")
    }
    let zero = spec.hasZeroPoints ? operation.operands[first + 2] : nil
    let (tensor, packed) = try program.weights.packed(
      codes: operation.operands[first], scale: operation.operands[first + 1], zero: zero, spec,
      graph)
    notes.append("\(tensor.name) \(tensor.shape) \(tensor.format)")
    work.weights.append(StepWork.Weight(tensor: tensor, isTable: isTable))
    let offsets = tensor.sections.map { "m->weights + \($0.offset)" }
    locals += [
      "const irc_packed_weights w = {",
      "  .codes = \(offsets[0]), .scales = \(offsets[1]),",
      "  .zeros = \(zero == nil ? "NULL" : "(const int8_t *)(const void *)(\(offsets[2]))"),",
      "  .bits = \(packed.bits), .scale_type = \(packed.scaleFormat.cName),",
      "  .out = \(packed.rows), .in = \(packed.columns), .group = \(packed.group), "
        + ".groups = \(packed.groups), .row_bytes = \(packed.rowBytes),",
      "  .values = \(values(of: spec.format)), .tensor_scale = "
        + (packed.hasTensorScale
          ? "floats_at(m, \(tensor.sections[tensor.sections.count - 1].offset))" : "NULL")
        + (spec.format.isFitted ? ", .kind = \(spec.kindName)," : ","),
      "  .layout = \(packed.layout.cName),\(levels(of: spec.format))};",
    ]
    return "&w"
  }

  /// The table of a format's values at file scope, as a C expression; `NULL` for integers.
  private mutating func values(of format: NumericFormat) -> String {
    guard case .table(let table) = format else { return "NULL" }
    let values = table.values
    return constant("values") { name in
      ["// \(format)", "static const float \(name)[\(values.count)] = {"]
        + stride(from: 0, to: values.count, by: 8).map { start in
          "  " + values[start..<start + 8].map { floatLiteral($0) + "," }.joined(separator: " ")
        } + ["};"]
    }
  }

  /// The integers that the codes of a table stand for, as further fields of `irc_packed_weights`; nothing if there are none.
  private mutating func levels(of format: NumericFormat) -> String {
    guard case .table(let table) = format, let levels = table.levels else { return "" }
    let name = constant("levels") { name in
      ["// \(format)", "static const int8_t \(name)[\(levels.values.count)] = {"]
        + stride(from: 0, to: levels.values.count, by: 8).map { start in
          "  " + levels.values[start..<start + 8].map { "\($0)," }.joined(separator: " ")
        } + ["};"]
    }
    return " .levels = \(name), .level_step = \(floatLiteral(levels.step))"
  }

  /// A file-scope table of doubles.
  mutating func table(_ prefix: String, _ elements: [Double]) -> String {
    if let same = program.tables.first(where: { $0.values == elements }) { return same.name }
    let name = "\(prefix)_\(program.tables.count)"
    program.tables.append((name, elements))
    return name
  }

  /// A file-scope constant; equal ones share a name. `definition` takes the name and gives the lines.
  mutating func constant(_ prefix: String, _ definition: (String) -> [String]) -> String {
    if let same = program.constants.first(where: { $0.definition == definition($0.name) }) {
      return same.name
    }
    let name = "\(prefix)_\(program.constants.count)"
    program.constants.append((name, definition(name)))
    return name
  }

  /// Makes room for scratch of so many bytes.
  mutating func needScratch(bytes: Int) {
    program.scratchBytes = max(program.scratchBytes, aligned(bytes))
  }

  /// Makes room for the scratch of a product over `columns`.
  mutating func needScratch(columns: Int) {
    needScratch(bytes: irc_linear_scratch_bytes(columns))
  }

  // MARK: Results

  /// A new buffer for a result, with `columns` of the graph's type unless said otherwise.
  mutating func result(
    _ result: Int = 0, _ type: CType = .float, stride: Int? = nil
  ) throws -> RowValue {
    let id = operation.results[result]
    let shape = graph.type(of: id).shape
    guard (1...2).contains(shape.count), let columns = shape.count == 1 ? 1 : shape[1].fixed else {
      throw OperatorError("a result of type \(graph.type(of: id))")
    }
    if case .logits? = values[id]?.home, let value = values[id] {
      use(value)
      writes.append(value)
      return value
    }
    let value = RowValue(
      name: variableName(result), type: type, home: .arena(program.buffers.count),
      columns: columns, stride: stride ?? columns)
    program.buffers.append(
      ArenaBuffer(name: value.name, type: type, stride: value.stride, life: index...index))
    values[id] = value
    use(value)
    writes.append(value)
    return value
  }

  /// Lets a result be columns of an operand, without a copy.
  mutating func view(_ operand: RowValue, offset: Int, columns: Int) {
    var value = operand
    value.offset += offset
    value.name += "_\(value.offset)_\(value.offset + columns)"
    value.columns = columns
    values[operation.results[0]] = value
  }

  // MARK: Calls

  /// Adds a call of a helper of the C file.
  mutating func call(_ helper: String, _ arguments: [KernelCall.Argument]) {
    calls.append(KernelCall(function: helper, kernel: helper, arguments: arguments))
  }

  /// Adds a call of a kernel of `irc_kernels.h`.
  mutating func kernel(_ name: String, _ arguments: [KernelCall.Argument]) {
    calls.append(
      KernelCall(function: "IRC_NAME(\(name))", kernel: name, arguments: arguments))
  }

  /// Adds a call of a kernel of the table, which a tuned one may replace.
  mutating func tunable(_ name: String, _ arguments: [KernelCall.Argument]) {
    calls.append(
      KernelCall(function: "m->kernels->\(name)", kernel: name, arguments: arguments))
  }

  /// Adds a call of a kernel of the table whose work threads share, if there are any. `room` is its last argument, which each thread
  /// has for itself.
  mutating func shared(
    _ name: String, _ arguments: [KernelCall.Argument], room: KernelCall.Argument? = nil
  ) {
    guard program.hasThreads else {
      return tunable(name, arguments + (room.map { [$0] } ?? []))
    }
    isShared = true
    calls.append(
      KernelCall(
        function: "IRC_NAME(share_\(name))", kernel: name, arguments: ["&m->crew"] + arguments))
  }

  /// Room for a kernel, which a thread that works on some tokens has for itself.
  var scratch: KernelCall.Argument { .scratch(ofThread: program.hasThreads) }
}

extension QuantizationSpec {
  /// Name of what a group has in the section of scales, in C.
  fileprivate var kindName: String {
    switch format {
    case .integer, .table: "IRC_CODES_SCALED"
    case .codebook: "IRC_CODES_LISTED"
    case .binary: isSymmetric ? "IRC_CODES_SIGNED" : "IRC_CODES_OFFSET"
    }
  }
}

extension ScaleFormat {
  /// Name of the storage in C.
  fileprivate var cName: String {
    switch self {
    case .f32: "IRC_SCALE_F32"
    case .f16: "IRC_SCALE_F16"
    case .e8m0, .e8m0Floor: "IRC_SCALE_E8M0"
    case .e4m3: "IRC_SCALE_E4M3"
    }
  }
}
