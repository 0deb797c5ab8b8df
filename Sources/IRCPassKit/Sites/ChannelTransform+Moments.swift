public import IRCTensor

extension ChannelTransform {
  /// The second moment after the transform: M = XᵀX/n of x becomes TᵀMT of x·T.
  ///
  /// What was measured once stays valid under every transform that follows.
  ///
  /// - Parameter moment: [width, width] of f64, or the blocks [b, width/b, width/b] on its diagonal if T keeps these apart.
  /// - Returns: what it was before, of the same shape.
  /// - Throws: `SiteError` when the moment is not of this width, or T mixes channels of different blocks.
  public func transformed(secondMoment moment: Tensor) throws -> Tensor {
    let blocks = moment.shape.count == 3 ? moment.shape[0] : 1
    let size = width / max(1, blocks)
    guard moment.elementType == .f64, blocks * size == width,
      moment.shape == [blocks, size, size] || moment.shape == [width, width]
    else {
      throw SiteError(
        description: "a second moment of shape \(moment.shape) does not fit \(width) channels")
    }
    guard factors.allSatisfy({ $0.keepsApart(blocksOf: size) }) else {
      throw SiteError(
        description:
          "a transform mixes channels of different blocks of \(size), of which no moments are known"
      )
    }
    // M is symmetric: (M·T)ᵀ·T = TᵀMT. Blocks lie side by side, so that T acts on each.
    let once = try applied(to: moment.besideEachOther(blocks)).transposedBlocks(blocks)
    return try applied(to: once).belowEachOther(blocks).reshaped(moment.shape)
  }

  /// x·T for a matrix x [rows, width] of f64.
  ///
  /// - Throws: `SiteError` when x is something else.
  public func applied(to x: Tensor) throws -> Tensor {
    if let problem { throw SiteError(description: problem) }
    guard x.elementType == .f64, x.shape.count == 2, x.shape[1] == width else {
      throw SiteError(
        description:
          "a transform of \(width) channels applies to matrices of as many columns of f64, and not to shape \(x.shape)"
      )
    }
    return try factors.reduce(x) { try $1.applied(to: $0) }
  }
}

extension ChannelTransform.Factor {
  fileprivate func applied(to x: Tensor) throws -> Tensor {
    switch self {
    case .hadamard(let block, let seed, let isTransposed):
      guard let rotation = HadamardRotation(order: block, seed: seed) else {
        throw SiteError(description: "no Hadamard matrix of order \(block) is known here")
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

extension ChannelTransform.Factor {
  /// True if no channel of one run of `size` channels goes into another run.
  fileprivate func keepsApart(blocksOf size: Int) -> Bool {
    switch self {
    case .hadamard(let block, _, _): size.isMultiple(of: block)
    case .matrices(let matrices): size.isMultiple(of: matrices.direct.shape[1])
    case .diagonal: true
    case .permutation(let order): order.indices.allSatisfy { $0 / size == order[$0] / size }
    }
  }
}

extension Tensor {
  /// Square blocks below each other, [blocks · n, n] of f64 in whatever shape, as [n, blocks · n].
  fileprivate func besideEachOther(_ blocks: Int) -> Tensor {
    if blocks == 1 { return reshaped([shape[shape.count - 1], shape[shape.count - 1]]) }
    return rearranged(blocks) { (block, row, column, size) in
      (row * blocks + block) * size + column
    }
  }

  /// Square blocks beside each other, each transposed.
  fileprivate func transposedBlocks(_ blocks: Int) -> Tensor {
    belowEachOther(blocks).rearranged(blocks) { (block, row, column, size) in
      (column * blocks + block) * size + row
    }
  }

  /// Square blocks beside each other, [n, blocks · n] of f64, as [blocks, n, n].
  fileprivate func belowEachOther(_ blocks: Int) -> Tensor {
    let size = shape[0]
    if blocks == 1 { return reshaped([1, size, size]) }
    return unsafe withElements(as: Double.self) { source in
      unsafe Tensor([blocks, size, size], of: Double.self) { target in
        for index in 0..<target.count {
          let (block, row, column) = (index / (size * size), index / size % size, index % size)
          unsafe target[index] = source[(row * blocks + block) * size + column]
        }
      }
    }
  }

  /// Square blocks below each other put beside each other, each element where `place` says.
  private func rearranged(
    _ blocks: Int, _ place: (_ block: Int, _ row: Int, _ column: Int, _ size: Int) -> Int
  ) -> Tensor {
    let size = shape[shape.count - 1]
    return unsafe withElements(as: Double.self) { source in
      unsafe Tensor([size, blocks * size], of: Double.self) { target in
        for index in 0..<target.count {
          let (block, row, column) = (index / (size * size), index / size % size, index % size)
          unsafe target[place(block, row, column, size)] = source[index]
        }
      }
    }
  }
}
