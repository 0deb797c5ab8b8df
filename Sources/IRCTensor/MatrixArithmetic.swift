private import CBLAS
private import CKernels
import IRCSupport

extension Tensor {
  /// A·B + `factor`·C for matrices of f32: A is this, [m, k], B is [k, n] and C, if given, [m, n].
  ///
  /// Some rows at a time on all threads, the same ones for any number of threads.
  public func product(_ other: Tensor, plus addend: Tensor? = nil, times factor: Float = 1)
    throws -> Tensor
  {
    let (m, k, n) = (shape[0], shape[1], other.shape[1])
    precondition(other.shape[0] == k, "extents \(shape) and \(other.shape) do not fit")
    precondition(addend.map { $0.shape == [m, n] } ?? true, "the addend is no \(m) × \(n) matrix")
    return try unsafe Tensor([m, n], of: Float.self) { target in
      if let addend { unsafe addend.withElements { unsafe _ = target.update(from: $0) } }
      try unsafe withElements(as: Float.self) { a in
        try unsafe other.withElements(as: Float.self) { b in
          guard let a = a.baseAddress, let b = b.baseAddress, let c = target.baseAddress
          else { return }
          let (left, right) = unsafe (SharedPointer(a), SharedPointer(b))
          let product = unsafe SharedMutablePointer(c)
          try Parallel.forChunks(of: m, chunk: 256) { rows in
            unsafe Float.multiply(
              m: rows.count, n: n, k: k, left.start + rows.lowerBound * k, lda: k,
              transposeA: false,
              right.start, ldb: n, transposeB: false, beta: addend == nil ? 0 : factor,
              product.start + rows.lowerBound * n, ldc: n)
          }
        }
      }
    }
  }

  /// This + `factor`·`other`, element by element, for tensors of f32 of one shape.
  public func adding(_ other: Tensor, times factor: Float) -> Tensor {
    precondition(shape == other.shape, "shapes \(shape) and \(other.shape) differ")
    return unsafe Tensor(shape, of: Float.self) { target in
      unsafe withElements(as: Float.self) { unsafe _ = target.update(from: $0) }
      unsafe other.withElements(as: Float.self) { other in
        BLAS.prepare()
        unsafe cblas_saxpy(
          Int32(count), factor, other.baseAddress, 1, target.baseAddress, 1)
      }
    }
  }

  /// The difference of two tensors of f32 of one shape.
  public func subtracting(_ other: Tensor) -> Tensor { adding(other, times: -1) }

  /// The sum of the squares of the elements of a tensor of f32, in double precision.
  public var squaredNorm: Double {
    unsafe withElements(as: Float.self) { elements in
      BLAS.prepare()
      return unsafe cblas_dsdot(Int32(count), elements.baseAddress, 1, elements.baseAddress, 1)
    }
  }

  /// The Euclidean length of each row of a tensor of f32, of `columns` elements each.
  public var rowNorms: [Float] {
    unsafe withElements(as: Float.self) { elements in
      guard let first = elements.baseAddress else { return [Float](repeating: 0, count: rows) }
      BLAS.prepare()
      return (0..<rows).map { row in
        unsafe cblas_snrm2(Int32(columns), first + row * columns, 1)
      }
    }
  }

  /// The elements of a tensor of f32 or f64 rounded to half precision, ties to even; beyond its range they are infinite.
  public var roundedToHalf: Tensor {
    var halves = [UInt16](repeating: 0, count: count)
    unsafe converted(to: Float.self).withElements(as: Float.self) { source in
      if let source = source.baseAddress { unsafe irc_f32_to_f16(&halves, source, count) }
    }
    return unsafe halves.withUnsafeBytes { unsafe Tensor(copying: $0, shape: shape, .f16) }
  }

  /// The elements of a tensor of f16 in single precision, exactly.
  public var widenedFromHalf: Tensor {
    precondition(elementType == .f16, "expected f16")
    return unsafe withBytes { bytes in
      unsafe Tensor(shape, of: Float.self) { target in
        guard let source = bytes.baseAddress, let target = target.baseAddress else { return }
        unsafe irc_f16_to_f32(target, source.assumingMemoryBound(to: UInt16.self), count)
      }
    }
  }
}
