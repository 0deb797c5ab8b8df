import CKernels
import IRCExecution
import IRCGraph
import IRCOps
import IRCQuant
import IRCSupport
import IRCTensor
import Synchronization

/// Makes the bytes of one stored tensor, a block of rows at a time, from several threads.
///
/// What the blocks share is prepared by the first that asks and dropped by `close`, so that it does not stay until the end.
final class TensorPacker: Sendable {
  /// How a block is made.
  private enum Recipe: Sendable {
    /// Rows of floats as they are.
    case floats(RealRows)
    /// Rows of halves as the checkpoint has them.
    case halves(Tensor)
    /// Rows of floats, scaled and rounded in one go.
    case encoded(RealRows, PackedTensor)
    /// Rows of codes, scales or fitted values, and zero points that the graph makes, with the scale of the whole tensor.
    case codes(RowBlocks, PackedTensor, tensorScale: Float)
  }

  let tensor: StoredTensor
  private let graph: Graph
  private let folder: ConstantFolder
  private let recipe = Mutex<Recipe?>(nil)

  init(_ tensor: StoredTensor, _ graph: Graph, _ folder: ConstantFolder) {
    self.tensor = tensor
    self.graph = graph
    self.folder = folder
  }

  /// Extent of the outermost axis.
  var rows: Int { tensor.shape.first ?? 1 }
  /// Elements of a row of it.
  private var width: Int { tensor.shape.dropFirst().reduce(1, *) }

  /// Ranges of rows that are made one by one: about a megabyte of floats each and whole panels, whatever the thread count.
  var blocks: [Range<Int>] {
    var count = max(1, (1 << 18) / max(1, width))
    if case .packed(let packed) = tensor.content, packed.layout == .panels {
      let panel = Int(IRC_PANEL_ROWS)
      count = (count + panel - 1) / panel * panel
    }
    return stride(from: 0, to: rows, by: count).map { $0..<min(rows, $0 + count) }
  }

  /// The parameters whose values the blocks do not check as they read them.
  var uncheckedParameters: [Parameter] {
    let value: ValueID
    switch tensor.content {
    case .floats(let id): value = id
    case .halves: return []
    case .packed(let packed): value = plainSource(of: packed) ?? packed.codes
    }
    if let pattern = RealRows.pattern(value, graph) {
      return pattern.gains.flatMap { graph.parameters(under: $0) }
    }
    return graph.parameters(under: value)
  }

  /// Drops what the blocks shared.
  func close() { recipe.withLock { $0 = nil } }

  /// The bytes of some rows.
  func pack(_ range: Range<Int>) throws -> PackedBlock {
    switch try prepared() {
    case .floats(let rows):
      return try unsafe rows.withRows(range) { start in
        PackedBlock(
          main: unsafe Array(UnsafeRawBufferPointer(start: start, count: 4 * width * range.count)))
      }
    case .halves(let stored):
      let part = stored.slice(rows: range)
      try unsafe withFloats(of: part) {
        try unsafe checkFinite(
          $0, count: part.count, of: tensor.name, from: range.lowerBound * width, width: width)
      }
      return PackedBlock(main: unsafe part.withBytes { unsafe Array($0) })
    case .encoded(let rows, let packed):
      return try unsafe rows.withRows(range) { try unsafe encode($0, range.count, packed) }
    case .codes(let blocks, let packed, let tensorScale):
      return try packCodes(blocks.evaluate(rows: range), range, packed, tensorScale)
    }
  }

  private func prepared() throws -> Recipe {
    try recipe.withLock { slot in
      if let recipe = slot { return recipe }
      let made: Recipe
      switch tensor.content {
      case .floats(let value):
        made = .floats(try RealRows(value, name: tensor.name, graph, folder))
      case .halves(let value):
        made = .halves(try storedHalves(value))
      case .packed(let packed):
        if let value = plainSource(of: packed) {
          made = .encoded(try RealRows(value, name: tensor.name, graph, folder), packed)
        } else {
          let values = [packed.codes, packed.scale] + (packed.zero.map { [$0] } ?? [])
          let rows = try folder.rows(of: values)
          made = .codes(rows, packed, tensorScale: try tensorScale(of: packed, rows))
        }
      }
      slot = made
      return made
    }
  }

  private func storedHalves(_ value: ValueID) throws -> Tensor {
    let stored = try graph.parameters.tensor(
      named: graph.constantName(of: value) ?? tensor.name)
    guard stored.shape == tensor.shape, stored.elementType == .f16 else {
      throw Diagnostic(
        "weights.mismatch",
        "tensor '\(tensor.name)' is \(stored.elementType.rawValue)\(stored.shape), expected f16\(tensor.shape)"
      )
    }
    return stored
  }

  /// The real value that codes and scales are made of in the one way that a kernel does at once; nil if they are made otherwise.
  private func plainSource(of packed: PackedTensor) -> ValueID? {
    let quantize = graph.producer(of: packed.codes)
    let parameters = graph.producer(of: packed.scale)
    guard !packed.hasOneScale, !packed.hasTensorScale, !packed.spec.format.isFitted,
      let op = quantize.op as? Quantize,
      let source = parameters.op as? QuantizationParameters, op.spec == source.spec,
      op.spec == packed.spec, quantize.operands == parameters.operands + parameters.results
    else { return nil }
    return quantize.operands[0]
  }

