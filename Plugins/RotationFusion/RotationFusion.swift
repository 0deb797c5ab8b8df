public import IRCPassKit

/// Rotates channels so that no single one stands out, and fuses the rotation into the weights around them.
///
///     before: %y = linear %x, %w                 // %x is written by linear layers
///     after:  %y = linear %x, %w·Q               // and those have Qᵀ·W, so that %x comes out as %x·Q
///
/// Exact in real arithmetic because Q·Qᵀ = I. Where nothing can absorb Q, and `online` allows it, an operator rotates at run
/// time. Which channels can be rotated, and together with which, is what the invariance analysis says of the operators.
public struct RotationFusion: Pass {
  public static let info = PassInfo(
    name: "rotation-fusion",
    summary: "Rotate channels so that none stands out, and fuse the rotations into weights.",
    details: """
      Kinds: `hadamard` spreads every channel evenly over all (random signs, fast transform); `orthogonal` is a random \
      rotation; `klt` turns to the eigenvectors of the calibrated second moment, which alone concentrates the variance; \
      `klt-hadamard` follows it with a Hadamard rotation, after which all channels have one variance, that over the \
      values of all readers of the site taken together. A width that no known Hadamard matrix has is rotated in blocks of the largest \
      order that divides it, among which the eigenvectors are dealt evenly; where only 1 does, the site is left out. `block` asks for \
      smaller blocks, as those that share a scale.

      Sites are chosen by role (`residual`, `value`, `low-rank`; with `online` also `product`, `activation`, `score`, `input`) or by name; `irc inspect --sites` lists \
      those of a model. At sites that need operators online, the kind should be `hadamard`: its operator is a fast transform, \
      those of the other kinds are dense products.
      """,
    paper:
      "QuaRot (arXiv 2404.00456), section 4; MambaQuant (arXiv 2501.13484), KLT-enhanced rotation",
    conflicts: FactConflict.changesOfWeights,
    preservesFunction: true, tolerance: 1e-8, usesCalibration: true,
    statistics: [rotated, online, skipped],
    remarks: [spread, blockwise, rank, .untied, leftOut, .absentRole])

  static let rotated = Statistic("rotated", "Sites that were rotated.")
  static let online = Statistic("online", "Operators that rotate at run time.")
  static let skipped = Statistic("skipped", "Sites that were left alone.")
  static let spread = RemarkKind(
    "spread", .analysis, "Largest over smallest channel variance, before and after.")
  static let blockwise = RemarkKind(
    "blockwise", .missed,
    "There is no Hadamard matrix of a site's width, or of the size of blocks that was asked for.")
  static let leftOut = RemarkKind(
    "left-out", .missed,
    "A site cannot be rotated without an operator online, or has no Hadamard matrix of any use.")
  static let rank = RemarkKind(
    "rank", .analysis, "Calibration never takes some directions of a site's channels.")

  @PassOption("Which rotation.")
  public var kind = RotationKind.hadamard
  @PassOption("Sites to rotate, by role or name; * and ? as in globs.")
  public var sites = [NamePattern("residual"), NamePattern("value"), NamePattern("low-rank")]
  @PassOption("Let operators run online where no weights can absorb a rotation.")
  public var online = false
  @PassOption(
    "Most channels that a Hadamard rotation mixes, as the size of groups; null: all of a site or head.",
    in: 2...65536)
  public var block: Int? = nil
  @PassOption("Seed of random signs and random rotations.", in: 0...Int(Int32.max))
  public var seed = 0
  @PassOption(
    "Rows of calibration data that klt needs for each channel of a site.", in: 1...1_000_000)
  public var rowsPerChannel = 8

  public init() {}

  /// Rotating the residual stream turns gains that smoothing has filled, which no gain can hold.
  public var effects: PassEffects {
    var effects = Self.info.effects
    if sites.contains(where: { SiteSelection.mayMatch($0, .residual) }) {
      effects.requires = [.normGainsFolded]
      effects.conflicts.append(
        FactConflict(.normInputsSmoothed, "would undo the smoothing of normalised channels"))
    }
    return effects
  }

  public var needsCalibration: Bool { kind.needsMoments }

  /// Hadamard matrices come from tables; all others are computed.
  public var isCostly: Bool { kind != .hadamard }

  public func run(on graph: inout Graph, in context: PassContext) throws {
    let selection = try SiteSelection(sites, among: graph.sites(.mixing))
    selection.remarkAbsentRoles(in: context)
    let chosen = try selection.sites.filter { try canRotate($0, in: graph, context) }
    let pools = kind.needsMoments ? try chosen.map { try SiteMoments($0, in: graph) } : []
    var measured: [ChannelStatistics?] =
      pools.isEmpty ? [] : try context.channelStatistics(pooling: pools.map(\.request), in: graph)
    for (index, site) in chosen.enumerated() {
      var moment: Tensor?
      if kind.needsMoments, let statistics = measured[index] {
        moment = try pools[index].moment(of: statistics, rowsPerChannel: rowsPerChannel)
        // They take much memory, and no other site needs them.
        measured[index] = nil
      }
      try rotate(site, moment, in: &graph, context)
    }
    graph.mergeEqualOperations()
  }

