import IRCPassKit

/// Makes the rotation of one site.
struct RotationBuilder {
  /// Channels that are rotated among each other: the width, or those of a head.
  let block: Int
  /// The order of the Hadamard matrix that stands in, where there is none of order `block`.
  let fallbackBlock: Int?
  private let kind: RotationKind
  private let seed: Int
  private let site: Site

  init(_ kind: RotationKind, seed: Int, site: Site) {
    self.kind = kind
    self.seed = seed
    self.site = site
    block = site.width / site.group.blockCount
    let order = Hadamard.largestOrder(dividing: block)
    let usesHadamard = kind == .hadamard || kind == .kltHadamard
    fallbackBlock = usesHadamard && order != block ? order : nil
  }

  /// The rotation; kinds that are made from calibration data need the site's second moment [width, width].
  func rotation(moment: Tensor?) throws -> ChannelTransform {
    let width = site.width
    let hadamard = ChannelTransform.hadamard(
      width: width, block: fallbackBlock ?? block, seed: seed)
    switch kind {
    case .hadamard: return hadamard
    case .orthogonal:
      return .rotation(
        try SymmetricEigen(of: randomSymmetric).vectors.reshaped([1, block, block]), width: width)
    case .klt: return .rotation(try eigenvectors(of: moment), width: width)
    case .kltHadamard: return .rotation(try eigenvectors(of: moment), width: width).then(hadamard)
    }
  }

  /// A symmetric matrix of independent normal numbers: its eigenvectors are uniform among rotations.
  private var randomSymmetric: Tensor {
    let random = RandomNumbers(seed: UInt64(seed) ^ 0x0127_0A71)
    return unsafe Tensor([block, block], of: Double.self) { target in
      for row in 0..<block {
        for column in 0...row {
          let value = random.normal(row * block + column)
          unsafe target[row * block + column] = value
          unsafe target[column * block + row] = value
        }
      }
    }
  }

  /// Eigenvectors of each diagonal block, [blocks, block, block].
  private func eigenvectors(of moment: Tensor?) throws -> Tensor {
    guard let moment else { throw PassError("a rotation of kind '\(kind.rawValue)' needs moments") }
    let elements = moment.array(of: Double.self)
    let count = site.width / block
    var vectors: [Double] = []
    vectors.reserveCapacity(count * block * block)
    for index in 0..<count {
      let part = unsafe Tensor([block, block], of: Double.self) { target in
        for row in 0..<block {
          for column in 0..<block {
            unsafe target[row * block + column] =
              elements[(index * block + row) * site.width + index * block + column]
          }
        }
      }
      let eigen = try SymmetricEigen(of: part)
      try checkRank(eigen.values)
      vectors += eigen.vectors.array(of: Double.self)
    }
    return Tensor([count, block, block], vectors)
  }

  /// Directions that the calibration data never takes have no order among themselves, so no rotation is determined.
  private func checkRank(_ values: [Double]) throws {
    guard let largest = values.first, largest > 0 else {
      throw PassError(
        "the second moment at site '\(site.name)' is zero: nothing arrives there on the calibration text",
        hint: "use other calibration text, or kind: hadamard")
    }
    let rank = values.count { $0 > largest * 1e-13 }
    guard rank == values.count else {
      throw PassError(
        "the second moment at site '\(site.name)' is singular: rank \(rank) of \(values.count)",
        hint: "calibrate on more and more varied text, or use kind: hadamard, which needs none")
    }
  }
}

extension TransformGroup {
  /// Number of blocks that transforms of the group keep apart.
  var blockCount: Int {
    if case .blocks(_, let count) = self { count } else { 1 }
  }
}
