public import IRCGraph
import IRCOps
public import IRCQuant
public import IRCTensor

/// A linear layer whose constant weight is rounded to nearest, as `quantize` leaves it:
///
///     %s = quant_params %w   %q = quantize %w, %s   %v = dequantize %q, %s   %y = linear %x, %v
///
/// Passes that choose formats or round anew start from here.
public struct RoundedLinear: Sendable {
  /// The `linear`.
  public let operation: OperationID
  /// Where the `linear` comes from.
  public let location: Location
  /// How the weight is stored.
  public let spec: QuantizationSpec
  /// The weight after rounding, which the layer reads.
  public let rounded: ValueID
  /// Scales, and zero points unless symmetric.
  public let scales: [ValueID]
  /// True if the scales are just those of the weight's range, as `quantize` leaves them.
  public let hasPlainScales: Bool
  /// The weight before rounding, [out, in].
  public let source: ValueID
  /// Name of the checkpoint tensor that it is made from.
  public let name: String
  /// The input of the layer as it was before it was quantized, if it is.
  public let realInput: ValueID
  /// `[out, in]`.
  public let shape: [Int]

  /// What `operation` reads; nil if its weight is something else.
  public init?(_ operation: Operation, in graph: Graph, constants: Set<ValueID>) {
    guard operation.op is Linear,
      let rounding = Self.rounding(of: operation.operands[1], in: graph),
      constants.contains(operation.operands[1]),
      let shape = graph.type(of: rounding.source).fixedShape
    else { return nil }
    self.operation = operation.id
    location = operation.location
    spec = rounding.spec
    rounded = operation.operands[1]
    source = rounding.source
    scales = rounding.scales
    let parameters = graph.producer(of: scales[0])
    hasPlainScales =
      (parameters.op as? QuantizationParameters)?.spec == spec && parameters.operands == [source]
      && parameters.results == scales
    self.shape = shape
    name = graph.parameterName(of: source) ?? "weight"
    realInput = Self.rounding(of: operation.operands[0], in: graph)?.source ?? operation.operands[0]
  }

  /// What a value is the `dequantize(quantize(_))` of, under which scales.
  private static func rounding(
    of value: ValueID, in graph: Graph
  ) -> (spec: QuantizationSpec, source: ValueID, scales: [ValueID])? {
    guard let form = graph.definition(of: value, as: Dequantize.self) else { return nil }
    let parts = graph.producer(of: value).operands
    guard let quantize = graph.definition(of: parts[0], as: Quantize.self),
      quantize.spec == form.spec
    else { return nil }
    let rounding = graph.producer(of: parts[0]).operands
    let scales = Array(rounding.dropFirst())
    return scales == Array(parts.dropFirst()) ? (form.spec, rounding[0], scales) : nil
  }
}

extension Graph {
  /// Adds `dequantize(quantize(value))` under given scales and zero points, or those of the value's own range.
  ///
  /// - Returns: the rounded value.
  /// - Throws: `OperatorError` for a value that the format does not fit.
  public mutating func round(
    _ value: ValueID, to spec: QuantizationSpec, under given: [ValueID]? = nil,
    before anchor: OperationID, at location: Location
  ) throws -> ValueID {
    let scales =
      try given ?? add(QuantizationParameters(spec: spec), [value], before: anchor, at: location)
    let codes = try add(Quantize(spec: spec), [value] + scales, before: anchor, at: location)
    return try add(Dequantize(spec: spec), codes + scales, before: anchor, at: location)[0]
  }
}

extension RoundedLinear {
  /// What the constants are called that take the place of the weight.
  public func constantNames(
    in context: PassContext
  ) -> (codes: String, scales: String, zeros: String) {
    let name = "\(name).\(context.instance)"
    return ("\(name).codes", "\(name).scales", "\(name).zeros")
  }

  /// Adds codes that a pass has found for the weight, with their scales, as constants.
  ///
  /// - Parameters:
  ///   - codes: i8 of `shape`.
  ///   - set: scales and, unless symmetric, zero points of the format; scales are stored in its type.
  /// - Returns: the values that they stand for, made before `operation`.
  /// - Throws: `OperatorError` for codes or scales that do not fit the format.
  public func attach(
    codes: Tensor, _ set: ScaleSet, to graph: inout Graph, in context: PassContext
  ) throws -> ValueID {
    let place = context.derived(from: graph.producer(of: source).location)
    let names = constantNames(in: context)
    var parts = [
      try graph.attach(codes, numberedFrom: names.codes, before: operation, at: place),
      try graph.attach(
        set.stored(as: spec.scaleFormat), numberedFrom: names.scales, before: operation, at: place),
    ]
    if let zeros = set.zeros {
      parts.append(
        try graph.attach(zeros, numberedFrom: names.zeros, before: operation, at: place))
    }
    return try graph.add(Dequantize(spec: spec), parts, before: operation, at: place)[0]
  }
}