  /// False for a site that is left alone, which the user is told.
  private func canRotate(_ site: Site, in graph: Graph, _ context: PassContext) throws -> Bool {
    guard site.isOffline || online else {
      try leaveOut(site, in: graph, context)
      return false
    }
    let builder = RotationBuilder(kind, seed: seed, limit: block, site: site)
    if builder.isImpossible {
      context.count(Self.skipped)
      context.remark(
        Self.leftOut, at: site.location,
        "site '\(site.name)': there is no Hadamard matrix whose order divides \(builder.block) channels",
        hint: "kind: klt or kind: orthogonal can rotate there")
      return false
    }
    guard kind == .hadamard || site.admitsDenseTransforms else {
      throw PassError(
        "site '\(site.name)' would run blocks of dense matrices online, for which there is no kernel",
        at: site.location, hint: "use kind: hadamard at this site")
    }
    return true
  }

  private func rotate(
    _ site: Site, _ moment: Tensor?, in graph: inout Graph, _ context: PassContext
  ) throws {
    let builder = RotationBuilder(kind, seed: site.seed(from: seed), limit: block, site: site)
    let (rotation, rank) = try builder.rotation(moment: moment)
    if builder.isFallback, let size = builder.hadamardOrder {
      let wanted = min(builder.block, block ?? builder.block)
      let reason =
        builder.block.isMultiple(of: wanted)
        ? "there is no Hadamard matrix of order \(wanted)"
        : "\(wanted) does not divide \(builder.block) channels"
      context.remark(
        Self.blockwise, at: site.location,
        "site '\(site.name)': \(reason), so blocks of \(size) are rotated")
    }
    if let rank, rank < site.width {
      context.remark(
        Self.rank, at: site.location,
        "site '\(site.name)': the second moment has rank \(rank) of \(site.width), and the directions that calibration never takes are rotated in any way",
        hint: "calibrate on more and more varied text if other text may take them")
    }
    let change = try graph.apply(rotation, at: site, allowsOnline: online, in: context)
    context.count(Self.rotated)
    context.count(Self.online, by: change.onlineCount)
    context.remarkUntied(change)
    if let moment { try remarkSpread(site, moment, rotation, context) }
  }

  /// A site that the pipeline can do without is told; the residual stream is what the rest relies on.
  private func leaveOut(_ site: Site, in graph: Graph, _ context: PassContext) throws {
    let reason =
      "site '\(site.name)' is not closed: \(site.obstacle(in: graph))"
    guard site.role == .residual else {
      context.count(Self.skipped)
      context.remark(
        Self.leftOut, at: site.location, reason, hint: "set 'online: true' to rotate there")
      return
    }
    throw PassError(reason, at: site.location, hint: hint(for: site, in: graph))
  }

  private func hint(for site: Site, in graph: Graph) -> String {
    if case .exit(_, let use) = site.frontier.first, graph[use.operation].op is LayerNorm {
      return
        "run 'centre-norms' before, whose remarks say which layer normalisations it leaves and why; or leave 'residual' out of 'sites'"
    }
    return
      "a gain that normalises a block's output, or that several kinds of operators read, cannot be folded; leave 'residual' out of 'sites'"
  }

  private func remarkSpread(
    _ site: Site, _ moment: Tensor, _ rotation: ChannelTransform, _ context: PassContext
  ) throws {
    let builder = RotationBuilder(.hadamard, seed: site.seed(from: seed), limit: block, site: site)
    let plain = try builder.rotation(moment: nil).transform
    let ratios = try [nil, plain, rotation].map { transform in
      let moved = try transform?.transformed(secondMoment: moment) ?? moment
      return SiteMoments.spread(of: moved.blockDiagonal, in: site.group).remarkText
    }
    context.remark(
      Self.spread, at: site.location,
      "site '\(site.name)': channel variance max/min \(ratios[0]) before, "
        + "\(ratios[2]) after; a Hadamard rotation alone \(ratios[1])")
  }
}

/// Which rotation a site gets.
public enum RotationKind: String, PassOptionChoice {
  case hadamard, orthogonal, klt
  case kltHadamard = "klt-hadamard"

  /// True if it is made from calibration data.
  var needsMoments: Bool { self == .klt || self == .kltHadamard }
}

extension Tensor {
  /// What lies on the diagonals of square blocks [blocks, n, n] of f64.
  fileprivate var blockDiagonal: [Double] {
    let (blocks, size) = (shape[0], shape[1])
    let elements = array(of: Double.self)
    return (0..<blocks * size).map { elements[$0 * size + $0 % size] }
  }
}
