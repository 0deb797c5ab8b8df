import CKernels
import IRCGraph
import IRCOps
import IRCTensor

extension Positions: EmittableOperator {
  var isTokenwise: Bool { false }

  func emit(_ step: inout StepBuilder) throws {
    guard case .ids = try step.tokenRows(0, .int32).home else {
      throw OperatorError("positions of anything but the input")
    }
    (step.used, step.reads) = ([], [])
    let offset = try step.updatedState(1, becomes: 1)
    let y = try step.result(0, .int32)
    step.program.helpers.insert(.positions)
    step.call("positions", [.rows(y), .rows(offset), .tokens])
  }
}

extension RotaryEmbedding: EmittableOperator {
  var isRowwise: Bool { true }

  func emit(_ step: inout StepBuilder) throws {
    let x = try step.replaceableRows(0)
    let positions = try step.tokenRows(1, .int32)
    let table = step.table("rope_frequencies", frequencies)
    let y = try step.result()
    step.program.needsSequenceKernels = true
    step.kernel(
      "rope_f32",
      [.rows(y)] + x.strided
        + [
          .rows(positions), .text(table), .tokens, "\(y.columns / headDimension)",
          "\(headDimension)",
        ])
  }
}

extension Append: EmittableOperator {
  var isTokenwise: Bool { false }
  var isRowwise: Bool { true }

  func emit(_ step: inout StepBuilder) throws {
    let isCodes = step.type(1).element == .i8
    let new = try step.tokenRows(1, isCodes ? .int8 : .float)
    let cache = try step.updatedState(0, becomes: 0)
    guard case .cache = cache.home else {
      throw OperatorError("rows are appended to a state that does not grow")
    }
    step.program.helpers.insert(isCodes ? .copyCodes : .copyRows)
    step.call(
      isCodes ? "copy_codes" : "copy_rows",
      [.appended(cache), "\(cache.stride)"] + new.strided
        + [.tokens, "\(cache.columns)"])
  }
}

extension Attention: EmittableOperator {
  var isTokenwise: Bool { false }

  func emit(_ step: inout StepBuilder) throws {
    let q = try step.tokenRows(0)
    let k = try step.appendedRows(1)
    let v = try step.appendedRows(2)
    let y = try step.result()
    let width = y.columns / heads
    step.program.scoreColumns = max(
      step.program.scoreColumns, irc_attention_scratch(1, heads, keyValueHeads))
    step.program.needsSequenceKernels = true
    step.shared(
      "attention_f32",
      [.rows(y)] + q.strided + k.strided + v.strided
        + [.tokens, "m->position + tokens", "\(heads)", "\(keyValueHeads)", "\(width)"]
        + [.text(floatLiteral(Float(scale))), "\(window)"], room: "m->scores")
    (step.work.realProductsPerKey, step.work.window) = (2 * y.columns, window)
  }
}

extension IntegerAttention: EmittableOperator {
  var isTokenwise: Bool { false }

  func emit(_ step: inout StepBuilder) throws {
    let q = try step.tokenRows(0)
    let k = try step.appendedRows(1, .int8)
    let keyScales = try step.appendedRows(2)
    let v = try step.appendedRows(3, .int8)
    let valueScales = try step.appendedRows(4)
    guard keyScales.stride == valueScales.stride else {
      throw OperatorError("scales of keys and of values with different distances")
    }
    let y = try step.result()
    let (heads, keyHeads) = (attention.heads, attention.keyValueHeads)
    let width = y.columns / heads
    let scores = irc_attention_scratch(1, heads, keyHeads)
    let codes = irc_attention_i8_codes(width)
    step.program.scoreColumns = max(step.program.scoreColumns, scores)
    step.program.scoreCodes = max(step.program.scoreCodes, codes)
    step.program.needsSequenceKernels = true
    step.shared(
      "attention_i8",
      [.rows(y)] + q.strided + k.strided + [.rows(keyScales)] + v.strided + valueScales.strided
        + [.tokens, "m->position + tokens", "\(heads)", "\(keyHeads)", "\(width)"]
        + [.text(floatLiteral(Float(attention.scale))), "\(attention.window)"], room: "m->scores")
    step.work.activations = "int8 head"
    (step.work.integerProductsPerKey, step.work.realProductsPerKey) = (y.columns, y.columns)
    step.work.window = attention.window
  }
}

extension StepBuilder {
  /// A state with the rows of this call appended.
  fileprivate mutating func appendedRows(_ operand: Int, _ type: CType = .float) throws -> RowValue
  {
    let value = try rows(operand, type)
    // The value before `append` has a row for each token before this call, the one after also those of this call.
    let (appended, rows) = (self.type(operand).shape[0], self.type(0).shape[0])
    guard case .cache = value.home, appended != rows,
      appended.names.contains(where: rows.names.contains)
    else { throw OperatorError("keys and values must be states with this call's rows appended") }
    return value
  }
}

extension CausalConvolution: EmittableOperator {
  var isTokenwise: Bool { false }

  func emit(_ step: inout StepBuilder) throws {
    let x = try step.tokenRows(0)
    let weight = try step.floats(2)
    let bias = try step.floats(3)
    let state = try step.updatedState(1, becomes: 1)
    let y = try step.result()
    let width = step.type(2).shape[1].fixed ?? 0
    step.program.needsSequenceKernels = true
    step.tunable(
      "causal_conv_f32",
      [.rows(y), .rows(state)] + x.strided + [.rows(state), .text(weight), .text(bias)]
        + [.tokens, "\(y.columns)", "\(width)"])
  }
}

extension SelectiveScan: EmittableOperator {
  var isTokenwise: Bool { false }

  func emit(_ step: inout StepBuilder) throws {
    let u = try step.tokenRows(0)
    let delta = try step.tokenRows(1)
    let a = try step.floats(2)
    let b = try step.tokenRows(3)
    let c = try step.tokenRows(4)
    let d = try step.floats(5)
    let h = try step.updatedState(6, becomes: 1)
    let y = try step.result()
    step.program.needsSequenceKernels = true
    step.shared(
      "selective_scan_f32",
      [.rows(y), .rows(h)] + u.strided + delta.strided + [.text(a)] + b.strided + c.strided
        + [.text(d), .tokens, "\(y.columns)", "\(h.columns)"])
  }
}
