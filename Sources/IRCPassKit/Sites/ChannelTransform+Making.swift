import IRCGraph
public import IRCTensor

extension ChannelTransform {
  /// A Hadamard rotation of each run of `block` channels, with random signs if there is a seed.
  ///
  /// - Parameter block: divides `width` and is the order of a Hadamard matrix that `Hadamard` knows.
  public static func hadamard(width: Int, block: Int, seed: Int?) -> ChannelTransform {
    guard block > 0, width.isMultiple(of: block) else {
      return ChannelTransform(
        width: width,
        problem: "blocks of \(block) channels cannot be rotated, since \(width) is no multiple")
    }
    guard Hadamard(order: block) != nil else {
      return ChannelTransform(
        width: width, problem: "no Hadamard matrix of order \(block) is known here")
    }
    return ChannelTransform(
      width: width, [.hadamard(block: block, seed: seed, isTransposed: false)])
  }

  /// A rotation of each of equal blocks of channels.
  ///
  /// - Parameters:
  ///   - matrices: orthogonal, [count, d, d] of f64.
  ///   - width: count·d, or a multiple of it if each matrix serves several blocks in a row.
  public static func rotation(_ matrices: Tensor, width: Int) -> ChannelTransform {
    dense(matrices, inverse: nil, .orthogonal, width: width)
  }

  /// Any invertible matrices on equal blocks of channels, with their inverses, both [count, d, d] of f64.
  public static func general(
    _ matrices: Tensor, inverse: Tensor, width: Int
  ) -> ChannelTransform {
    dense(matrices, inverse: inverse, .general, width: width)
  }

  /// A complex factor for each rotary pair (channel i with channel i + d/2) of each block, [count, d/2] each of f64.
  ///
  /// Factors of modulus 1 are an element of the rotations, positive real ones of the scales of pairs.
  public static func pairs(real: Tensor, imaginary: Tensor, width: Int) -> ChannelTransform {
    guard real.shape.count == 2, real.shape == imaginary.shape, real.elementType == .f64,
      imaginary.elementType == .f64
    else {
      return ChannelTransform(
        width: width, problem: "factors of pairs must be two tensors [blocks, pairs] of f64")
    }
    let factors = zip(real.array(of: Double.self), imaginary.array(of: Double.self)).map {
      ($0, $1)
    }
    guard factors.allSatisfy({ $0.isFinite && $1.isFinite && ($0 != 0 || $1 != 0) }) else {
      return ChannelTransform(
        width: width, problem: "a factor of a pair is zero or not finite, and has no inverse")
    }
    let count = real.shape[0]
    func blocks(_ entry: (Double, Double) -> (Double, Double)) -> Tensor {
      pairMatrices(factors.map(entry), blocks: count)
    }
    if factors.allSatisfy({ abs($0 * $0 + $1 * $1 - 1) <= 1e-12 }) {
      return dense(blocks { ($0, $1) }, inverse: nil, .pairRotations, width: width)
    }
    let isScale = factors.allSatisfy { $0 > 0 && $1 == 0 }
    return dense(
      blocks { ($0, $1) },
      inverse: blocks { re, im in (re / (re * re + im * im), -im / (re * re + im * im)) },
      isScale ? .pairScales : .complexPairs, width: width)
  }

  /// A factor for each channel, finite and not zero.
  public static func diagonal(_ factors: [Double]) -> ChannelTransform {
    if let channel = factors.firstIndex(where: { !$0.isNormal }) {
      return ChannelTransform(
        width: factors.count,
        problem: "the factor of channel \(channel) is \(factors[channel]), which has no inverse")
    }
    return ChannelTransform(
      width: factors.count, [.diagonal(Tensor([factors.count], factors), isInverse: false)])
  }

  /// Channel j of the result is channel `order[j]` of x.
  public static func permutation(_ order: [Int]) -> ChannelTransform {
    guard order.sorted() == Array(order.indices) else {
      return ChannelTransform(
        width: order.count,
        problem: "an order of \(order.count) channels does not hold each of them once")
    }
    return ChannelTransform(width: order.count, [.permutation(order)])
  }

  private static func dense(
    _ matrices: Tensor, inverse: Tensor?, _ inner: TransformGroup, width: Int
  ) -> ChannelTransform {
    let shape = matrices.shape
    guard shape.count == 3, shape[0] > 0, shape[1] > 0, shape[1] == shape[2],
      width.isMultiple(of: shape[0] * shape[1]), matrices.elementType == .f64,
      inverse == nil || inverse?.shape == shape && inverse?.elementType == .f64
    else {
      return ChannelTransform(
        width: width,
        problem:
          "matrices of shape \(shape) are no equal blocks, [count, d, d] of f64, of \(width) channels"
      )
    }
    let blocks = width / shape[1]
    return ChannelTransform(
      width: width,
      [
        .matrices(
          Matrices(
            direct: matrices, inverse: inverse, repeats: blocks / shape[0],
            group: TransformGroup.blocks(of: inner, count: blocks).canonical,
            identity: matrices.contentHash))
      ])
  }

  /// Complex factors, the same number in each block, as the matrices [blocks, d, d] that multiply rows.
  private static func pairMatrices(_ factors: [(Double, Double)], blocks: Int) -> Tensor {
    let half = factors.count / max(1, blocks)
    let size = 2 * half
    return unsafe Tensor([blocks, size, size], of: Double.self) { target in
      for (index, (re, im)) in factors.enumerated() {
        let (block, i) = index.quotientAndRemainder(dividingBy: half)
        let (base, j) = (block * size * size, i + half)
        unsafe target[base + i * size + i] = re
        unsafe target[base + j * size + j] = re
        unsafe target[base + i * size + j] = im
        unsafe target[base + j * size + i] = -im
      }
    }
  }
}
