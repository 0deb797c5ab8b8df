/// The values that an option takes, as data: help, validation, JSON Schema and docs come from it.
public indirect enum OptionSchema: Hashable, Sendable {
  /// A whole number within bounds.
  case integer(ClosedRange<Int>)
  /// A real number within bounds.
  case number(ClosedRange<Double>)
  /// `true` or `false`.
  case boolean
  /// Any text; the argument says what it is, such as "the path of a folder".
  case text(String)
  /// One of these words.
  case choice([String])
  /// The name of a component of this kind.
  case component(String)
  /// A list of values of one kind.
  case list(OptionSchema)
  /// A mapping with these keys and no others.
  case mapping([Field])
  /// Any of these kinds, tried in order.
  case either([OptionSchema])
  /// Whatever was written: its reader checks it.
  case anything
  /// A quantization scheme: the name of one, or what its file holds.
  case scheme
  /// What a YAML or JSON file holds, or its path; the argument says what it is, such as "measured times".
  case document(String)

  /// One key of a mapping.
  public struct Field: Hashable, Sendable {
    /// The key.
    public var name: String
    /// The values it takes.
    public var schema: OptionSchema
    /// What it means.
    public var help: String
    /// True if it must be present.
    public var isRequired: Bool

    /// Declares a key.
    public init(_ name: String, _ schema: OptionSchema, _ help: String, isRequired: Bool = false) {
      self.name = name
      self.schema = schema
      self.help = help
      self.isRequired = isRequired
    }
  }

  /// The kind of value in words, for help and error messages.
  public var description: String {
    switch self {
    case .integer(let range):
      "a whole number\(bounds(range.lowerBound, range.upperBound, Int.min, Int.max))"
    case .number(let range):
      "a number\(bounds(range.lowerBound, range.upperBound, -.infinity, .infinity))"
    case .boolean: "true or false"
    case .text(let kind): kind
    case .choice(let words): words.joined(separator: " | ")
    case .component(let kind): "the name of a \(kind)"
    case .list(.anything): "a list"
    case .list(let element): "a list (each element \(element.description))"
    case .mapping(let fields): "a mapping with keys \(fields.map(\.name).joined(separator: ", "))"
    case .either(let kinds): kinds.map(\.description).joined(separator: ", or ")
    case .anything: "a value"
    case .scheme: "a quantization scheme (a name or a mapping)"
    case .document(let kind): "\(kind) (the path of a file, or what it holds)"
    }
  }

  /// The words that a scalar may be, for a suggestion.
  var words: [String] {
    switch self {
    case .choice(let words): words
    case .boolean: ["true", "false"]
    case .either(let kinds): kinds.flatMap(\.words)
    default: []
    }
  }

  private func bounds<Bound: Comparable>(
    _ lower: Bound, _ upper: Bound, _ lowest: Bound, _ highest: Bound
  ) -> String {
    switch (lower == lowest, upper == highest) {
    case (true, true): ""
    case (false, true): " ≥ \(lower)"
    case (true, false): " ≤ \(upper)"
    case (false, false): " from \(lower) to \(upper)"
    }
  }
}
