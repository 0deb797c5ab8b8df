public import IRCTensor

extension ChannelTransform {
  /// The second moment after the transform: M = XᵀX/n of x becomes TᵀMT of x·T.
  ///
  /// What was measured once stays valid under every transform that follows; [width, width] of f64.
  ///
  /// - Throws: `SiteError` when the moment is not of this width.
  public func transformed(secondMoment moment: Tensor) throws -> Tensor {
    guard moment.shape == [width, width] else {
      throw SiteError(
        description: "a second moment of shape \(moment.shape) does not fit \(width) channels")
    }
    // M is symmetric: (M·T)ᵀ·T = TᵀMT.
    return try applied(to: applied(to: moment).transposed).transposed
  }

  /// x·T for a matrix x [rows, width] of f64.
  public func applied(to x: Tensor) throws -> Tensor {
    try factors.reduce(x) { try $1.applied(to: $0) }
  }
}

extension ChannelTransform.Factor {
  fileprivate func applied(to x: Tensor) throws -> Tensor {
    switch self {
    case .hadamard(let block, let seed, let isTransposed):
      guard let rotation = HadamardRotation(order: block, seed: seed) else {
        throw SiteError(description: "there is no Hadamard matrix of order \(block) here")
      }
      return try rotation.apply(to: x, axis: 1, isTransposed: isTransposed)
    case .matrices(let matrices): return multiplied(x, matrices)
    case .diagonal(let factors, let isInverse):
      let factors = factors.array(of: Double.self).map { isInverse ? 1 / $0 : $0 }
      let source = x.array(of: Double.self)
      return unsafe Tensor(x.shape, of: Double.self) { target in
        for index in source.indices {
          unsafe target[index] = source[index] * factors[index % x.columns]
        }
      }
    case .permutation(let order):
      let source = x.array(of: Double.self)
      return unsafe Tensor(x.shape, of: Double.self) { target in
        for row in 0..<x.rows {
          for column in order.indices {
            unsafe target[row * x.columns + column] = source[row * x.columns + order[column]]
          }
        }
      }
    }
  }

  private func multiplied(_ x: Tensor, _ matrices: ChannelTransform.Matrices) -> Tensor {
    let form = matrices.form
    let isOrthogonal = matrices.inverse == nil
    let tensor = form.isInverse ? matrices.inverse ?? matrices.direct : matrices.direct
    let isTransposed = isOrthogonal ? form.reverses : form.isTransposed
    let (count, size) = (tensor.shape[0], tensor.shape[1])
    return unsafe x.withElements(as: Double.self) { source in
      unsafe tensor.withElements(as: Double.self) { blocks in
        unsafe Tensor(x.shape, of: Double.self) { target in
          guard let source = source.baseAddress, let blocks = blocks.baseAddress,
            let target = target.baseAddress
          else { return }
          for place in 0..<count * matrices.repeats {
            unsafe Double.multiply(
              m: x.rows, n: size, k: size, source + place * size, lda: x.columns, transposeA: false,
              blocks + place / matrices.repeats * size * size, ldb: size,
              transposeB: isTransposed, beta: 0, target + place * size, ldc: x.columns)
          }
        }
      }
    }
  }
}

extension Tensor {
  /// The transpose of a matrix of f64.
  fileprivate var transposed: Tensor {
    unsafe withElements(as: Double.self) { source in
      unsafe Tensor([shape[1], shape[0]], of: Double.self) { target in
        for row in 0..<shape[0] {
          for column in 0..<shape[1] {
            unsafe target[column * shape[0] + row] = source[row * shape[1] + column]
          }
        }
      }
    }
  }
}
