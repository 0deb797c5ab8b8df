import IRCGraph
import IRCOps
import IRCQuant
import IRCSupport
import IRCTensor

/// Gives every constant that the kernels read its place in the weights file, each one once.
struct WeightLayout {
  private(set) var tensors: [StoredTensor] = []
  /// Bytes of all sections with their padding.
  private(set) var dataBytes = 0
  private var indices: [StoredTensor.Content: Int] = [:]

  /// Every section starts at a multiple of this.
  static let alignment = 64

  /// Bit b is set where some tensor has codes of b bits.
  var bitWidths: Int {
    tensors.reduce(0) { widths, tensor in
      if case .packed(let packed) = tensor.content { widths | 1 << packed.bits } else { widths }
    }
  }

  /// The place of a real constant in single precision.
  mutating func floats(_ value: ValueID, _ graph: Graph) throws -> StoredTensor {
    let shape = try fixedShape(value, graph)
    return add(.floats(value), of: value, graph, shape, [("values", shape.reduce(4, *))])
  }

  /// The place of a constant that the checkpoint has in half precision; nil if it has it otherwise or the graph changes it.
  mutating func halves(_ value: ValueID, _ graph: Graph) throws -> StoredTensor? {
    guard let parameter = graph.definition(of: value, as: Parameter.self),
      parameter.stored == .f16
    else { return nil }
    return add(
      .halves(value), of: value, graph, parameter.shape,
      [("values", parameter.shape.reduce(2, *))])
  }

  /// The place of a matrix of codes.
  ///
  /// - Throws: `OperatorError` when the kernels do not know its layout.
  mutating func packed(
    codes: ValueID, scale: ValueID, zero: ValueID?, _ spec: QuantizationSpec, _ graph: Graph
  ) throws -> (StoredTensor, PackedTensor) {
    let shape = try fixedShape(codes, graph)
    guard shape.count == 2 else { throw OperatorError("codes of rank \(shape.count)") }
    let hasOneScale = graph.type(of: scale).fixedShape == [1, spec.numbersPerGroup]
    var packed = PackedTensor(
      codes: codes, scale: scale, zero: zero, spec: spec, rows: shape[0], columns: shape[1],
      groups: hasOneScale
        ? (spec.format.isFitted ? 0 : 1) : spec.granularity.scales(inRowOf: shape[1]),
      scaleFormat: spec.scaleFormat, hasOneScale: hasOneScale, layout: .rows)
    packed.layout = CodeLayout(of: codes, spec, rows: shape[0], columns: shape[1], graph)
    var sections = [
      ("codes", packed.storedRows * packed.rowBytes),
      (packed.scaleRole, packed.scaleCount * packed.scaleBytes),
    ]
    if zero != nil { sections.append(("zeros", packed.scaleCount)) }
    if packed.hasTensorScale { sections.append(("tensor scale", 4)) }
    return (add(.packed(packed), of: codes, graph, shape, sections), packed)
  }

  private mutating func add(
    _ content: StoredTensor.Content, of value: ValueID, _ graph: Graph, _ shape: [Int],
    _ sections: [(role: String, bytes: Int)]
  ) -> StoredTensor {
    if let index = indices[content] { return tensors[index] }
    var placed: [StoredTensor.Section] = []
    for section in sections {
      placed.append(.init(role: section.role, offset: dataBytes, bytes: section.bytes))
      dataBytes += aligned(section.bytes)
    }
    // What is made from no tensor goes by the one in whose place it is, if that is known.
    let own = graph.constantName(of: value) ?? "constant.\(tensors.count)"
    let name = graph.parameterName(of: value) ?? graph.checkpointPlace(of: value) ?? own
    let constant = own == name ? nil : own
    let tensor = StoredTensor(
      name: name, constant: constant, content: content, shape: shape, sections: placed)
    indices[content] = tensors.count
    tensors.append(tensor)
    return tensor
  }

  private func fixedShape(_ value: ValueID, _ graph: Graph) throws -> [Int] {
    guard let shape = graph.type(of: value).fixedShape else {
      throw OperatorError("a constant of type \(graph.type(of: value))")
    }
    return shape
  }
}

/// `bytes` rounded up to the alignment of the weights file and of the arena.
func aligned(_ bytes: Int) -> Int {
  (bytes + WeightLayout.alignment - 1) / WeightLayout.alignment * WeightLayout.alignment
}
