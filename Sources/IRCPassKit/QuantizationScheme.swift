public import IRCQuant
import IRCSupport

/// In which formats a pipeline quantizes: the content of a file in `pipelines/schemes/`.
public struct QuantizationScheme: Hashable, Sendable {
  /// How activations are quantized.
  public struct Activations: Hashable, Sendable {
    /// Format and symmetry; granularity `row` is dynamic (a scale for each token, found as it runs), `tensor` is static.
    public var spec: QuantizationSpec
    /// How a static scale is found.
    public var range: RangeRule

    /// Says how activations are quantized.
    public init(spec: QuantizationSpec, range: RangeRule = .minMax) {
      self.spec = spec
      self.range = range
    }

    /// True if one scale, found by calibration, serves every token.
    public var isStatic: Bool { spec.granularity == .tensor }
  }

  /// How the range of a static scale is found from calibration.
  public enum RangeRule: Hashable, Sendable {
    /// The largest magnitude seen.
    case minMax
    /// This percentile of the magnitudes, in percent.
    case percentile(Double)
  }

  /// Weights of linear layers.
  public var weights: QuantizationSpec
  /// Inputs of linear layers; nil leaves them real.
  public var activations: Activations?
  /// Embedding tables; nil leaves them real.
  public var embeddings: QuantizationSpec?

  /// Codes that keys and values of attention are kept as between tokens, with a scale for each token and key head; nil keeps them
  /// real.
  public var cache: NumericFormat?

  /// Average bits for each weight, scales included, for pipelines that choose formats; nil: all weights have the one format.
  public var bits: Double?

  /// Names the formats.
  public init(
    weights: QuantizationSpec, activations: Activations? = nil,
    embeddings: QuantizationSpec? = QuantizationSpec(.integer(bits: 8), .row),
    cache: NumericFormat? = nil, bits: Double? = nil
  ) {
    self.bits = bits
    self.cache = cache
    self.weights = weights
    self.activations = activations
    self.embeddings = embeddings
  }

  /// Eight-bit weights with a scale for each output channel, activations real.
  public static let roundToNearestInt8 = QuantizationScheme(
    weights: QuantizationSpec(.integer(bits: 8), .row), activations: nil,
    embeddings: QuantizationSpec(.integer(bits: 8), .row))
}

extension QuantizationScheme: PassOptionValue {
  public static var schema: OptionSchema { .scheme }

  private static let formats = OptionSchema.choice(NumericFormat.all.map(\.description))

  /// Rows of codes are read sixteen at a time, so that narrower groups would cost more than they give.
  private static let groupUnit = 16

  /// The keys of a tensor's part of a scheme.
  private static let weightFields: [OptionSchema.Field] = [
    .init("format", formats, "Format of the codes.", isRequired: true),
    .init(
      "granularity", .choice(["tensor", "channel", "group"]),
      "Which weights share a scale, or the values of a fitted format: all, an output channel, or a run of an output channel. Default channel."
    ),
    .init(
      "size", .integer(groupUnit...65_536),
      "Length of a group; a multiple of \(groupUnit). Only with group."),
    .init(
      "symmetric", .boolean,
      "False adds a zero point to each scale, of integers with scales in f32 or f16 only, or an offset to the factors of a binary format. Default true."
    ),
    .init(
      "scale", .choice(ScaleFormat.allCases.map(\.rawValue)),
      "How scales, or the values of fitted formats, are stored: e8m0 is a power of two, e4m3 an eight-bit float times one number of the tensor. Default f16 with group and fitted formats, else f32."
    ),
  ]

  private static let activationFields: [OptionSchema.Field] = [
    .init("format", .choice(["int8", "int4"]), "Format of the codes.", isRequired: true),
    .init(
      "granularity", .choice(["token", "tensor"]),
      "token: a scale for each token, found as it runs. tensor: one scale, found by calibration. Default token."
    ),
    .init("symmetric", .boolean, "False adds a zero point to each scale. Default true."),
    .init(
      "range", .choice(["min-max", "percentile"]),
      "How calibration finds a static range. Default min-max. Only with tensor."),
    .init(
      "percentile", .number(50...100), "Percentile of the magnitudes, in percent. Default 99.99."),
  ]

  private static let cacheFields: [OptionSchema.Field] = [
    .init("format", .choice(["int8"]), "Format of the codes.", isRequired: true),
    .init(
      "granularity", .choice(["head"]),
      "head: a scale for each token and key head, found as it runs. Default head."),
  ]

  /// Every key of a scheme file but `irc` and `summary`.
  public static let fields: [OptionSchema.Field] = [
    .init(
      "weights", .mapping(weightFields), "Formats of the weights of linear layers.",
      isRequired: true),
    .init(
      "activations", .either([.choice(["none"]), .mapping(activationFields)]),
      "Formats of the inputs of linear layers. Default none."),
    .init(
      "embeddings", .either([.choice(["none"]), .mapping(weightFields)]),
      "Formats of embedding tables. Default {format: int8, granularity: channel}."),
    .init(
      "cache", .either([.choice(["none"]), .mapping(cacheFields)]),
      "Formats of keys and values that attention keeps from token to token; each head of a query is rounded alike. Default none."
    ),
    .init(
      "bits", .number(1...32),
      "Average bits for each weight of linear layers, scales included; for pipelines with mixed-precision, which chooses formats. "
        + "Default: all weights have the format above."),
  ]

