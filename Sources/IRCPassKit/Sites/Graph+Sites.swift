public import IRCGraph
import IRCOps
import IRCTensor

/// What applying a transform to a site did besides changing weights.
public struct SiteChange: Sendable {
  /// Tensors that were read in several places as one and are now several, with the elements of a copy.
  public var untied: [(name: String, elements: Int)] = []
  /// Number of operators that now run online.
  public var onlineCount = 0
}

/// Why a transform cannot be applied to a site.
public struct SiteError: Error, Sendable, CustomStringConvertible {
  /// One sentence without a full stop.
  public let description: String
  /// What to do about it.
  public let hint: String?

  /// Makes the error.
  public init(description: String, hint: String? = nil) {
    self.description = description
    self.hint = hint
  }
}

extension Graph {
  /// The sites of one family.
  public func sites(_ family: TransformFamily) -> [Site] {
    InvarianceAnalysis(self).sites(family)
  }

  /// Moves the channels of a site by a transform: constants are rewritten, as operators above them that fold when weights
  /// are written, and where nothing can absorb the transform an operator runs online, if that is allowed.
  ///
  /// Sites stay valid while others of the same analysis are applied.
  ///
  /// - Parameters:
  ///   - transform: an element of the site's group.
  ///   - site: a site of this graph.
  ///   - allowsOnline: whether operators may be put on the frontier.
  ///   - context: names the pass in the locations of what is made.
  /// - Throws: `SiteError` when the transform does not fit the site; the graph is then as it was.
  @discardableResult
  public mutating func apply(
    _ transform: ChannelTransform, at site: Site, allowsOnline: Bool = false,
    in context: PassContext
  ) throws -> SiteChange {
    guard stage == .float else {
      throw SiteError(
        description:
          "site '\(site.name)' cannot be transformed in a graph of stage '\(stage.rawValue)', whose weights have their formats already",
        hint: "put the pass before 'quantize'")
    }
    if let problem = transform.problem {
      throw SiteError(
        description: "site '\(site.name)': \(problem)",
        hint: "the pass that made the transform is at fault")
    }
    guard transform.width == site.width else {
      throw SiteError(
        description:
          "a transform of \(transform.width) channels does not fit site '\(site.name)', which has \(site.width)",
        hint: "make it of as many channels as the site has")
    }
    guard transform.isElement(of: site.group) else {
      throw SiteError(
        description:
          "site '\(site.name)' admits \(site.group), and the transform is not of that group",
        hint: "make an element of 'Site.group'")
    }
    guard allowsOnline || site.isOffline else {
      throw SiteError(
        description:
          "site '\(site.name)' needs \(site.onlineCount) operators that run online, which were not allowed",
        hint: "allow them, as with 'online: true', or leave the site out")
    }
    return try applyUnchecked(transform, at: site, in: context)
  }

  /// Applies a transform whether or not the site admits it: for tests that show what would go wrong.
  package mutating func applyUnchecked(
    _ transform: ChannelTransform, at site: Site, in context: PassContext
  ) throws -> SiteChange {
    if transform.isIdentity { return SiteChange() }
    var rewriter = SiteRewriter(self, site, transform, context)
    // Handed over and not shared, so that a change does not copy every operation, site after site.
    self = Graph(name: name)
    defer { self = rewriter.graph }
    try rewriter.run()
    return rewriter.change
  }
}

extension Site {
  /// True unless a dense matrix would have to run online in blocks or repeatedly, for which there is no kernel.
  public var admitsDenseTransforms: Bool {
    isOffline
      || group.blockCount == 1
        && frontier.allSatisfy { edge in
          switch edge {
          case .entry(let place, _, _), .exit(let place, _), .output(let place, _):
            place.channels.count == width
          }
        }
  }

  /// A seed for what is drawn at random for this site, from one for all: the same whatever other sites there are.
  public func seed(from common: Int) -> Int {
    // FNV-1a, then mixed.
    let hash = name.utf8.reduce(UInt64(0xCBF2_9CE4_8422_2325)) {
      ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01B3
    }
    let bits = RandomNumbers(seed: hash).bits(common)
    return Int(bits >> 33)
  }
}
