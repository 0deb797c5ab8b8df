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

  /// False if a pattern chooses sites of a role in no network.
  ///
  /// Wildcards stand for slashes too, so what is before the first of them decides.
  public static func mayMatch(_ pattern: NamePattern, _ role: SiteRole) -> Bool {
    let literal = String(pattern.glob.prefix { $0 != "*" && $0 != "?" })
    let start = role.rawValue + "/"
    if literal == pattern.glob { return literal == role.rawValue || literal.hasPrefix(start) }
    return role.rawValue.hasPrefix(literal) || literal.hasPrefix(start)
  }

  /// Tells the user which roles were asked for in vain.
  public func remarkAbsentRoles(in context: PassContext) {
    for role in absentRoles {
      context.remark(
        .absentRole, at: .unknown, "the network has no site of role '\(role.rawValue)'")
    }
  }

  private static func matches(_ pattern: NamePattern, _ site: Site) -> Bool {
    pattern.matches(site.name) || pattern.matches(site.role.rawValue)
  }
}

extension RemarkKind {
  /// What passes that choose sites by role declare and `SiteSelection.remarkAbsentRoles` makes.
  public static let absentRole = RemarkKind(
    "absent", .missed, "The network has no site of a role.")
}