  public init(option: OptionValue) throws {
    var problems = option.problems(with: .mapping(Self.fields))
    guard case .mapping(let entries) = option.content else { throw DiagnosticList(problems) }
    self.init(weights: QuantizationSpec(.integer(bits: 8), .row))
    // What fits together is asked of every part whose own shape is right, so that all errors come at once.
    for entry in entries {
      guard let field = Self.fields.first(where: { $0.name == entry.key }),
        entry.value.problems(with: field.schema).isEmpty
      else { continue }
      let isNone = entry.value.text == "none"
      do {
        switch entry.key {
        case "weights": weights = try Self.weightSpec(entry.value)
        case "activations": activations = isNone ? nil : try Self.activationSpec(entry.value)
        case "embeddings": embeddings = isNone ? nil : try Self.weightSpec(entry.value)
        case "cache": cache = isNone ? nil : try Self.cacheFormat(entry.value)
        case "bits": bits = try Double(option: entry.value)
        default: break
        }
      } catch let list as DiagnosticList {
        problems += list.diagnostics
      }
    }
    if !problems.isEmpty { throw DiagnosticList(problems) }
  }

  private static func weightSpec(_ option: OptionValue) throws -> QuantizationSpec {
    let map = try OptionMapping(option, fields: weightFields)
    guard let format = NumericFormat(name: map.text("format") ?? "") else {
      throw option.mismatch(formats)
    }
    let granularity: Granularity
    switch (map.text("granularity"), map["size"]) {
    case ("group", let size?):
      let length = try Int(option: size)
      guard length.isMultiple(of: groupUnit) else {
        throw DiagnosticList(
          size.span.error("options.constraint", "a group size must be a multiple of \(groupUnit)"))
      }
      granularity = .group(length)
    case ("group", nil):
      throw DiagnosticList(
        option.span.error(
          "options.missing-key", "granularity 'group' needs a 'size'", hint: "size: 32"))
    case (_, let size?):
      throw DiagnosticList(
        size.span.error(
          "options.constraint", "'size' goes with granularity 'group' only",
          hint: "add 'granularity: group'"))
    case ("tensor", nil): granularity = .tensor
    default: granularity = .row
    }
    var fallback: ScaleFormat = format.isFitted ? .f16 : .f32
    if case .group = granularity { fallback = .f16 }
    let spec = QuantizationSpec(
      format, granularity, isSymmetric: map.text("symmetric") != "false",
      scaleFormat: map.text("scale").flatMap(ScaleFormat.init) ?? fallback)
    if let problem = spec.problem {
      throw DiagnosticList(
        (map["symmetric"] ?? option).span.error("options.constraint", problem))
    }
    return spec
  }

  private static func activationSpec(_ option: OptionValue) throws -> Activations {
    let map = try OptionMapping(option, fields: activationFields)
    guard let format = NumericFormat(name: map.text("format") ?? "") else {
      throw option.mismatch(formats)
    }
    let isStatic = map.text("granularity") == "tensor"
    for key in ["range", "percentile"] where !isStatic {
      if let value = map[key] {
        throw DiagnosticList(
          value.span.error(
            "options.constraint",
            "'\(key)' goes with granularity 'tensor' only: a token's range is measured as it runs"
          ))
      }
    }
    var rule = RangeRule.minMax
    if map.text("range") == "percentile" {
      rule = .percentile(try map["percentile"].map(Double.init(option:)) ?? 99.99)
    } else if let value = map["percentile"] {
      throw DiagnosticList(
        value.span.error("options.constraint", "'percentile' goes with 'range: percentile' only"))
    }
    return Activations(
      spec: QuantizationSpec(
        format, isStatic ? .tensor : .row, isSymmetric: map.text("symmetric") != "false"),
      range: rule)
  }

  private static func cacheFormat(_ option: OptionValue) throws -> NumericFormat {
    let map = try OptionMapping(option, fields: cacheFields)
    guard let format = NumericFormat(name: map.text("format") ?? "") else {
      throw option.mismatch(cacheFields[0].schema)
    }
    return format
  }

  public var optionText: String {
    func text(_ spec: QuantizationSpec, _ row: String) -> String {
      var parts = ["format: \(spec.format)"]
      switch spec.granularity {
      case .tensor: parts.append("granularity: tensor")
      case .row: parts.append("granularity: \(row)")
      case .group(let size): parts += ["granularity: group", "size: \(size)"]
      }
      if !spec.isSymmetric { parts.append("symmetric: false") }
      if row == "channel" { parts.append("scale: \(spec.scaleFormat.rawValue)") }
      return parts.joined(separator: ", ")
    }
    var activationText = "none"
    if let activations {
      activationText = "{" + text(activations.spec, "token")
      if case .percentile(let percent) = activations.range {
        activationText += ", range: percentile, percentile: \(percent)"
      }
      activationText += "}"
    }
    let embeddingText = embeddings.map { "{\(text($0, "channel"))}" } ?? "none"
    let cacheText = cache.map { ", cache: {format: \($0), granularity: head}" } ?? ""
    let bitsText = bits.map { ", bits: \($0)" } ?? ""
    return
      "{weights: {\(text(weights, "channel"))}, activations: \(activationText), embeddings: \(embeddingText)\(cacheText)\(bitsText)}"
  }
}
