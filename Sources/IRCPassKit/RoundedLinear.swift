public import IRCGraph
import IRCOps
public import IRCQuant

/// A linear layer whose constant weight is rounded to nearest, as `quantize` leaves it:
///
///     %s = quant_params %w   %q = quantize %w, %s   %v = dequantize %q, %s   %y = linear %x, %v
///
/// Passes that choose formats or round anew start from here.
public struct RoundedLinear: Sendable {
  /// The `linear`.
  public let operation: OperationID
  /// How the weight is stored.
  public let spec: QuantizationSpec
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
      constants.contains(rounding.source), let shape = graph.type(of: rounding.source).fixedShape
    else { return nil }
    self.operation = operation.id
    spec = rounding.spec
    source = rounding.source
    self.shape = shape
    name = graph.parameterName(of: source) ?? "weight"
    realInput = Self.rounding(of: operation.operands[0], in: graph)?.source ?? operation.operands[0]
  }

  /// What a value is the `dequantize(quantize(_))` of, under scales of either kind.
  private static func rounding(
    of value: ValueID, in graph: Graph
  ) -> (spec: QuantizationSpec, source: ValueID)? {
    guard let form = graph.definition(of: value, as: Dequantize.self) else { return nil }
    let codes = graph.producer(of: value).operands[0]
    guard let quantize = graph.definition(of: codes, as: Quantize.self), quantize.spec == form.spec
    else { return nil }
    return (form.spec, graph.producer(of: codes).operands[0])
  }
}

extension Graph {
  /// Adds `dequantize(quantize(value))` under scales of the value's own range.
  ///
  /// - Returns: the rounded value.
  /// - Throws: `OperatorError` for a value that the format does not fit.
  public mutating func round(
    _ value: ValueID, to spec: QuantizationSpec, before anchor: OperationID, at location: Location
  ) throws -> ValueID {
    let scales = try add(QuantizationParameters(spec: spec), [value], before: anchor, at: location)
    let codes = try add(Quantize(spec: spec), [value] + scales, before: anchor, at: location)
    return try add(Dequantize(spec: spec), codes + scales, before: anchor, at: location)[0]
  }
}
