/// A compile-time value attached to an operator, as it appears in the textual IR.
public indirect enum Attribute: Hashable, Sendable {
  /// A whole number.
  case int(Int)
  /// A real number; prints in the shortest form that reads back exactly.
  case float(Double)
  /// Quoted text.
  case string(String)
  /// `true` or `false`.
  case bool(Bool)
  /// A bare word, such as a format's name.
  case symbol(String)
  /// `[a, b, …]`.
  case list([Attribute])
  /// `word(a, b, …)`.
  case call(String, [Attribute])
}

/// Reads the attributes of one operator by name, remembering what was asked for.
///
/// Reading is total: a missing or ill-typed attribute is noted and a stand-in returned, so that an operator's initialiser is
/// straight-line code; whoever made the reader then looks at `problems`.
public struct AttributeReader {
  private let attributes: [(name: String, value: Attribute)]
  private var used: [String] = []
  /// What was missing or of the wrong kind.
  public private(set) var problems: [Problem] = []

  /// An attribute that is missing or of the wrong kind.
  public struct Problem: Hashable, Sendable {
    /// Name of the attribute.
    public let attribute: String
    /// One sentence without a full stop.
    public let message: String
  }

  /// Reads from these attributes.
  public init(_ attributes: [(name: String, value: Attribute)]) {
    self.attributes = attributes
  }

  /// The value of `name`, if present; counts as used.
  public mutating func optional(_ name: String) -> Attribute? {
    used.append(name)
    return attributes.first { $0.name == name }?.value
  }

  private mutating func read<Value>(
    _ name: String, _ kind: String, _ standIn: Value, default fallback: Value?,
    _ convert: (Attribute) -> Value?
  ) -> Value {
    guard let attribute = optional(name) else {
      if let fallback { return fallback }
      problems.append(Problem(attribute: name, message: "attribute '\(name)' is missing"))
      return standIn
    }
    if let value = convert(attribute) { return value }
    problems.append(Problem(attribute: name, message: "attribute '\(name)' must be \(kind)"))
    return standIn
  }

  /// A whole number within `range`.
  public mutating func int(
    _ name: String, in range: ClosedRange<Int> = 0...Int.max, default fallback: Int? = nil
  ) -> Int {
    read(name, "a whole number in \(range)", range.lowerBound, default: fallback) {
      if case .int(let value) = $0, range.contains(value) { value } else { nil }
    }
  }

  /// A finite real number.
  public mutating func float(_ name: String, default fallback: Double? = nil) -> Double {
    read(name, "a finite number", 1, default: fallback) {
      switch $0 {
      case .float(let value) where value.isFinite: value
      case .int(let value): Double(value)
      default: nil
      }
    }
  }

  /// `true` or `false`.
  public mutating func bool(_ name: String, default fallback: Bool? = nil) -> Bool {
    read(name, "true or false", false, default: fallback) {
      if case .bool(let value) = $0 { value } else { nil }
    }
  }

  /// Quoted text.
  public mutating func string(_ name: String) -> String {
    read(name, "a string", "", default: nil) {
      if case .string(let value) = $0 { value } else { nil }
    }
  }

  /// A list of whole numbers, none negative.
  public mutating func ints(_ name: String) -> [Int] {
    read(name, "a list of whole numbers", [], default: nil) {
      guard case .list(let items) = $0 else { return nil }
      let values = items.compactMap { item -> Int? in
        if case .int(let value) = item, value >= 0 { value } else { nil }
      }
      return values.count == items.count ? values : nil
    }
  }

  /// Anything that `convert` understands; `kind` says what that is.
  public mutating func custom<Value>(
    _ name: String, _ kind: String, standIn: Value, _ convert: (Attribute) -> Value?
  ) -> Value {
    read(name, kind, standIn, default: nil, convert)
  }

  /// Names that were given and never asked for.
  public var unused: [String] {
    attributes.map(\.name).filter { !used.contains($0) }
  }
}
