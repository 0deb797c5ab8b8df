import IRCGraph
import IRCOps
import IRCQuant

extension Linear: EmittableOperator {
  func emit(_ step: inout StepBuilder) throws {
    let x = try step.tokenRows(0)
    guard step.isConstant(1) else { throw OperatorError("the weight must be a constant") }
    let halves = try step.halves(1)
    let weight = try halves ?? step.floats(1)
    let bias = try step.floats(2)
    let y = try step.result()
    let arguments = [.rows(y), "\(y.stride)"] + x.strided + [.text(weight), .text(bias), .tokens]
    let sizes: [KernelCall.Argument] = ["\(x.columns)", "\(y.columns)"]
    if halves != nil {
      step.needScratch(columns: x.columns)
      step.shared("linear_f16", arguments + sizes, room: "m->scratch")
    } else {
      step.shared("linear_f32", arguments + sizes)
    }
  }
}

extension DequantizingLinear: EmittableOperator {
  func emit(_ step: inout StepBuilder) throws {
    let arguments = try arguments(&step)
    step.shared("linear_q_f32", arguments + [.tokens], room: "m->scratch")
  }

  /// What every kernel of this product takes first: the result, the input, the weight and the bias.
  func arguments(_ step: inout StepBuilder) throws -> [KernelCall.Argument] {
    let x = try step.tokenRows(0)
    let weight = try step.packed(1, weights)
    let bias = try bias ? step.floats(1 + weights.partCount) : "NULL"
    let y = try step.result()
    step.needScratch(columns: x.columns)
    return [.rows(y), "\(y.stride)"] + x.strided + [.text(weight), .text(bias)]
  }
}

extension IntegerLinear: EmittableOperator {
  func integerProducts(_ operands: [TensorType], _ results: [TensorType]) -> Int {
    cost(operands, results).macs
  }

  func emit(_ step: inout StepBuilder) throws {
    let arguments = try arguments(&step)
    step.shared("linear_q_i8", arguments + [.tokens], room: "m->scratch")
  }

  /// What every kernel of this product takes first: the result, the codes, their scale, the weight and the bias.
  func arguments(_ step: inout StepBuilder) throws -> [KernelCall.Argument] {
    let x = try step.tokenRows(0, .int8)
    guard x.offset == 0, x.stride % 32 == 0 else {
      throw OperatorError("the codes must fill whole blocks of 32")
    }
    let scale = try step.activationScale(1, activations)
    step.work.activations = "\(activations.format) \(activations.granularity)"
    let first = activations.partCount
    let weight = try step.packed(first, weights)
    let bias = try bias ? step.floats(first + weights.partCount) : "NULL"
    let y = try step.result()
    step.needScratch(columns: x.columns)
    return [.rows(y), "\(y.stride)"] + x.strided
      + [scale.scale, scale.zero, "\(scale.stride)", .text(weight), .text(bias)]
  }
}

extension Embedding: EmittableOperator {
  func emit(_ step: inout StepBuilder) throws {
    let ids = try step.tokenRows(0, .int32)
    guard case .ids = ids.home, step.isConstant(1) else {
      throw OperatorError("an embedding of anything but the input with a constant table")
    }
    let halves = try step.halves(1, isTable: true)
    let table = try halves ?? step.floats(1, isTable: true)
    let y = try step.result()
    step.limitTokens(table: 1)
    step.kernel(
      halves == nil ? "embedding_f32" : "embedding_f16",
      [.rows(y), .rows(ids), .text(table), .tokens, "\(y.columns)"])
  }
}

extension DequantizingEmbedding: EmittableOperator {
  func emit(_ step: inout StepBuilder) throws {
    let ids = try step.tokenRows(0, .int32)
    guard case .ids = ids.home else {
      throw OperatorError("an embedding of anything but the input")
    }
    let table = try step.packed(1, weights, isTable: true)
    let y = try step.result()
    step.limitTokens(table: 1)
    step.kernel("embedding_q", [.rows(y), .rows(ids), .text(table), .tokens])
  }
}

extension StepBuilder {
  /// Token ids must be rows of the table that operand `operand` is.
  fileprivate mutating func limitTokens(table operand: Int) {
    program.tokenLimit = min(program.tokenLimit, type(operand).shape[0].fixed ?? 0)
  }
}
