import IRCGraph
import IRCPassKit
import IRCSupport

/// What a pass of a C plugin says about itself, as JSON.
struct CPassDescription: Sendable {
  let info: PassInfo
  let options: [CPassOption]
  /// Whether results are kept between runs, if it says so.
  let isCostly: Bool?
  /// What is to be measured wherever it asks for statistics; nil if it does not ask.
  let measures: StatisticRequest?
  /// Whether it does nothing but give rounded weights other codes and scales.
  let onlyRounds: Bool

  private static let keys = [
    "name", "summary", "details", "paper", "options", "requires", "conflicts", "establishes",
    "drops", "preserves_function", "tolerance", "calibration", "costly", "counters", "remarks",
    "only_rounds",
  ]
  /// What can be asked for in `calibration`.
  private static let measurements = ["mean", "mean-square", "absolute-maximum", "second-moment"]

  /// Reads the description of a plugin's pass, the first of which has the index 0.
  ///
  /// - Throws: `Diagnostic` `plugin.description`.
  init(parsing text: String, of plugin: String, index: Int) throws {
    do {
      try self.init(JSONValue(parsing: text, path: "description"))
    } catch let problem as Diagnostic {
      throw Diagnostic(
        "plugin.description",
        "plugin '\(plugin)' describes pass \(index + 1) wrongly: \(problem.message)",
        hint: problem.hint ?? "docs/plugin-abi.md lists what a description has",
        notes: (problem.location.map {
          ["in line \($0.line), column \($0.column) of the description"]
        } ?? []) + problem.notes)
    }
  }

  private init(_ json: JSONValue) throws {
    try json.checkKeys(Self.keys)
    let calibration = try json.optional("calibration")?.array().map {
      try $0.string(oneOf: Self.measurements)
    }
    measures = calibration.flatMap {
      $0.isEmpty ? nil : $0.contains("second-moment") ? .secondMoment : .range
    }
    isCostly = try json.optional("costly")?.bool()
    options = try json.optional("options")?.array().map { try CPassOption($0) } ?? []
    for (index, option) in options.enumerated()
    where options[..<index].contains(where: { $0.key == option.key }) {
      throw json.diagnostic("plugin.description", "there are two options '\(option.key)'")
    }
    let preservesFunction = try json["preserves_function"].bool()
    onlyRounds = try json.optional("only_rounds")?.bool() ?? false
    if onlyRounds, preservesFunction {
      throw json.diagnostic(
        "plugin.description", "a pass cannot both round and preserve the function",
        hint: "leave out one of 'only_rounds' and 'preserves_function'")
    }
    // What the compiler itself remarks on where sites are transformed.
    let own: [RemarkKind] = preservesFunction ? [.absentRole, .untied] : []
    let dropped = try json.texts("drops").map { Fact($0) }
    info = PassInfo(
      name: try json["name"].string(), summary: try json["summary"].string(),
      details: try json.optional("details")?.string() ?? "",
      paper: try json.optional("paper")?.string(),
      requires: try json.texts("requires").map { Fact($0) },
      conflicts: try json.optional("conflicts")?.array().map { try Self.conflict($0) } ?? [],
      establishes: try json.texts("establishes").map { Fact($0) },
      preserves: dropped.isEmpty ? .all : .except(dropped),
      preservesFunction: preservesFunction,
      tolerance: try json.optional("tolerance")?.double(in: 0...1) ?? 1e-6,
      usesCalibration: measures != nil,
      statistics: try json.optional("counters")?.array().map { entry in
        try entry.checkKeys(["name", "help"])
        return Statistic(try entry["name"].string(), try entry["help"].string())
      } ?? [],
      remarks: try (json.optional("remarks")?.array().map { try Self.remark($0) } ?? []) + own)
  }

  private static func conflict(_ json: JSONValue) throws -> FactConflict {
    try json.checkKeys(["fact", "reason", "hint"])
    return FactConflict(
      Fact(try json["fact"].string()), try json["reason"].string(),
      hint: try json.optional("hint")?.string())
  }

  private static func remark(_ json: JSONValue) throws -> RemarkKind {
    try json.checkKeys(["name", "outcome", "help"])
    let outcomes: [RemarkKind.Outcome] = [.passed, .missed, .analysis]
    let word = try json["outcome"].string(oneOf: outcomes.map(\.rawValue))
    return RemarkKind(
      try json["name"].string(), outcomes.first { $0.rawValue == word } ?? .analysis,
      try json["help"].string())
  }
}
