import IRCGraph
import IRCOps

extension Positions: EmittableOperator {
  var isTokenwise: Bool { false }

  func emit(_ step: inout StepBuilder) throws {
    guard case .ids = try step.tokenRows(0, .int32).home else {
      throw OperatorError("positions of anything but the input")
    }
    step.used = []
    let offset = try step.updatedState(1, becomes: 1)
    let y = try step.result(0, .int32)
    step.program.helpers.insert(.positions)
    step.call("positions", [y.name, offset.name, "tokens"])
  }
}

extension RotaryEmbedding: EmittableOperator {
  func emit(_ step: inout StepBuilder) throws {
    let x = try step.tokenRows(0)
    let positions = try step.tokenRows(1, .int32)
    let table = step.table("rope_frequencies", frequencies)
    let y = try step.result()
    step.program.needsSequenceKernels = true
    step.kernel(
      "rope_f32",
      [y.name] + x.strided
        + [positions.name, table, "tokens", "\(y.columns / headDimension)", "\(headDimension)"])
  }
}

extension Append: EmittableOperator {
  var isTokenwise: Bool { false }

  func emit(_ step: inout StepBuilder) throws {
    let new = try step.tokenRows(1)
    let cache = try step.updatedState(0, becomes: 0)
    guard case .cache = cache.home else {
      throw OperatorError("rows are appended to a state that does not grow")
    }
    step.program.helpers.insert(.copyRows)
    step.call(
      "copy_rows",
      ["\(cache.name) + m->position * \(cache.stride)", "\(cache.stride)"] + new.strided
        + ["tokens", "\(cache.columns)"])
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
    step.program.attends = true
    step.program.needsSequenceKernels = true
    step.kernel(
      "attention_f32",
      [y.name] + q.strided + k.strided + v.strided
        + ["tokens", "m->position + tokens", "\(heads)", "\(keyValueHeads)", "\(width)"]
        + [floatLiteral(Float(scale)), "\(window)", "m->scores"])
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
    step.kernel(
      "causal_conv_f32",
      [y.name, state.name] + x.strided + [state.name, weight, bias]
        + ["tokens", "\(y.columns)", "\(width)"])
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
    step.kernel(
      "selective_scan_f32",
      [y.name, h.name] + u.strided + delta.strided + [a] + b.strided + c.strided
        + [d, "tokens", "\(y.columns)", "\(h.columns)"])
  }
}
