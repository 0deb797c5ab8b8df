public import IRCPassKit

/// How long products with one token took on a machine, as `irc bench --suite kernels --json` prints it.
public struct KernelTimes: Hashable, Sendable {
  /// One measured product of a token by one thread.
  public struct Row: Hashable, Sendable {
    /// Name of the weights' format, such as `int4` or `nvfp4`.
    public let weights: String
    /// `i8`, or `f32` for real activations.
    public let activations: String
    /// Columns that share a scale; 0: all of a row.
    public let group: Int
    /// Rows of the weights: numbers that the product gives.
    public let rows: Int
    /// Columns of the weights: numbers that the product takes.
    public let columns: Int
    /// Seconds that one product takes.
    public let seconds: Double

    /// Rows, columns and columns of a group up to which bits of a matrix are counted.
    static let largestSize = 1 << 24
    /// Seconds that a product takes at most.
    static let longest = 1000.0

    /// States a time of at most 1000 seconds, of a matrix of at most 2²⁴ rows and columns.
    public init(
      weights: String, activations: String, group: Int, rows: Int, columns: Int, seconds: Double
    ) {
      precondition(
        (1...Self.largestSize).contains(rows) && (1...Self.largestSize).contains(columns)
          && (0...Self.largestSize).contains(group) && (0...Self.longest).contains(seconds),
        "\(seconds) s of a product of \(rows)x\(columns) in groups of \(group)")
      self.weights = weights
      self.activations = activations
      self.group = group
      self.rows = rows
      self.columns = columns
      self.seconds = seconds
    }
  }

  /// The times.
  public let rows: [Row]

  /// States times.
  public init(_ rows: [Row]) {
    self.rows = rows
  }

  /// The time of a matrix [rows, columns]: of the measured products of the same formats and group, else of the same formats, that of
  /// the matrix whose bytes are in the smallest ratio to these, by that ratio. Nil if there is none.
  ///
  /// Kernels for one token wait for their weights, so that time goes with bytes.
  public func seconds(
    _ spec: QuantizationSpec, rows: Int, columns: Int, activations: QuantizationSpec?
  ) -> Double? {
    let input = Self.name(of: activations)
    let same = self.rows.filter { $0.weights == spec.benchName && $0.activations == input }
    let group = spec.groupSize(columns: columns)
    let alike = same.filter { $0.group == group }
    let bits = Double(spec.storedBits(rows: rows, columns: columns))
    func ratio(_ row: Row) -> Double { bits / row.storedBits(spec) }
    func distance(_ row: Row) -> Double { max(ratio(row), 1 / ratio(row)) }
    let nearest = (alike.isEmpty ? same : alike).min { distance($0) < distance($1) }
    return nearest.map { $0.seconds * ratio($0) }
  }
}

extension KernelTimes {
  /// What times call activations. Those of fewer bits than 8 are stored and multiplied as those of 8.
  static func name(of activations: QuantizationSpec?) -> String {
    activations == nil ? "f32" : "i8"
  }
}

extension KernelTimes.Row {
  /// Bits of the measured matrix in a format of the same name, with groups as they were measured.
  fileprivate func storedBits(_ spec: QuantizationSpec) -> Double {
    var spec = spec
    spec.granularity = group == 0 ? .row : .group(group)
    return Double(max(1, spec.storedBits(rows: rows, columns: columns)))
  }
}

extension QuantizationSpec {
  /// What measured times call the format.
  var benchName: String {
    guard case .table(.fp4) = format else { return format.description }
    return switch scaleFormat {
    case .e8m0, .e8m0Floor: "mxfp4"
    case .e4m3: "nvfp4"
    case .f32, .f16: "fp4"
    }
  }

  /// Columns that share a scale; 0: all of a row.
  fileprivate func groupSize(columns: Int) -> Int {
    if case .group(let size) = granularity, size < columns { size } else { 0 }
  }
}

extension KernelTimes: PassOptionValue {
  /// What help and the JSON schema say of it.
  public static var schema: OptionSchema { .document("measured times of kernels") }

