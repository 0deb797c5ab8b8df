import IRCPassKit

/// Makes the rotation of one site.
struct RotationBuilder {
  /// Channels that are rotated among each other: the width, or those of a head.
  let block: Int
  /// The order of the Hadamard matrices on the diagonal, if it is not `block`; 1 if none is of any use.
  let hadamardOrder: Int?
  /// True if no Hadamard matrix has the order that was asked for.
  let isFallback: Bool
  private let kind: RotationKind
  private let seed: Int
  private let site: Site

  /// - Parameter limit: most channels that a Hadamard matrix mixes; nil for as many as can be.
  init(_ kind: RotationKind, seed: Int, limit: Int?, site: Site) {
    self.kind = kind
    self.seed = seed
    self.site = site
    block = site.width / site.group.blockCount
    let order = Hadamard.largestOrder(dividing: block, atMost: limit ?? block)
    let usesHadamard = kind == .hadamard || kind == .kltHadamard
    hadamardOrder = usesHadamard && order != block ? order : nil
    isFallback = usesHadamard && order != min(block, limit ?? block)
  }

  /// True if the kind has no rotation for the site, since only 1 divides the number of its channels among Hadamard orders.
  var isImpossible: Bool { hadamardOrder == 1 }

  /// The rotation; kinds that are made from calibration data need the site's second moment, [blocks, n, n] as `SiteMoments` gives it.
  ///
  /// - Returns: with it the rank of the moment, of those kinds.
  func rotation(moment: Tensor?) throws -> (transform: ChannelTransform, rank: Int?) {
    let width = site.width
    let hadamard = ChannelTransform.hadamard(
      width: width, block: hadamardOrder ?? block, seed: seed)
    switch kind {
    case .hadamard: return (hadamard, nil)
    case .orthogonal:
      let vectors = try SymmetricEigen(of: randomSymmetric).vectors
      return (.rotation(vectors.reshaped([1, block, block]), width: width), nil)
    case .klt, .kltHadamard:
      let (vectors, rank) = try eigenvectors(of: moment)
      let turned = ChannelTransform.rotation(vectors, width: width)
      return (kind == .klt ? turned : turned.then(hadamard), rank)
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

  /// Eigenvectors of each block, [blocks, block, block], and how many directions the calibration data take.
  ///
  /// Those that they never take have no order among themselves; any basis of them serves.
  private func eigenvectors(of moment: Tensor?) throws -> (vectors: Tensor, rank: Int) {
    guard let moment else { throw PassError("a rotation of kind '\(kind.rawValue)' needs moments") }
    let count = site.width / block
    let elements = moment.array(of: Double.self)
    let parts = try (0..<count).map { index in
      let start = index * block * block
      return try SymmetricEigen(
        of: Tensor([block, block], Array(elements[start..<start + block * block])))
    }
    let largest = parts.compactMap(\.values.first).max() ?? 0
    guard largest > 0 else {
      throw PassError(
        "the second moment at site '\(site.name)' is zero: nothing arrives there on the calibration text",
        at: site.location, hint: "use other calibration text, or kind: hadamard")
    }
    let rank = parts.reduce(0) { sum, part in
      let threshold = (part.values.first ?? 0) * Double(block) * Double.ulpOfOne
      return sum + part.values.count { $0 > threshold }
    }
    let order = dealt
    var vectors: [Double] = []
    vectors.reserveCapacity(count * block * block)
    for part in parts {
      let columns = part.vectors.array(of: Double.self)
      for row in 0..<block { vectors += order.map { columns[row * block + $0] } }
    }
    return (Tensor([count, block, block], vectors), rank)
  }

  /// Which eigenvector stands at each place.
  ///
  /// Where the Hadamard matrix that follows mixes parts of a block only, they are dealt to these like cards, forth and back, so that each
  /// part gets strong and weak ones.
  private var dealt: [Int] {
    guard kind == .kltHadamard, let part = hadamardOrder else { return Array(0..<block) }
    let hands = block / part
    return (0..<hands).flatMap { hand in
      (0..<part).map { $0 * hands + ($0.isMultiple(of: 2) ? hand : hands - 1 - hand) }
    }
  }
}
