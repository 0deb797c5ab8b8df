import CKernels
public import IRCGraph
import IRCSupport
public import IRCTensor

/// x·Wᵀ (+ bias): x [..., in], W [out, in], bias [out] make [..., out].
///
/// In what order single precision sums is up to the context: as a graph of kernels runs, in that of the emitted C.
public struct Linear: PlainOperator, RealOperator {
  public static let name = "linear"

  public init() {}

  public func resultTypes(_ operands: [TensorType]) throws(OperatorError) -> [TensorType] {
    let check = try OperandCheck(operands, ["x", "weight", "bias"], optional: 1)
    try check.real(0, rank: 2...Int.max)
    let (input, shape) = (check[0].shape[check[0].rank - 1], check[0].shape.dropLast())
    try check.expect(
      1, check[1].element == .f32 && check[1].rank == 2 && check[1].shape[1] == input,
      "f32[out, \(input)] for x of type \(check[0])")
    if check.count == 3 { try check.exactly(2, .f32, [check[1].shape[0]]) }
    return [try real(shape + [check[1].shape[0]])]
  }

  /// x·T against W·T⁻ᵀ leaves the sums as they are; rows of W carry a transform of the result, and the bias with them.
  public func invariance(_ operands: [TensorType]) -> InvarianceRule {
    let last = operands[0].rank - 1
    let hasBias = operands.count == 3
    var ties = [
      AxisTie([.operand(0, last), .operand(1, 1)], .general, .inverseTranspose),
      AxisTie(
        [.operand(1, 0)] + (hasBias ? [.operand(2, 0)] : []) + [.result(0, last)], .general),
    ]
    for axis in 0..<last {
      // A bias is the same for every row, which mixing rows would change.
      ties.append(
        AxisTie([.operand(0, axis), .result(0, axis)], hasBias ? .permutation : .general))
    }
    return InvarianceRule(ties: ties)
  }

  public func cost(_ operands: [TensorType], _ results: [TensorType]) -> Cost {
    Cost(
      macs: linearMultiplications(operands[0], operands[1]), reading: operands, writing: results)
  }

  public var rowwiseOperands: [Int]? { [0] }

  public func evaluate(_ operands: [Tensor], in context: EvaluationContext) throws -> [Tensor] {
    let weight = operands[1]
    return [
      try linear(
        operands[0], outputs: weight.shape[0], operands.count == 3 ? operands[2] : nil, in: context
      ) { weight.slice(rows: $0) }
    ]
  }

  public func evaluate<Scalar: Real>(
    _ operands: [Tensor], as scalar: Scalar.Type
  ) throws -> [Tensor] {
    [try linear(operands[0], operands[1], operands.count == 3 ? operands[2] : nil, as: Scalar.self)]
  }
}

/// Multiply-accumulates of a matrix product with a weight [out, in].
func linearMultiplications(_ x: TensorType, _ weight: TensorType) -> Int {
  saturatingProduct(x.elementCount, weight.shape[0].fixed ?? 1)
}

/// Reference semantics of `Linear`.
func linear<Scalar: Real>(
  _ x: Tensor, _ weight: Tensor, _ bias: Tensor?, as scalar: Scalar.Type
) throws -> Tensor {
  try linear(x, outputs: weight.shape[0], bias, as: Scalar.self) { weight.slice(rows: $0) }
}

/// `linear` in the precision and with the order of sums of `context`, with a weight that is asked for by rows, so that it need not
/// exist as a whole.
package func linear(
  _ x: Tensor, outputs: Int, _ bias: Tensor?, in context: EvaluationContext,
  weightRows: @Sendable (Range<Int>) throws -> Tensor
) throws -> Tensor {
  switch (context.precision, context.sums) {
  case (.single, .kernels):
    try linearByKernel(x, outputs: outputs, bias, weightRows: weightRows)
  case (.single, .any):
    try linear(x, outputs: outputs, bias, as: Float.self, weightRows: weightRows)
  case (.double, _):
    try linear(x, outputs: outputs, bias, as: Double.self, weightRows: weightRows)
  }
}

/// Output channels that one piece of a product takes.
///
/// Large products are cut into runs of output channels, the same ones whatever the thread count, so that a few tokens
/// keep every core busy.
private func outputsPerPiece(rows: Int, inputs: Int, outputs: Int) -> Int {
  let isLarge = saturatingProduct(rows, inputs, outputs) >= 1 << 20
  return isLarge ? max(64, (1 << 19) / max(1, inputs)) : max(1, outputs)
}

/// The product as the kernel `linear_f32` sums it; a number does not depend on the piece that it is in.
private func linearByKernel(
  _ x: Tensor, outputs: Int, _ bias: Tensor?, weightRows: @Sendable (Range<Int>) throws -> Tensor
) throws -> Tensor {
  let (rows, inputs) = (x.rows, x.columns)
  return try unsafe withPointers([x] + (bias.map { [$0] } ?? []), as: Float.self) { pointers in
    let source = unsafe SharedPointer(pointers[0])
    let offset = unsafe bias == nil ? nil : SharedPointer(pointers[1])
    return try unsafe makeTensor(x.shape.dropLast() + [outputs], of: Float.self) { target in
      let target = unsafe SharedMutablePointer(target)
      let chunk = outputsPerPiece(rows: rows, inputs: inputs, outputs: outputs)
      try Parallel.forChunks(of: outputs, chunk: chunk) { range in
        unsafe withPointers([try weightRows(range)], as: Float.self) { weight in
          unsafe irc_linear_f32(
            target.start + range.lowerBound, outputs, source.start, inputs, weight[0],
            offset.map { unsafe $0.start + range.lowerBound }, rows, inputs, range.count)
        }
      }
    }
  }
}

/// `linear` by BLAS, with a weight that is asked for by rows.
func linear<Scalar: Real>(
  _ x: Tensor, outputs: Int, _ bias: Tensor?, as scalar: Scalar.Type,
  weightRows: @Sendable (Range<Int>) throws -> Tensor
) throws -> Tensor {
  let (rows, inputs) = (x.rows, x.columns)
  let chunk = outputsPerPiece(rows: rows, inputs: inputs, outputs: outputs)
  return try unsafe withPointers([x] + (bias.map { [$0] } ?? []), as: Scalar.self) { pointers in
    let source = unsafe SharedPointer(pointers[0])
    let offset = unsafe bias == nil ? nil : SharedPointer(pointers[1])
    return try unsafe makeTensor(x.shape.dropLast() + [outputs], of: Scalar.self) { target in
      let target = unsafe SharedMutablePointer(target)
      try Parallel.forChunks(of: outputs, chunk: chunk) { range in
        let result = unsafe target.start + range.lowerBound
        if let offset {
          for row in 0..<rows {
            unsafe (result + row * outputs).update(
              from: offset.start + range.lowerBound, count: range.count)
          }
        }
        unsafe withPointers([try weightRows(range)], as: Scalar.self) { weight in
          unsafe Scalar.multiply(
            m: rows, n: range.count, k: inputs, source.start, lda: inputs, transposeA: false,
            weight[0], ldb: inputs, transposeB: true, beta: offset == nil ? 0 : 1, result,
            ldc: outputs)
        }
      }
    }
  }
}
