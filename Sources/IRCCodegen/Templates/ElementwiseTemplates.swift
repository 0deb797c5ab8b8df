import IRCGraph
import IRCOps

extension StepBuilder {
  /// A function of single elements that has a kernel for rows with a stride.
  mutating func elementwise(rows kernel: String) throws {
    let x = try replaceableRows(0)
    let y = try result()
    tunable(kernel, [.rows(y)] + x.strided + [.tokens, "\(y.columns)"])
  }

  /// A function of single elements whose kernel takes a run of them.
  mutating func elementwise(run kernel: String) throws {
    let x = try replaceableRows(0)
    let y = try result()
    isOneByOne = !x.isDense || !y.isDense
    tunable(kernel, [.rows(y), .rows(x), .elements(y.columns)])
  }

  /// A function of two values of one type.
  mutating func elementwise(pairs kernel: String) throws {
    let a = try replaceableRows(0)
    let b = try replaceableRows(1)
    let y = try result()
    tunable(kernel, [.rows(y)] + a.strided + b.strided + [.tokens, "\(y.columns)"])
  }
}

extension Add: EmittableOperator {
  var isRowwise: Bool { true }

  func emit(_ step: inout StepBuilder) throws { try step.elementwise(pairs: "add_rows_f32") }
}

extension Multiply: EmittableOperator {
  var isRowwise: Bool { true }

  func emit(_ step: inout StepBuilder) throws {
    guard step.isConstant(1) else { return try step.elementwise(pairs: "mul_rows_f32") }
    let a = try step.replaceableRows(0)
    let gain = try step.floats(1)
    let y = try step.result()
    // Every row meets the same factors: a stride of zero.
    step.tunable(
      "mul_rows_f32", [.rows(y)] + a.strided + [.text(gain), "0", .tokens, "\(y.columns)"])
  }
}

extension SiLU: EmittableOperator {
  var isRowwise: Bool { true }

  func emit(_ step: inout StepBuilder) throws { try step.elementwise(rows: "silu_rows_f32") }
}

extension Softplus: EmittableOperator {
  var isRowwise: Bool { true }

  func emit(_ step: inout StepBuilder) throws { try step.elementwise(rows: "softplus_rows_f32") }
}

extension Negate: EmittableOperator {
  var isRowwise: Bool { true }

  func emit(_ step: inout StepBuilder) throws { try step.elementwise(run: "negate_f32") }
}

extension Exponential: EmittableOperator {
  var isRowwise: Bool { true }

  func emit(_ step: inout StepBuilder) throws { try step.elementwise(run: "exp_f32") }
}

extension Slice: EmittableOperator {
  var isTokenwise: Bool { axis == 1 }

  func emit(_ step: inout StepBuilder) throws {
    let x = try step.tokenRows(0)
    guard axis == 1 else { throw OperatorError("a slice along axis \(axis)") }
    step.view(x, offset: lower, columns: upper - lower)
  }
}

extension Concatenate: EmittableOperator {
  var isRowwise: Bool { true }
  var isTokenwise: Bool { axis == 1 }

  func emit(_ step: inout StepBuilder) throws {
    guard axis == 1 else { throw OperatorError("a concatenation along axis \(axis)") }
    let parts = try step.operation.operands.indices.map { try step.tokenRows($0) }
    let y = try step.result()
    var column = 0
    for part in parts {
      step.call(
        "copy_rows",
        [.rows(y, plus: column), "\(y.stride)"] + part.strided + [.tokens, "\(part.columns)"])
      column += part.columns
    }
    step.program.helpers.insert(.copyRows)
  }
}

extension LayerNorm: EmittableOperator {
  var isRowwise: Bool { true }

  func emit(_ step: inout StepBuilder) throws {
    let x = try step.replaceableRows(0)
    let gain = try step.floats(1)
    let bias = try step.floats(2)
    let y = try step.result()
    step.tunable(
      "layer_norm_f32",
      [.rows(y)] + x.strided
        + [.text(gain), .text(bias), .tokens, "\(y.columns)", .text(floatLiteral(Float(epsilon)))])
  }
}

extension RMSNorm: EmittableOperator {
  var isRowwise: Bool { true }

  func emit(_ step: inout StepBuilder) throws {
    let x = try step.replaceableRows(0)
    let gain = try step.floats(1)
    let y = try step.result()
    step.tunable(
      "rms_norm_f32",
      [.rows(y)] + x.strided
        + [.text(gain), .tokens, "\(y.columns)", .text(floatLiteral(Float(epsilon)))])
  }
}
