import IRCExecution
import IRCGraph
import IRCOps
import IRCQuant
import IRCSupport
import IRCTensor
import Testing

@Suite struct FoldingTests {
  /// Constants of every kind that row blocks must get right, each with whether it is made row by row.
  static func graph() throws -> (Graph, [(value: ValueID, isRowwise: Bool)]) {
    var graph = Graph(name: "constants")
    func generate(_ shape: [Int], _ seed: UInt64) throws -> ValueID {
      try graph.add(Generated(shape: shape, values: .random(seed: seed, scale: 1)))[0]
    }
    var values: [(ValueID, Bool)] = []
    let w = try generate([10, 6], 1)
    values.append((w, true))
    let gained = try graph.add(Multiply(), [w, generate([6], 2)])[0]
    values.append((gained, true))
    let rotated = try graph.add(Linear(), [gained, generate([6, 6], 3)])[0]
    values.append((rotated, true))
    for (granularity, symmetric) in [
      (Granularity.row, true), (.row, false), (.group(4), false), (.tensor, true),
    ] {
      let spec = QuantizationSpec(.integer(bits: 4), granularity, isSymmetric: symmetric)
      let isRowwise = granularity != .tensor
      let parameters = try graph.add(QuantizationParameters(spec: spec), [rotated])
      // Codes are made row by row from a scale for everything; that scale is needed whole.
      let codes = try graph.add(Quantize(spec: spec), [rotated] + parameters)[0]
      values.append((codes, true))
      values += parameters.map { ($0, isRowwise) }
      values.append((try graph.add(Dequantize(spec: spec), [codes] + parameters)[0], true))
    }
    let mixed = try graph.add(Linear(), [generate([8, 6], 4), w])[0]
    values.append((mixed, true))
    let turned = try graph.add(Transpose(order: [1, 0]), [w])[0]
    values.append((turned, false))
    // Rows of what is made whole are cut off it.
    values.append((try graph.add(Slice(axis: 1, lower: 1, upper: 4), [turned])[0], false))
    values.append((try graph.add(Slice(axis: 0, lower: 1, upper: 4), [w])[0], false))
    values.append((try graph.add(Negate(), [turned])[0], false))
    values.append((try graph.add(Concatenate(axis: 0), [w, gained])[0], false))
    values.append((try graph.add(Multiply(), [generate([6], 5), generate([6], 6)])[0], true))
    let square = try generate([6, 6], 7)
    values.append((try graph.add(Multiply(), [square, generate([6], 8)])[0], true))
    return (graph, values)
  }

  @Test func blocksEqualTheWhole() throws {
    let (graph, values) = try Self.graph()
    for precision in [Precision.single, .double] {
      let folder = ConstantFolder(graph, precision: precision)
      for (value, isRowwise) in values {
        let whole = try folder.fold(value)
        let name = "\(graph.producer(of: value).op) of type \(graph.type(of: value))"
        let isWhole = graph.type(of: value).fixedShape == [1, 1]
        let actual = try folder.rows(of: [value]).isRowwise
        #expect(isWhole || isRowwise == actual, "\(name)")
        for rowsPerBlock in [1, 3, 100] {
          var rows: [Double] = []
          try folder.forEachRowBlock(of: [value], rowsPerBlock: rowsPerBlock) { range, blocks in
            #expect(blocks[0].shape == [range.count] + whole.shape.dropFirst())
            rows += blocks[0].values
          }
          #expect(relativeDifference(rows, whole.values) < 1e-6, "\(name)")
        }
      }
    }
  }

  /// Codes, scales and zero points together, as they are written to a file, from several threads.
  @Test func sharedBlocks() throws {
    let (graph, _) = try Self.graph()
    let folder = ConstantFolder(graph)
    for (operation, _) in graph.operations(of: Quantize.self) {
      let values = [operation.result] + operation.operands.dropFirst()
      let whole = try folder.fold(values)
      let blocks = try folder.rows(of: values)
      #expect(blocks.rows == 10)
      let parts = try Parallel.map(5) { try blocks.evaluate(rows: $0 * 2..<$0 * 2 + 2) }
      for (index, value) in values.enumerated() {
        let isCut = graph.type(of: value).shape[0] == 10
        let joined = isCut ? parts.flatMap { $0[index].values } : parts[0][index].values
        #expect(joined == whole[index].values)
      }
    }
  }

  @Test func onlyConstantsFold() throws {
    let graph = try TestNetwork.llama()
    let folder = ConstantFolder(graph)
    #expect(throws: Diagnostic.self) { try folder.fold(graph.outputs[0].value) }
    #expect(throws: Diagnostic.self) { try folder.rows(of: [graph.outputs[0].value]) }
  }

  /// A chain so long that recursion would not survive it.
  @Test func longChains() throws {
    var graph = Graph(name: "chain")
    var value = try graph.add(Generated(shape: [2, 2], values: .splat(1)))[0]
    for _ in 0..<20_001 { value = try graph.add(Negate(), [value])[0] }
    #expect(try ConstantFolder(graph).fold(value).values == [-1, -1, -1, -1])
    #expect(try ConstantFolder(graph).fold(value, rows: 1..<2).values == [-1, -1])
  }
}
