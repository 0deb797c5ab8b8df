import IRCPassKit
import IRCSupport

/// The keys of a mapping whose values have the right shape; what is wrong with the others is reported once, here.
struct CheckedMapping {
  private var values: [String: OptionValue] = [:]

  init(_ value: OptionValue, _ fields: [OptionSchema.Field], _ problems: inout [Diagnostic]) {
    problems += value.problems(with: .mapping(fields))
    guard case .mapping(let entries) = value.content else { return }
    for entry in entries {
      guard let field = fields.first(where: { $0.name == entry.key }),
        entry.value.problems(with: field.schema).isEmpty
      else { continue }
      values[entry.key] = entry.value
    }
  }

  subscript(key: String) -> OptionValue? { values[key] }

  func text(_ key: String) -> String? { values[key]?.text }

  func integer(_ key: String) -> Int? { text(key).flatMap { Int($0) } }

  /// Complains about a language version that this compiler does not speak.
  func checkVersion(_ problems: inout [Diagnostic]) {
    guard let value = self["irc"], let version = integer("irc"), version != Language.version else {
      return
    }
    problems.append(
      value.span.error(
        "language.version", "language version \(version) is not known to this compiler",
        hint: "write 'irc: \(Language.version)', or use a newer irc"))
  }
}
