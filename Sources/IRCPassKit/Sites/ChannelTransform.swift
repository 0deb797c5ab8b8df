public import IRCGraph
import IRCSupport
public import IRCTensor

/// An invertible change of basis of channels, x' = x·T, as a chain of factors that have operators of their own.
///
/// Kept as factors, so that a Hadamard matrix is never written out and an inverse is exact. One that is made from numbers which are no
/// transform does nothing but hold the reason (`problem`), and whatever is to apply it throws that.
public struct ChannelTransform: Sendable {
  /// One factor of the chain.
  public enum Factor: Sendable {
    /// diag(signs)·H/√block on each run of `block` channels, the same on each; nil seed: no signs.
    case hadamard(block: Int, seed: Int?, isTransposed: Bool)
    /// Matrices [count, d, d] of f64 on the blocks of d channels, each standing `repeats` times in a row.
    case matrices(Matrices)
    /// Factors [width] of f64, or their reciprocals.
    case diagonal(Tensor, isInverse: Bool)
    /// Channel j of the result is channel `order[j]` of x.
    case permutation([Int])
  }

  /// Dense blocks with their inverses.
  public struct Matrices: Sendable {
    /// [count, d, d] of f64.
    public let direct: Tensor
    /// The inverses; nil for rotations, whose inverses are their transposes.
    public let inverse: Tensor?
    /// How often each stands in a row.
    public let repeats: Int
    /// What they are elements of, blocks included.
    public let group: TransformGroup
    /// Which of T, T⁻¹, Tᵀ and T⁻ᵀ is meant.
    var form = Form()
    /// Tells chains of the same matrices from others.
    let identity: SHA256.Digest
  }

  /// T, T⁻¹, Tᵀ or T⁻ᵀ.
  struct Form: Hashable, Sendable {
    var isInverse = false
    var isTransposed = false

    /// Factors of a chain change places under one of the two operations, not under both.
    var reverses: Bool { isInverse != isTransposed }
  }

  /// Number of channels.
  public let width: Int
  /// The factors in the order in which they are applied to x.
  public private(set) var factors: [Factor]

  /// Why this is no transform, as a sentence; nil if it is one.
  public private(set) var problem: String?

  /// What stands in for a transform that cannot be made.
  init(width: Int, problem: String) {
    self.width = width
    self.problem = problem
    factors = []
  }

  /// A chain; neighbours that undo each other are left out.
  init(width: Int, _ factors: [Factor]) {
    self.width = width
    self.factors = factors.reduce(into: []) { chain, factor in
      if let last = chain.last, last.cancels(factor) {
        chain.removeLast()
      } else {
        chain.append(factor)
      }
    }
  }

  /// Leaves everything as it is.
  public static func identity(width: Int) -> ChannelTransform {
    ChannelTransform(width: width, [])
  }

  // MARK: Algebra

  /// First this one, then another of the same width: x·T·U.
  public func then(_ other: ChannelTransform) -> ChannelTransform {
    if let problem = problem ?? other.problem {
      return ChannelTransform(width: width, problem: problem)
    }
    guard width == other.width else {
      return ChannelTransform(
        width: width,
        problem: "a transform of \(other.width) channels cannot follow one of \(width)")
    }
    return ChannelTransform(width: width, factors + other.factors)
  }

  /// The transform that undoes this one.
  public var inverse: ChannelTransform { formed(Form(isInverse: true)) }

  /// True if its inverse is its transpose by construction.
  var isOrthogonal: Bool {
    factors.allSatisfy { factor in
      switch factor {
      case .hadamard, .permutation: true
      case .matrices(let matrices): matrices.inverse == nil
      case .diagonal: false
      }
    }
  }

  /// True if nothing is left of it.
  public var isIdentity: Bool { factors.isEmpty && problem == nil }

  func formed(_ form: Form) -> ChannelTransform {
    if problem != nil { return self }
    let chain = form.reverses ? factors.reversed() : factors
    return ChannelTransform(width: width, chain.map { $0.formed(form) })
  }

  /// True if T is an element of a group.
  public func isElement(of group: TransformGroup) -> Bool {
    problem == nil && factors.allSatisfy { $0.isElement(of: group, width: width) }
  }
}

extension ChannelTransform.Factor {
  fileprivate func formed(_ form: ChannelTransform.Form) -> ChannelTransform.Factor {
    switch self {
    case .hadamard(let block, let seed, let isTransposed):
      return .hadamard(block: block, seed: seed, isTransposed: isTransposed != form.reverses)
    case .matrices(var matrices):
      matrices.form = .init(
        isInverse: matrices.form.isInverse != form.isInverse,
        isTransposed: matrices.form.isTransposed != form.isTransposed)
      return .matrices(matrices)
    case .diagonal(let factors, let isInverse):
      return .diagonal(factors, isInverse: isInverse != form.isInverse)
    case .permutation(let order):
      guard form.reverses else { return self }
      var inverse = order
      for (place, source) in order.enumerated() { inverse[source] = place }
      return .permutation(inverse)
    }
  }

  fileprivate func cancels(_ other: ChannelTransform.Factor) -> Bool {
    switch (self, other) {
    case (.hadamard(let a, let s, let t), .hadamard(let b, let u, let v)):
      a == b && s == u && t != v
    case (.matrices(let a), .matrices(let b)):
      a.identity == b.identity && a.repeats == b.repeats
        && (a.inverse == nil
          ? a.form.reverses != b.form.reverses
          : a.form.isInverse != b.form.isInverse && a.form.isTransposed == b.form.isTransposed)
    case (.diagonal(let a, let s), .diagonal(let b, let t)):
      s != t && a.contentHash == b.contentHash
    case (.permutation(let a), .permutation(let b)):
      a.count == b.count && a.indices.allSatisfy { a[b[$0]] == $0 }
    default: false
    }
  }

  fileprivate func isElement(of group: TransformGroup, width: Int) -> Bool {
    switch self {
    case .hadamard(let block, _, _):
      return TransformGroup.blocks(of: .orthogonal, count: width / block).isSubgroup(of: group)
    case .matrices(let matrices): return matrices.group.isSubgroup(of: group)
    case .diagonal(let factors, _):
      let isPositive = factors.array(of: Double.self).allSatisfy { $0 > 0 }
      return (isPositive ? TransformGroup.positiveDiagonal : .diagonal).isSubgroup(of: group)
    case .permutation(let order):
      guard case .blocks(let inner, let count) = group else {
        return TransformGroup.permutation.isSubgroup(of: group)
      }
      let block = width / count
      return TransformGroup.permutation.isSubgroup(of: inner)
        && order.indices.allSatisfy { $0 / block == order[$0] / block }
    }
  }
}

extension Tensor {
  /// Tells tensors of one content from others; the same in every process.
  var contentHash: SHA256.Digest {
    var hash = SHA256()
    hash.add("\(elementType) \(shape)".utf8)
    unsafe withBytes { unsafe hash.add($0) }
    return hash.digest()
  }
}
