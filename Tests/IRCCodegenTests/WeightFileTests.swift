import Foundation
import IRCCodegen
import IRCGraph
import IRCOps
import IRCQuant
import IRCSupport
import IRCTensor
import IRCTestSupport
import Testing

/// The weights file: what is in it, that it does not depend on threads, and that a wrong one is refused.
@Suite struct WeightFileTests {
  private static let options = CEmitter.Options(
    name: "tiny-model", chunk: 16, contextLength: 128, target: .portable)

  /// Ways to spoil a file and the status that must come of it.
  struct Damage: CustomTestStringConvertible, Sendable {
    let testDescription: String
    let status: Int
    let spoil: @Sendable ([UInt8]) -> [UInt8]

    static let wrong = 3
    static let corrupt = 4
    static let all = [
      Damage(testDescription: "empty", status: wrong) { _ in [] },
      Damage(testDescription: "shorter than a header", status: wrong) { Array($0.prefix(63)) },
      Damage(testDescription: "only a header", status: corrupt) { Array($0.prefix(64)) },
      Damage(testDescription: "one byte short", status: corrupt) { $0.dropLast() },
      Damage(testDescription: "one byte long", status: corrupt) { $0 + [0] },
      Damage(testDescription: "other magic", status: wrong) { $0.flipped(0) },
      Damage(testDescription: "other version", status: wrong) { $0.flipped(8) },
      Damage(testDescription: "other size", status: corrupt) { $0.flipped(16) },
      Damage(testDescription: "other fingerprint", status: wrong) { $0.flipped(24) },
      Damage(testDescription: "first byte of data", status: corrupt) { $0.flipped(64) },
      Damage(testDescription: "a byte in the middle", status: corrupt) { $0.flipped($0.count / 2) },
      Damage(testDescription: "last byte of the table", status: corrupt) {
        $0.flipped($0.count - 9)
      },
      Damage(testDescription: "the checksum", status: corrupt) { $0.flipped($0.count - 1) },
    ]
  }