  private static let fields: [OptionSchema.Field] = [
    .init("weights", .text("a format"), "Format of the weights.", isRequired: true),
    .init("activations", .text("a format"), "Format of the activations.", isRequired: true),
    .init("group", .integer(0...Row.largestSize), "Columns that share a scale.", isRequired: true),
    .init("rows", .integer(1...Row.largestSize), "Rows.", isRequired: true),
    .init("cols", .integer(1...Row.largestSize), "Columns.", isRequired: true),
    .init("n", .integer(1...(.max)), "Tokens.", isRequired: true),
    .init("threads", .integer(1...(.max)), "Threads.", isRequired: true),
    .init("seconds", .number(0...Row.longest), "How long it took.", isRequired: true),
  ]

  /// How a file with times is made.
  static let recipe =
    "'irc bench --suite kernels --threads 1 --only n=1 --no-peers --json > FILE' measures them on this machine"

  /// Takes of a list `rows` those of one token and one thread; keys that it does not know belong to others.
  ///
  /// - Throws: `DiagnosticList` as well when there are none of these.
  public init(option: OptionValue) throws {
    guard case .mapping(let entries) = option.content,
      let list = entries.first(where: { $0.key == "rows" })?.value,
      case .sequence(let items) = list.content
    else {
      let found =
        switch option.content {
        case .mapping(let entries):
          entries.isEmpty ? "nothing" : "a mapping without a list 'rows'"
        default: option.summary
        }
      throw DiagnosticList(
        option.span.error(
          "options.type", "expected \(Self.schema.description), found \(found)", hint: Self.recipe)
      )
    }
    guard !items.isEmpty else {
      throw DiagnosticList(
        list.span.error("options.constraint", "there are no times here", hint: Self.recipe))
    }
    var rows: [Row] = []
    var problems: [Diagnostic] = []
    for item in items {
      do {
        if let row = try Self.row(item) { rows.append(row) }
      } catch let list as DiagnosticList {
        problems += list.diagnostics
      }
    }
    if !problems.isEmpty { throw DiagnosticList(problems) }
    if rows.isEmpty { throw DiagnosticList(Self.nothingFits(items, list)) }
    self.init(rows)
  }

  /// Why rows that are right in themselves are of no use, at the first value that says so.
  private static func nothingFits(_ items: [OptionValue], _ list: OptionValue) -> Diagnostic {
    for key in ["threads", "n"] {
      let values = items.compactMap { item -> OptionValue? in
        guard case .mapping(let entries) = item.content else { return nil }
        return entries.first { $0.key == key }?.value
      }
      guard let first = values.first, let found = first.text,
        !values.contains(where: { $0.text == "1" })
      else { continue }
      return first.span.error(
        "options.constraint",
        key == "threads"
          ? "times are those of one thread, and these were measured with \(found)"
          : "times are those of one token, and there are none: this one is of \(found)",
        hint: recipe)
    }
    return list.span.error(
      "options.constraint", "there is no time of one token on one thread", hint: recipe)
  }

  private static func row(_ item: OptionValue) throws -> Row? {
    guard case .mapping(let entries) = item.content else {
      throw item.mismatch(.mapping(fields))
    }
    let known = entries.filter { entry in fields.contains { $0.name == entry.key } }
    let values = try OptionMapping(
      OptionValue(.mapping(known), span: item.span), fields: fields)
    func number(_ key: String) throws -> Int { try values[key].map(Int.init(option:)) ?? 0 }
    let seconds = try values["seconds"].map(Double.init(option:)) ?? 0
    guard try number("n") == 1, try number("threads") == 1, seconds > 0 else { return nil }
    return Row(
      weights: values.text("weights") ?? "", activations: values.text("activations") ?? "",
      group: try number("group"), rows: try number("rows"), columns: try number("cols"),
      seconds: seconds)
  }

  /// The same as YAML and JSON hold it, without what belongs to others.
  public var optionText: String {
    let rows = rows.map { row in
      "{weights: \(row.weights.optionText), activations: \(row.activations.optionText), "
        + "group: \(row.group), rows: \(row.rows), cols: \(row.columns), n: 1, threads: 1, seconds: \(row.seconds)}"
    }
    return "{rows: [\(rows.joined(separator: ", "))]}"
  }
}
