import CKernels
import IRCGraph
import IRCOps
import IRCQuant
import IRCTensor

extension QuantizationParameters: EmittableOperator {
  var isTokenwise: Bool { spec.granularity != .tensor }

  /// Nothing by itself: one kernel finds the scales and rounds to codes, and `Quantize` calls it.
  func emit(_ step: inout StepBuilder) throws {
    try spec.checkActivations()
    _ = try spec.partsOfRow(step.type(0))
    guard spec.scaleFormat == .f32 else {
      throw OperatorError("activation scales in \(spec.scaleFormat.rawValue)")
    }
    let readers = step.graph.operations.filter { reader in
      step.operation.results.contains { reader.operands.contains($0) }
    }
    let quantizers = readers.filter {
      ($0.op as? Quantize)?.spec == spec
        && $0.operands == step.operation.operands + step.operation.results
    }
    guard quantizers.count == 1, readers.first?.id == quantizers[0].id else {
      throw OperatorError("scales that do not belong to one 'quantize' of the same value")
    }
  }
}

extension Quantize: EmittableOperator {
  var isRowwise: Bool { true }

  func emit(_ step: inout StepBuilder) throws {
    try spec.checkActivations()
    let x = try step.tokenRows(0)
    let stride = irc_code_stride(x.columns)
    if step.isConstant(1) {
      let literal = try step.literalScale(1, spec)
      let codes = try step.result(0, .int8, stride: stride)
      step.tunable(
        "quantize_static_i8",
        [.rows(codes), "\(stride)"] + x.strided + [.tokens, "\(x.columns)"]
          + [.text(floatLiteral(literal.scale)), "\(literal.zero)", "\(spec.codes.lowerBound)"]
          + ["\(spec.codes.upperBound)"])
      return
    }
    let parameters = step.graph.producer(of: step.operation.operands[1])
    guard let source = parameters.op as? QuantizationParameters, source.spec == spec,
      step.operation.operands == parameters.operands + parameters.results
    else { throw OperatorError("scales that were not made for the value") }
    // Parts of a row, such as heads, are rows of the kernel that lie end to end.
    let parts = try spec.partsOfRow(step.type(0))
    let codes = try step.result(0, .int8, stride: parts == 1 ? stride : x.columns)
    let scale = try step.scaleBuffer(parameters.results[0], .float, parts)
    var zero: KernelCall.Argument = "NULL"
    if spec.hasZeroPoints {
      zero = .rows(try step.scaleBuffer(parameters.results[1], .int32, parts))
    }
    if parts == 1 {
      step.tunable(
        "quantize_tokens_i8",
        [.rows(codes), "\(stride)", .rows(scale), zero] + x.strided
          + [.tokens, "\(x.columns)", "\(spec.format.bits)"])
      return
    }
    let width = x.columns / parts
    step.isOneByOne = !x.isDense
    step.tunable(
      "quantize_tokens_i8",
      [.rows(codes), "\(width)", .rows(scale), zero, .rows(x), "\(width)"]
        + [.elements(parts), "\(width)", "\(spec.format.bits)"])
  }
}

extension Dequantize: EmittableOperator {
  var isRowwise: Bool { true }

  func emit(_ step: inout StepBuilder) throws {
    try spec.checkActivations()
    let codes = try step.tokenRows(0, .int8)
    let scale = try step.activationScale(1, spec)
    let y = try step.result()
    step.program.helpers.insert(.dequantize)
    step.call(
      "dequantize",
      [.rows(y)] + codes.strided + [scale.scale, scale.zero, "\(scale.stride)"]
        + [.tokens, "\(y.columns)"])
  }
}

extension StepBuilder {
  /// A buffer with some numbers for each token, one for each part of its row, that another operation's result stands for.
  mutating func scaleBuffer(
    _ value: ValueID, _ type: CType, _ parts: Int = 1
  ) throws -> RowValue {
    let name = "\(type == .float ? "scale" : "zero")_\(program.buffers.count)"
    let made = RowValue(
      name: name, type: type, home: .arena(program.buffers.count), columns: parts, stride: parts)
    program.buffers.append(
      ArenaBuffer(name: name, type: type, stride: parts, life: index...index))
    values[value] = made
    used.append(made)
    writes.append(made)
    return made
  }

  /// Scale and zero point of activations as C expressions, with the distance from one token's to the next.
  mutating func activationScale(
    _ operand: Int, _ spec: QuantizationSpec
  ) throws -> (scale: KernelCall.Argument, zero: KernelCall.Argument, stride: Int) {
    if isConstant(operand) {
      let literal = try literalScale(operand, spec)
      locals.append("const float x_scale = \(floatLiteral(literal.scale));")
      if !spec.hasZeroPoints { return ("&x_scale", "NULL", 0) }
      locals.append("const int32_t x_zero = \(literal.zero);")
      return ("&x_scale", "&x_zero", 0)
    }
    guard spec.granularity == .row else {
      throw OperatorError("activations with scales of granularity '\(spec.granularity)'")
    }
    let scale = try tokenRows(operand)
    let zero = spec.hasZeroPoints ? try tokenRows(operand + 1, .int32) : nil
    return (.rows(scale), zero.map { .rows($0) } ?? "NULL", 1)
  }

  /// The one scale and zero point of static activations.
  func literalScale(
    _ operand: Int, _ spec: QuantizationSpec
  ) throws -> (scale: Float, zero: Int) {
    let scale = try fold(operation.operands[operand])
    guard scale.count == 1, let value = scale.array(of: Float.self).first, value.isFinite else {
      throw OperatorError("static activations need one finite scale")
    }
    if !spec.hasZeroPoints { return (value, 0) }
    let zero = try fold(operation.operands[operand + 1]).array(of: Int8.self).first ?? 0
    return (value, Int(zero))
  }
}

extension QuantizationSpec {
  /// Fails for formats that no kernel rounds to as the model runs.
  fileprivate func checkActivations() throws(OperatorError) {
    guard format.isInteger else { throw OperatorError("activations of format \(format)") }
  }

  /// Parts of a row that have a scale each as the model runs; all of them are of one size.
  fileprivate func partsOfRow(_ type: TensorType) throws -> Int {
    switch granularity {
    case .row: return 1
    case .group(let size):
      if let columns = type.shape.last?.fixed, columns.isMultiple(of: size) {
        return columns / size
      }
    case .tensor: break
    }
    throw OperatorError("activations with scales of granularity '\(granularity)'")
  }

  /// The codes that values are clamped to, as the kernels have it.
  var codes: ClosedRange<Int32> {
    var (low, high): (Int32, Int32) = (0, 0)
    unsafe irc_code_bounds(&low, &high, UInt32(format.bits), isSymmetric)
    return low...high
  }
}