  /// The number that all scales share as a factor; 0 if there is none or none is needed.
  ///
  /// Whoever made the scales chose one; here one is found that they are exact multiples of.
  private func tensorScale(of packed: PackedTensor, _ rows: RowBlocks) throws -> Float {
    guard packed.hasTensorScale else { return 0 }
    let scales = try (rows.wholeValue(packed.scale) ?? folder.fold(packed.scale))
      .converted(to: .single)
    return unsafe scales.withElements(as: Float.self) { scales in
      unsafe scales.baseAddress.map { unsafe irc_common_tensor_scale($0, scales.count) } ?? 0
    }
  }

  private func encode(
    _ rows: UnsafePointer<Float>, _ count: Int, _ packed: PackedTensor
  ) throws -> PackedBlock {
    let scaleCount = count * packed.groups
    var zeros = [Int8](repeating: 0, count: packed.zero == nil ? 0 : scaleCount)
    var scales = [Float](repeating: 0, count: scaleCount)
    var spec = packed.spec.kernelSpec()
    spec.group = packed.group == packed.columns ? 0 : packed.group
    let codes = unsafe zeros.withUnsafeMutableBufferPointer { zeros in
      unsafe scales.withUnsafeMutableBufferPointer { scales -> [UInt8] in
        guard let scales = scales.baseAddress else { return [] }
        let zeros = packed.zero == nil ? nil : zeros.baseAddress
        return unsafe encoded(rows, count, packed, spec, scales, zeros)
      }
    }
    let parameters = PackedParameters(scales: scales, zeros: packed.zero == nil ? nil : zeros)
    return PackedBlock(main: codes, rest: try parameters.sections(of: tensor.name, packed))
  }

  /// Rounds rows [count, columns] to codes as the file has them; leaves scales and zero points [count, groups].
  private func encoded(
    _ rows: UnsafePointer<Float>, _ count: Int, _ packed: PackedTensor, _ spec: irc_code_spec,
    _ scales: UnsafeMutablePointer<Float>, _ zeros: UnsafeMutablePointer<Int8>?
  ) -> [UInt8] {
    let columns = packed.columns
    if packed.layout == .rows {
      let bytes = count * packed.rowBytes
      return unsafe [UInt8](unsafeUninitializedCapacity: bytes) { buffer, size in
        guard let codes = buffer.baseAddress else { return }
        unsafe irc_encode_pack_rows(codes, scales, zeros, rows, columns, count, columns, spec)
        size = bytes
      }
    }
    let codes = unsafe [Int8](unsafeUninitializedCapacity: count * columns) { buffer, size in
      guard let codes = buffer.baseAddress else { return }
      unsafe irc_encode_params_rows(scales, zeros, rows, columns, count, columns, spec)
      unsafe irc_encode_rows(codes, columns, rows, columns, scales, zeros, count, columns, spec)
      size = count * columns
    }
    return unsafe packed.packed(codes, rows: count)
  }

  private func packCodes(
    _ parts: [Tensor], _ range: Range<Int>, _ packed: PackedTensor, _ tensorScale: Float
  ) throws -> PackedBlock {
    let codes = unsafe parts[0].withElements(as: Int8.self) { codes in
      unsafe codes.baseAddress.map { unsafe packed.packed($0, rows: range.count) } ?? []
    }
    /// A single scale is repeated for every row; values that all rows share are not.
    func perRow<Element: TensorElement>(_ tensor: Tensor, _ type: Element.Type) -> [Element] {
      let elements = tensor.array(of: Element.self)
      return packed.hasOneScale && packed.groups > 0
        ? [Element](repeating: elements[0], count: range.count) : elements
    }
    let scales = perRow(parts[1], Float.self)
    if let bad = scales.firstIndex(where: { !$0.isFinite }) {
      throw Diagnostic(
        "weights.non-finite",
        "a scale of tensor '\(tensor.name)' is \(scales[bad]), in row \(range.lowerBound + packed.row(ofScale: bad))"
      )
    }
    let zeros = packed.zero == nil ? nil : perRow(parts[2], Int8.self)
    let parameters = PackedParameters(
      scales: scales, zeros: zeros, tensorScale: tensorScale, firstRow: range.lowerBound)
    return PackedBlock(main: codes, rest: try parameters.sections(of: tensor.name, packed))
  }
}

extension Graph {
  /// The parameters that a constant is made from, in the order of the graph's first use.
  func parameters(under value: ValueID) -> [Parameter] {
    var found: [Parameter] = []
    var seen: Set<OperationID> = []
    var open = [value]
    while let value = open.popLast() {
      let producer = producer(of: value)
      guard seen.insert(producer.id).inserted else { continue }
      if let parameter = producer.op as? Parameter { found.append(parameter) }
      open += producer.operands.reversed()
    }
    return found
  }
}
