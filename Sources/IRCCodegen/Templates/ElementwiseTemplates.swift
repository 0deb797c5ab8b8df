import IRCGraph
import IRCOps

extension StepBuilder {
  /// A function of single elements that has a kernel for rows with a stride.
  mutating func elementwise(rows kernel: String) throws {
    let x = try tokenRows(0)
    let y = try result()
    self.kernel(kernel, [y.name] + x.strided + ["tokens", "\(y.columns)"])
  }

  /// A function of single elements whose kernel takes a run of them.
  mutating func elementwise(run kernel: String) throws {
    let x = try tokenRows(0)
    let y = try result()
    if x.isDense && y.isDense {
      self.kernel(kernel, [y.name, x.name, "tokens * \(y.columns)"])
    } else {
      statements.append("for (size_t t = 0; t < tokens; t++)")
      self.kernel(
        kernel,
        ["\(y.name) + t * \(y.stride)", "\(x.name) + t * \(x.stride)", "\(y.columns)"])
      statements[statements.count - 1] = "  " + statements[statements.count - 1]
    }
  }

  /// A function of two values of one type.
  mutating func elementwise(pairs kernel: String) throws {
    let a = try tokenRows(0)
    let b = try tokenRows(1)
    let y = try result()
    self.kernel(kernel, [y.name] + a.strided + b.strided + ["tokens", "\(y.columns)"])
  }
}

extension Add: EmittableOperator {
  func emit(_ step: inout StepBuilder) throws { try step.elementwise(pairs: "add_rows_f32") }
}

extension Multiply: EmittableOperator {
  func emit(_ step: inout StepBuilder) throws {
    guard step.isConstant(1) else { return try step.elementwise(pairs: "mul_rows_f32") }
    let a = try step.tokenRows(0)
    let gain = try step.floats(1)
    let y = try step.result()
    // Every row meets the same factors: a stride of zero.
    step.kernel(
      "mul_rows_f32", [y.name] + a.strided + [gain, "0", "tokens", "\(y.columns)"])
  }
}

extension SiLU: EmittableOperator {
  func emit(_ step: inout StepBuilder) throws { try step.elementwise(rows: "silu_rows_f32") }
}

extension Softplus: EmittableOperator {
  func emit(_ step: inout StepBuilder) throws { try step.elementwise(rows: "softplus_rows_f32") }
}

extension Negate: EmittableOperator {
  func emit(_ step: inout StepBuilder) throws { try step.elementwise(run: "negate_f32") }
}

extension Exponential: EmittableOperator {
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
  var isTokenwise: Bool { axis == 1 }

  func emit(_ step: inout StepBuilder) throws {
    guard axis == 1 else { throw OperatorError("a concatenation along axis \(axis)") }
    let parts = try step.operation.operands.indices.map { try step.tokenRows($0) }
    let y = try step.result()
    var column = 0
    for part in parts {
      step.call(
        "copy_rows",
        ["\(y.name) + \(column)", "\(y.stride)"] + part.strided + ["tokens", "\(part.columns)"])
      column += part.columns
    }
    step.program.helpers.insert(.copyRows)
  }
}

extension LayerNorm: EmittableOperator {
  func emit(_ step: inout StepBuilder) throws {
    let x = try step.tokenRows(0)
    let gain = try step.floats(1)
    let bias = try step.floats(2)
    let y = try step.result()
    step.kernel(
      "layer_norm_f32",
      [y.name] + x.strided
        + [gain, bias, "tokens", "\(y.columns)", floatLiteral(Float(epsilon))])
  }
}

extension RMSNorm: EmittableOperator {
  func emit(_ step: inout StepBuilder) throws {
    let x = try step.tokenRows(0)
    let gain = try step.floats(1)
    let y = try step.result()
    step.kernel(
      "rms_norm_f32",
      [y.name] + x.strided + [gain, "tokens", "\(y.columns)", floatLiteral(Float(epsilon))])
  }
}
