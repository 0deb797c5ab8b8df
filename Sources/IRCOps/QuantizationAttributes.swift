import IRCGraph
public import IRCQuant

extension QuantizationSpec {
  /// The attributes `format`, `granularity`, `symmetric` and `scales`.
  var attributes: [(name: String, value: Attribute)] {
    [
      ("format", .symbol(format.description)), ("granularity", granularity.attribute),
      ("symmetric", .bool(isSymmetric)), ("scales", .symbol(scaleFormat.rawValue)),
    ]
  }

  /// Reads what `attributes` writes.
  init(reading attributes: inout AttributeReader) {
    let formats = NumericFormat.all.map(\.description).joined(separator: ", ")
    let format = attributes.custom("format", formats, standIn: .integer(bits: 8)) {
      NumericFormat(attribute: $0)
    }
    let granularity = attributes.custom(
      "granularity", "tensor, row or group(n)", standIn: .row, Granularity.init(attribute:))
    let isSymmetric = attributes.bool("symmetric")
    let scaleFormats = ScaleFormat.allCases.map(\.rawValue).joined(separator: ", ")
    let scales = attributes.custom(
      "scales", scaleFormats, standIn: .f32, ScaleFormat.init(attribute:))
    self.init(format, granularity, isSymmetric: isSymmetric, scaleFormat: scales)
  }

  /// The whole specification as one attribute: `quantized(int4, group(32), true, f32)`.
  var attribute: Attribute { .call("quantized", attributes.map(\.value)) }

  /// Reads the attribute `name` that `attribute` writes.
  init(_ name: String, reading attributes: inout AttributeReader) {
    self = attributes.custom(
      name, "quantized(format, granularity, symmetric, scales)",
      standIn: QuantizationSpec(.integer(bits: 8), .row)
    ) { attribute in
      guard case .call("quantized", let items) = attribute, items.count == 4,
        let format = NumericFormat(attribute: items[0]),
        let granularity = Granularity(attribute: items[1]),
        case .bool(let isSymmetric) = items[2], let scales = ScaleFormat(attribute: items[3])
      else { return nil }
      return QuantizationSpec(
        format, granularity, isSymmetric: isSymmetric, scaleFormat: scales)
    }
  }

  /// Number of operands or results that hold a tensor in this form: codes, scale, perhaps zero points.
  public var partCount: Int { parts("").count }

  /// Their names.
  func parts(_ name: String) -> [String] {
    ["\(name) codes", "\(name) scale"] + (hasZeroPoints ? ["\(name) zero"] : [])
  }

  /// Fails for specifications that no kernel knows.
  func check() throws(OperatorError) {
    if let problem { throw OperatorError(problem) }
  }
}

extension NumericFormat {
  init?(attribute: Attribute) {
    guard case .symbol(let word) = attribute else { return nil }
    self.init(name: word)
  }
}

extension ScaleFormat {
  init?(attribute: Attribute) {
    guard case .symbol(let word) = attribute else { return nil }
    self.init(rawValue: word)
  }
}

extension Granularity {
  var attribute: Attribute {
    switch self {
    case .tensor: .symbol("tensor")
    case .row: .symbol("row")
    case .group(let size): .call("group", [.int(size)])
    }
  }

  init?(attribute: Attribute) {
    switch attribute {
    case .symbol("tensor"): self = .tensor
    case .symbol("row"): self = .row
    case .call("group", let items):
      guard items.count == 1, case .int(let size) = items[0], size > 0 else { return nil }
      self = .group(size)
    default: return nil
    }
  }
}
