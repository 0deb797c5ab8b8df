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
      `klt-hadamard` follows it with a Hadamard rotation, after which all channels have one variance. A width that no known \
      Hadamard matrix has is rotated in blocks of the largest order that divides it.

      Sites are chosen by role (`residual`, `value`, `low-rank`, `input`, `score`) or by name; `irc inspect --sites` lists \
      those of a model. At sites that need operators online, the kind should be `hadamard`: its operator is a fast transform, \
      those of the other kinds are dense products.
      """,
    paper:
      "QuaRot (arXiv 2404.00456), section 4; MambaQuant (arXiv 2501.13484), KLT-enhanced rotation",
    preservesFunction: true, tolerance: 1e-8, usesCalibration: true,
    statistics: [rotated, online, skipped], remarks: [spread, blockwise, .untied, leftOut, absent])

  static let rotated = Statistic("rotated", "Sites that were rotated.")
  static let online = Statistic("online", "Operators that rotate at run time.")
  static let skipped = Statistic("skipped", "Sites that were left alone.")
  static let spread = RemarkKind(
    "spread", .analysis, "Largest over smallest channel variance, before and after.")
  static let blockwise = RemarkKind(
    "blockwise", .missed, "There is no Hadamard matrix of a site's width.")
  static let leftOut = RemarkKind(
    "left-out", .missed, "A site cannot be rotated without an operator online.")
  static let absent = RemarkKind("absent", .missed, "The network has no site of a role.")

  @PassOption("Which rotation.")
  public var kind = RotationKind.hadamard
  @PassOption("Sites to rotate, by role or name; * and ? as in globs.")
  public var sites = [NamePattern("residual"), NamePattern("value"), NamePattern("low-rank")]
  @PassOption("Let operators run online where no weights can absorb a rotation.")
  public var online = false
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
      effects.conflicts = [
        FactConflict(.normInputsSmoothed, "would undo the smoothing of normalised channels")
      ]
    }
    return effects
  }

  public func run(on graph: inout Graph, in context: PassContext) throws {
    let selection = try SiteSelection(sites, among: graph.sites(.mixing))
    for role in selection.absentRoles {
      context.remark(
        Self.absent, at: .unknown, "the network has no site of role '\(role.rawValue)'")
    }
    var chosen: [Site] = []
    for site in selection.sites {
      if site.isOffline || online {
        chosen.append(site)
      } else {
        try leaveOut(site, in: graph, context)
      }
    }
    let moments = try measure(chosen, in: graph, context)
    for (index, site) in chosen.enumerated() {
      let builder = RotationBuilder(kind, seed: seed &+ index, site: site)
      let rotation = try builder.rotation(moment: moments[index])
      if let size = builder.fallbackBlock {
        context.remark(
          Self.blockwise, at: .unknown,
          "site '\(site.name)': there is no Hadamard matrix of order \(builder.block), so blocks of \(size) are rotated"
        )
      }
      let change = try graph.apply(rotation, at: site, allowsOnline: online, in: context)
      context.count(Self.rotated)
      context.count(Self.online, by: change.onlineCount)
      context.remarkUntied(change)
      if let moment = moments[index] {
        try remarkSpread(site, moment, rotation, context)
      }
    }
    graph.mergeEqualOperations()
  }

  /// A site that the pipeline can do without is told; the residual stream is what the rest relies on.
  private func leaveOut(_ site: Site, in graph: Graph, _ context: PassContext) throws {
    let reason =
      "site '\(site.name)' is not closed: \(site.obstacle(in: graph))"
    guard site.role == .residual else {
      context.count(Self.skipped)
      context.remark(Self.leftOut, at: .unknown, reason, hint: "set 'online: true' to rotate there")
      return
    }
    throw PassError(reason, hint: hint(for: site, in: graph))
  }

  private func hint(for site: Site, in graph: Graph) -> String {
    if case .exit(_, let use) = site.frontier.first, graph[use.operation].op is LayerNorm {
      return
        "run 'centre-norms' before, whose remarks say which layer normalisations it leaves and why; or leave 'residual' out of 'sites'"
    }
    return
      "a gain that normalises a block's output, or that several kinds of operators read, cannot be folded; leave 'residual' out of 'sites'"
  }

  // MARK: Calibration

  /// Second moments of what readers see at each site, nil where the kind needs none.
  private func measure(
    _ sites: [Site], in graph: Graph, _ context: PassContext
  ) throws -> [Tensor?] {
    guard kind.needsMoments else { return sites.map { _ in nil } }
    let pools = try sites.map { try SiteMoments($0, in: graph) }
    let statistics = try context.channelStatistics(pooling: pools.map(\.request), in: graph)
    return try zip(pools, statistics).map { pool, statistics in
      try pool.moment(of: statistics, rowsPerChannel: rowsPerChannel)
    }
  }

  private func remarkSpread(
    _ site: Site, _ moment: Tensor, _ rotation: ChannelTransform, _ context: PassContext
  ) throws {
    let plain = try RotationBuilder(.hadamard, seed: seed, site: site).rotation(moment: nil)
    let ratios = try [nil, plain, rotation].map { transform in
      varianceRatio(try transform?.transformed(secondMoment: moment) ?? moment)
    }
    context.remark(
      Self.spread, at: .unknown,
      "site '\(site.name)': channel variance max/min \(rounded(ratios[0])) before, "
        + "\(rounded(ratios[2])) after; a Hadamard rotation alone \(rounded(ratios[1]))")
  }
}

/// Which rotation a site gets.
public enum RotationKind: String, PassOptionChoice {
  case hadamard, orthogonal, klt
  case kltHadamard = "klt-hadamard"

  /// True if it is made from calibration data.
  var needsMoments: Bool { self == .klt || self == .kltHadamard }
}

/// Largest over smallest diagonal entry of a second moment.
func varianceRatio(_ moment: Tensor) -> Double {
  let width = moment.shape[0]
  let elements = moment.array(of: Double.self)
  let variances = (0..<width).map { elements[$0 * width + $0] }
  guard let least = variances.min(), let greatest = variances.max() else { return 1 }
  return greatest / least
}

private func rounded(_ ratio: Double) -> String {
  ratio.isFinite && ratio < 1e9 ? "\((ratio * 1000).rounded() / 1000)" : "\(ratio)"
}
