import CKernels
import IRCGraph
import IRCOps

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
    let new = try step.tokenRows(1)
    let cache = try step.updatedState(0, becomes: 0)
    guard case .cache = cache.home else {
      throw OperatorError("rows are appended to a state that does not grow")
    }
    step.program.helpers.insert(.copyRows)
    step.call(
      "copy_rows",
      [.appended(cache), "\(cache.stride)"] + new.strided
        + [.tokens, "\(cache.columns)"])
  }
}

extension Attention: EmittableOperator {
  var isTokenwise: Bool { false }

  func emit(_ step: inout StepBuilder) throws {
    let q = try step.tokenRows(0)
    let k = try step.rows(1)
    let v = try step.rows(2)
    // The value before `append` has a row for each token before this call, the one after also those of this call.
    let rows = step.type(0).shape[0]
    for (operand, value) in [(1, k), (2, v)] {
      guard case .cache = value.home, step.type(operand).shape[0] != rows,
        step.type(operand).shape[0].names.contains(where: rows.names.contains)
      else {
        throw OperatorError("keys and values must be states with this call's rows appended")
      }
    }
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
