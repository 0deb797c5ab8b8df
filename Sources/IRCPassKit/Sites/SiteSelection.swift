public import IRCGraph
public import IRCSupport

/// The sites that patterns choose.
public struct SiteSelection: Sendable {
  /// The sites, in the graph's order, each once.
  public let sites: [Site]
  /// Roles that were asked for and that this network has no site of.
  public let absentRoles: [SiteRole]

  /// Chooses sites by name or role: `value`, `gate/*.layers.0.*`.
  ///
  /// A role that a network does not have is no mistake, since a pipeline serves many networks; any other pattern must match.
  ///
  /// - Throws: `PassError` when a pattern matches nothing, with the nearest name.
  public init(_ patterns: [NamePattern], among sites: [Site]) throws {
    var absent: [SiteRole] = []
    for pattern in patterns where !sites.contains(where: { Self.matches(pattern, $0) }) {
      if let role = SiteRole(rawValue: pattern.glob) {
        absent.append(role)
        continue
      }
      let names = SiteRole.allCases.map(\.rawValue) + sites.map(\.name)
      throw PassError(
        "no site matches '\(pattern)'",
        hint: nearestMatch(to: pattern.glob, in: names).map { "did you mean '\($0)'?" }
          ?? "'irc inspect --sites' lists the sites of a model")
    }
    self.sites = sites.filter { site in patterns.contains { Self.matches($0, site) } }
    absentRoles = absent
  }

  /// True if a pattern may choose sites of a role.
  public static func mayMatch(_ pattern: NamePattern, _ role: SiteRole) -> Bool {
    let head = NamePattern(String(pattern.glob.prefix { $0 != "/" }))
    return head.matches(role.rawValue)
  }

  private static func matches(_ pattern: NamePattern, _ site: Site) -> Bool {
    pattern.matches(site.name) || pattern.matches(site.role.rawValue)
  }
}