  @Test(
    "refuses files that are damaged or not its own, by create or by verify",
    .enabled(if: Compilers.gcc != nil, "gcc is not installed"))
  func refusesWrongFiles() throws {
    let emitted = try EmittedModel(try TestModels.mamba(.w8a8), Self.options)
    let other = try EmittedModel(try TestModels.llama(.w8a8), Self.options)
    let program = try emitted.compileDriver(try #require(Compilers.gcc), ["-O1"])
    let bytes = try emitted.bytes(of: emitted.report.names.weights)
    for damage in Damage.all {
      let path = try emitted.folder.write("damaged", damage.spoil(bytes))
      #expect(throws: Never.self, "\(damage)") {
        try emitted.logits(program, [1, 2, 3], other: path, expect: damage.status)
      }
    }
    #expect(throws: Never.self) {
      try emitted.logits(program, [1, 2, 3], other: other.weights, expect: Damage.wrong)
    }
  }

  @Test("gives the same bytes for any number of threads and for every run")
  func isDeterministic() throws {
    defer { Parallel.setThreads(nil) }
    let format = try #require(Formats.all.first { $0.name == "w4a8-asymmetric" })
    var outputs: [[[UInt8]]] = []
    for threads in [1, 2, 4, 2] {
      Parallel.setThreads(threads)
      let emitted = try EmittedModel(try TestModels.llama(format), Self.options)
      outputs.append(try emitted.report.files.map(emitted.bytes))
    }
    #expect(outputs.allSatisfy { $0 == outputs[0] })
  }

  @Test("cuts large tensors into blocks without a seam")
  func writesLargeTensors() throws {
    let spec = QuantizationSpec(
      .integer(bits: 4), .group(32), isSymmetric: false, scaleFormat: .f16)
    let formats = Formats(name: "large", weights: spec)
    var b = ModelBuilder("large", formats)
    let (rows, columns) = (1500, 400)
    let ids = try b.add(Input(name: "ids", type: TensorType(.i32, [.named("tokens")])))
    let table = try b.parameter("table", [rows, columns], scale: 1)
    b.graph.addOutput("logits", try b.embedding(ids, table))
    let graph = try b.finished()
    let emitted = try EmittedModel(graph, Self.options)
    let tensor = try #require(emitted.report.tensors.first)
    #expect(tensor.name == "table" && tensor.shape == [rows, columns])
    let (codes, scales) = (rows * 13 * 16, rows * 13)
    #expect(tensor.bytes == codes + 2 * scales + scales)
    let bits = Double(tensor.bytes * 8) / Double(rows * columns)
    #expect(abs(tensor.bitsPerWeight - bits) < 1e-12)
    // One block of all rows, by another way: 1500 ids through the library give what the graph's own operators give.
    let gcc = try #require(Compilers.gcc)
    let program = try emitted.compileDriver(gcc, ["-O1"])
    let sample = stride(from: Int32(0), to: Int32(rows), by: 97).map { $0 }
    let logits = try emitted.logits(program, sample)
    let reference = try InterpreterReference.logits(graph, sample)
    #expect(logits == reference)
  }

  /// Codes with scales that a pass chose instead of `quant_params`.
  private func chosenScales(_ scales: [Double], _ format: ScaleFormat) throws -> Graph {
    let spec = QuantizationSpec(.table(.fp4), .row, scaleFormat: format)
    var b = ModelBuilder("chosen", .float)
    b.graph.stage = .kernels
    let ids = try b.add(Input(name: "ids", type: TensorType(.i32, [.named("tokens")])))
    let table = try b.parameter("table", [scales.count, 32], scale: 1)
    let scale = try b.add(Generated(shape: [scales.count, 1], values: .inline(scales)))
    let codes = try b.add(Quantize(spec: spec), table, scale)
    b.graph.addOutput(
      "logits", try b.add(DequantizingEmbedding(weights: spec), ids, codes, scale))
    return try b.finished()
  }

  @Test(
    "keeps scales that a pass chose, in the format of the specification",
    .enabled(if: Compilers.gcc != nil, "gcc is not installed"),
    arguments: [(ScaleFormat.f16, 2), (.e8m0, 1), (.e4m3, 1), (.f32, 4)])
  func keepsChosenScales(_ format: ScaleFormat, bytes: Int) throws {
    let graph = try chosenScales([0.5, 0.25, 2, 0x1p-4], format)
    let emitted = try EmittedModel(graph, Self.options)
    let tensor = try #require(emitted.report.tensors.first)
    #expect(tensor.bytes == 4 * 16 + 4 * bytes + (format == .e4m3 ? 4 : 0))
    #expect(tensor.format == "fp4 row \(format.rawValue)")
    let program = try emitted.compileDriver(try #require(Compilers.gcc), ["-O1"])
    let ids: [Int32] = [0, 1, 2, 3]
    #expect(
      try emitted.logits(program, ids) == (try InterpreterReference.logits(graph, ids)))
  }

  @Test(
    "refuses scales that the specification's format does not have",
    arguments: [(ScaleFormat.f16, 0.1), (.e8m0, 0.75), (.e8m0Floor, 0), (.e4m3, 0.51)])
  func refusesOtherScales(_ format: ScaleFormat, wrong: Double) throws {
    let graph = try chosenScales([0.5, 0.25, wrong, 1], format)
    let error = #expect(throws: Diagnostic.self) { try EmittedModel(graph, Self.options) }
    #expect(error?.id == "weights.scale")
    #expect(error?.message.contains("'table'") == true)
  }

  @Test(
    "keeps the values of fitted formats: for each channel, or once for all",
    .enabled(if: Compilers.gcc != nil, "gcc is not installed"),
    arguments: [Granularity.row, .tensor, .group(32)])
  func keepsFittedValues(_ granularity: Granularity) throws {
    // More rows than one block of the writer has.
    let (rows, columns) = (5000, 64)
    for (format, isSymmetric, numbers, role) in [
      (NumericFormat.codebook(bits: 3), true, 8, "values"),
      (.binary(bits: 3), false, 4, "factors"),
    ] {
      let spec = QuantizationSpec(
        format, granularity, isSymmetric: isSymmetric, scaleFormat: .f16)
      var b = ModelBuilder("fitted", Formats(name: "fitted", weights: spec))
      let ids = try b.add(Input(name: "ids", type: TensorType(.i32, [.named("tokens")])))
      let table = try b.parameter("table", [rows, columns], scale: 1)
      b.graph.addOutput("logits", try b.embedding(ids, table))
      let graph = try b.finished()
      let emitted = try EmittedModel(graph, Self.options)
      let tensor = try #require(emitted.report.tensors.first)
      let groups = granularity == .tensor ? 1 : rows * granularity.scales(inRowOf: columns)
      #expect(tensor.bytes == rows * 2 * 12 + groups * numbers * 2)
      #expect(tensor.bytes * 8 == spec.storedBits(rows: rows, columns: columns))
      let file = String(
        decoding: try emitted.bytes(of: emitted.report.names.weights), as: UTF8.self)
      #expect(file.contains("{\"role\":\"\(role)\""))
      let program = try emitted.compileDriver(try #require(Compilers.gcc), ["-O1"])
      let sample: [Int32] = [0, 1, 17, 4095, 4096, 4999]
      #expect(
        try emitted.logits(program, sample) == (try InterpreterReference.logits(graph, sample)))
    }
  }

  @Test("refuses fitted values that the specification's format does not have")
  func refusesOtherValues() throws {
    let spec = QuantizationSpec(.codebook(bits: 2), .tensor, scaleFormat: .f16)
    var b = ModelBuilder("chosen", .float)
    b.graph.stage = .kernels
    let ids = try b.add(Input(name: "ids", type: TensorType(.i32, [.named("tokens")])))
    let table = try b.parameter("table", [4, 32], scale: 1)
    let values = try b.add(Generated(shape: [1, 4], values: .inline([-1, 0, 0.1, 1])))
    let codes = try b.add(Quantize(spec: spec), table, values)
    b.graph.addOutput(
      "logits", try b.add(DequantizingEmbedding(weights: spec), ids, codes, values))
    let graph = try b.finished()
    let error = #expect(throws: Diagnostic.self) { try EmittedModel(graph, Self.options) }
    #expect(error?.id == "weights.scale")
    #expect(error?.message.contains("fitted value of tensor 'table', 0.1 in row 0") == true)
  }

  @Test("stores equal weights once")
  func storesEqualWeightsOnce() throws {
    var b = ModelBuilder("tied", .w8a8)
    let ids = try b.add(Input(name: "ids", type: TensorType(.i32, [.named("tokens")])))
    let table = try b.parameter("table", [64, 32], scale: 1)
    b.repeatSeed()
    let copy = try b.parameter("copy", [64, 32], scale: 1)
    let other = try b.parameter("other", [32, 32], scale: 1)
    let x = try b.product(b.embedding(ids, table), other, [])
    b.graph.addOutput("logits", try b.product(x, copy, []))
    let emitted = try EmittedModel(try b.finished(), Self.options)
    #expect(emitted.report.tensors.map(\.name) == ["table", "other"])
  }

  @Test("holds a few tensors of the checkpoint at a time")
  func holdsFewTensors() throws {
    let names = (0..<40).map { "weight\($0)" }
    var graph = Graph(name: "chain")
    graph.parameters = try LendingSource(names, [32, 32])
    let ids = try graph.add(Input(name: "ids", type: TensorType(.i32, [.named("tokens")])))[0]
    var weights = try names.map {
      try graph.add(Parameter(name: $0, shape: [32, 32], stored: .f32))[0]
    }
    var x = try graph.add(Embedding(), [ids, weights.removeFirst()])[0]
    for weight in weights { x = try graph.add(Linear(), [x, weight])[0] }
    graph.addOutput("logits", x)
    let folder = try TemporaryFolder()
    try CEmitter(Self.options).emit(graph, to: OutputFiles(directory: folder.path))
    let source = try #require(graph.parameters as? LendingSource)
    #expect(source.peak < 20, "\(source.peak) tensors at once")
  }

  /// A value that no scale can represent, and in which kind of tensor it is.
  @Test(
    "names the tensor and the element that is not finite",
    arguments: [("f32", Float.nan), ("f32", .infinity), ("f16", -.infinity), ("bf16", .nan)],
    [Formats.float, .w8a8])
  func refusesNonFiniteWeights(_ value: (stored: String, number: Float), _ formats: Formats) throws
  {
    var b = ModelBuilder("bad", formats)
    let stored = try #require(ElementType(rawValue: value.stored))
    let ids = try b.add(Input(name: "ids", type: TensorType(.i32, [.named("tokens")])))
    let table = try b.parameter("model.table", [300, 1000], scale: 1, stored: stored)
    b.spoil(element: 271 * 1000 + 7, value.number)
    b.graph.addOutput("logits", try b.embedding(ids, table))
    let graph = try b.finished()
    let error = #expect(throws: Diagnostic.self) { try EmittedModel(graph, Self.options) }
    #expect(error?.id == "weights.non-finite")
    #expect(error?.message.contains("'model.table'") == true)
    #expect(error?.message.contains("[271, 7]") == true)
  }

  @Test("finds a value that is not finite behind operations that hide it")
  func refusesHiddenNonFiniteWeights() throws {
    var b = ModelBuilder("bad", .w8a8)
    let ids = try b.add(Input(name: "ids", type: TensorType(.i32, [.named("tokens")])))
    let table = try b.parameter("model.table", [40, 32], scale: 1)
    b.spoil(element: 65, .nan)
    // A NaN has no part in a range and its code is zero, so codes of the sum do not show it.
    let sum = try b.add(Add(), table, table)
    b.graph.addOutput("logits", try b.embedding(ids, sum))
    let graph = try b.finished()
    let error = #expect(throws: Diagnostic.self) { try EmittedModel(graph, Self.options) }
    #expect(error?.id == "weights.non-finite")
    #expect(error?.message.contains("'model.table'") == true)
  }

  @Test("leaves no file behind when it fails")
  func leavesNothingBehind() throws {
    var b = ModelBuilder("bad", .float)
    let ids = try b.add(Input(name: "ids", type: TensorType(.i32, [.named("tokens")])))
    let table = try b.parameter("table", [40, 32], scale: 1)
    b.spoil(element: 65, .nan)
    b.graph.addOutput("logits", try b.embedding(ids, table))
    let graph = try b.finished()
    let folder = try TemporaryFolder()
    do {
      let output = OutputFiles(directory: folder.path)
      #expect(throws: Diagnostic.self) { try CEmitter(Self.options).emit(graph, to: output) }
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == [])
  }
}

extension [UInt8] {
  /// The bytes with one bit of one of them changed.
  fileprivate func flipped(_ index: Int) -> [UInt8] {
    var bytes = self
    bytes[index] ^= 0x10
    return bytes
  }
}
