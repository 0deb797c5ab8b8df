public import IRCGraph
public import IRCTensor

/// A real operator whose single-precision work is done by a C kernel, the same one that a compiled model runs.
///
/// The generic body stays the reference: double precision runs it, and tests compare the two.
public protocol KernelOperator: RealOperator {
  /// Computes the results in single precision by the kernel.
  func evaluateByKernel(_ operands: [Tensor]) throws -> [Tensor]
}

extension KernelOperator {
  public func evaluate(_ operands: [Tensor], in context: EvaluationContext) throws -> [Tensor] {
    switch context.precision {
    case .single: try evaluateByKernel(operands)
    case .double: try evaluate(operands, as: Double.self)
    }
  }
}

/// Runs a kernel that makes as many numbers as it reads.
func mapByKernel(
  _ x: Tensor, _ kernel: (UnsafeMutablePointer<Float>, UnsafePointer<Float>, Int) -> Void
) -> Tensor {
  unsafe withPointers([x], as: Float.self) { pointers in
    let source = unsafe pointers[0]
    return unsafe makeTensor(x.shape, of: Float.self) { target in
      unsafe kernel(target, source, x.count)
    }
  }
}
