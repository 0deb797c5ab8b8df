package import IRCTensor

/// Lends the first element of each tensor; all hold `Scalar`.
package func withPointers<Scalar: TensorElement, Result>(
  _ tensors: [Tensor], as type: Scalar.Type = Scalar.self,
  _ body: ([UnsafePointer<Scalar>]) throws -> Result
) rethrows -> Result {
  var pointers: [UnsafePointer<Scalar>] = unsafe []
  unsafe pointers.reserveCapacity(tensors.count)
  func lend(_ index: Int) throws -> Result {
    guard index < tensors.count else { return try unsafe body(pointers) }
    return try unsafe tensors[index].withElements(as: Scalar.self) { elements in
      // Storage is never empty, so an address is always there.
      if let start = elements.baseAddress { unsafe pointers.append(start) }
      return try lend(index + 1)
    }
  }
  return try lend(0)
}

/// A new tensor of `Scalar` whose elements `fill` writes through a pointer.
package func makeTensor<Scalar: TensorElement>(
  _ shape: [Int], of type: Scalar.Type = Scalar.self,
  _ fill: (UnsafeMutablePointer<Scalar>) throws -> Void
) rethrows -> Tensor {
  try unsafe Tensor(shape, of: Scalar.self) { elements in
    if let start = elements.baseAddress { try unsafe fill(start) }
  }
}

/// Applies a function to each element.
@inline(__always)
func mapElements<Scalar: Real>(_ x: Tensor, _ function: (Scalar) -> Scalar) -> Tensor {
  unsafe withPointers([x], as: Scalar.self) { pointers in
    let source = unsafe pointers[0]
    let count = x.count
    return unsafe makeTensor(x.shape, of: Scalar.self) { target in
      for index in 0..<count { unsafe target[index] = function(source[index]) }
    }
  }
}

/// The elements of a small integer tensor.
func integers(_ tensor: Tensor) -> [Int32] {
  tensor.array(of: Int32.self)
}

/// Copies bytes of blocks that lie at regular distances: the body of slices and concatenations.
func copyBlocks(
  _ count: Int, bytes: Int, from source: UnsafeRawPointer, every sourceStride: Int,
  to target: UnsafeMutableRawPointer, every targetStride: Int
) {
  for block in 0..<count {
    unsafe (target + block * targetStride).copyMemory(
      from: source + block * sourceStride, byteCount: bytes)
  }
}
