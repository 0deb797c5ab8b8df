import CKernels
import IRCGraph
import IRCOps
import IRCQuant

extension BranchingQuantize: EmittableOperator {
  /// Leaves codes, scales and the products of the branch where their readers look for them.
  func emit(_ step: inout StepBuilder) throws {
    let x = try step.tokenRows(0)
    let stride = irc_code_stride(x.columns)
    let literal = try isDynamic ? nil : step.literalScale(2, spec)
    let down = try step.real(1, "down")
    let codes = try step.result(0, .int8, stride: stride)
    let rank = step.type(1).shape[0].fixed ?? 0
    step.needScratch(bytes: irc_down_scratch_bytes(rank))
    if let literal {
      let hidden = try step.result(1)
      step.tunable(
        "quantize_static_down",
        [.rows(codes), "\(stride)", .rows(hidden), "\(hidden.stride)"] + x.strided
          + [.text(down), .tokens, .text(floatLiteral(literal.scale)), "\(literal.zero)"]
          + ["\(spec.codes.lowerBound)", "\(spec.codes.upperBound)", step.scratch])
      return
    }
    let results = step.operation.results
    let scale = try step.scaleBuffer(results[1], .float)
    let zero = try spec.isSymmetric ? nil : step.scaleBuffer(results[2], .int32)
    let hidden = try step.result(results.count - 1)
    step.tunable(
      "quantize_tokens_down",
      [.rows(codes), "\(stride)", .rows(scale), zero.map { .rows($0) } ?? "NULL"]
        + [.rows(hidden), "\(hidden.stride)"] + x.strided
        + [.text(down), .tokens, "\(spec.format.bits)", step.scratch])
  }
}

/// A product that a kernel joins with a branch.
protocol BranchableProduct: EmittableOperator {
  /// The kernel of both.
  static var branchedKernel: String { get }
  /// What the kernel of the product alone is called with, up to the tokens.
  func arguments(_ step: inout StepBuilder) throws -> [KernelCall.Argument]
}

extension IntegerLinear: BranchableProduct {
  static let branchedKernel = "linear_q_i8_up"
}

extension DequantizingLinear: BranchableProduct {
  static let branchedKernel = "linear_q_f32_up"
}

extension Branched: EmittableOperator where Product: BranchableProduct {
  func integerProducts(_ operands: [TensorType], _ results: [TensorType]) -> Int {
    product.integerProducts(operands.dropLast(2), results)
  }

  func emit(_ step: inout StepBuilder) throws {
    let arguments = try product.arguments(&step)
    let branch = try step.branch(columns: step.type(0).shape[1].fixed ?? 0)
    step.shared(Product.branchedKernel, arguments + branch + [.tokens], room: "m->scratch")
  }
}

extension StepBuilder {
  /// A real constant [out, in] as the name of a local `irc_real_weights`.
  fileprivate mutating func real(_ operand: Int, _ name: String) throws -> String {
    guard isConstant(operand), let shape = type(operand).fixedShape, shape.count == 2 else {
      throw OperatorError("operand \(operand) must be a constant matrix")
    }
    let halves = try halves(operand)
    let values = try halves ?? floats(operand)
    locals.append(
      "const irc_real_weights \(name) = {\(values), \(halves != nil), \(shape[0]), \(shape[1])};")
    return "&\(name)"
  }

  /// Hidden values with their stride, and the second factor of a branch: the last two operands of a product over `columns`.
  fileprivate mutating func branch(columns: Int) throws -> [KernelCall.Argument] {
    let first = operation.operands.count - 2
    let hidden = try tokenRows(first)
    let up = try real(first + 1, "up")
    needScratch(bytes: irc_up_scratch_bytes(columns, hidden.columns))
    return hidden.strided + [.text(up)]
  }
}
