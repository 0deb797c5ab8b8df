import Foundation
import IRCCodegen
import IRCExecution
import IRCGraph
import IRCTensor
import Testing

/// What the interpreter makes of a graph.
enum InterpreterReference {
  static func logits(_ graph: Graph, _ ids: [Int32]) throws -> [Float] {
    let outputs = try Interpreter(graph).run(inputs: ["ids": Tensor([ids.count], ids)])
    return try #require(outputs["logits"]).array(of: Float.self)
  }
}

/// Emitted models against the interpreter, through a program that uses the library as a user would.
@Suite struct EmittedModelTests {
  private static let ids = (0..<75).map { Int32(RandomNumbers(seed: 5).integer($0, below: 101)) }

  /// One architecture in one set of formats.
  struct Case: CustomTestStringConvertible, Sendable {
    let architecture: String
    let formats: Formats
    var testDescription: String { "\(architecture)-\(formats.name)" }

    func graph() throws -> Graph {
      switch architecture {
      case "mamba": try TestModels.mamba(formats)
      case "llama": try TestModels.llama(formats)
      default: try TestModels.llama(formats, window: 7)
      }
    }

    static let all: [Case] =
      Formats.all.flatMap { formats in
        // Of the tables one model shows it.
        let isTable = formats.weights.map { !$0.format.isInteger } ?? false
        let architectures =
          isTable ? ["mamba"] : formats.hasCodedCaches ? ["llama"] : ["mamba", "llama"]
        return architectures.map { Case(architecture: $0, formats: formats) }
      }
      + [Formats.w8a8, .w8a8kv8].map { Case(architecture: "llama-window", formats: $0) }
  }

  private static let options = CEmitter.Options(
    name: "tiny-model", chunk: 16, contextLength: 128, target: .portable, mostThreads: 2)

  @Test(
    "computes what the interpreter computes, in any pieces, under the strictest flags",
    .enabled(if: Compilers.gcc != nil, "gcc is not installed"), arguments: Case.all)
  func matchesInterpreter(_ model: Case) throws {
    let graph = try model.graph()
    let emitted = try EmittedModel(graph, Self.options)
    let gcc = try #require(Compilers.gcc)
    let program = try emitted.compileDriver(
      gcc, ["-O2", "-DIRC_SHARE_NS=0"] + Compilers.vectorFlags + Compilers.strict)
    let logits = try emitted.logits(program, Self.ids, maxTokens: Self.ids.count)
    let expected = try InterpreterReference.logits(graph, Self.ids)
    #expect(logits == expected)
  }

  @Test(
    "is clean under the address and undefined-behaviour sanitizers and gives the same bits",
    .enabled(if: Compilers.gcc != nil && Compilers.clang != nil, "gcc or clang is not installed"),
    arguments: Case.all.filter {
      [
        "float", "w8a8kv8", "w4a8-static-asymmetric", "w3a16", "w6a8", "nvfp4", "mxfp8-floor",
        "codebook4",
        "codebook3-shared", "binary2-offset",
      ].contains($0.formats.name)
    })
  func sanitized(_ model: Case) throws {
    let emitted = try EmittedModel(try model.graph(), Self.options)
    let gcc = try #require(Compilers.gcc)
    let clang = try #require(Compilers.clang)
    let plain = try emitted.compileDriver(gcc, ["-O3"] + Compilers.strict)
    let logits = try emitted.logits(plain, Self.ids, maxTokens: Self.ids.count)
    for compiler in [gcc, clang] {
      let program = try emitted.compileDriver(
        compiler, Compilers.sanitizers + Compilers.strict)
      #expect(try emitted.logits(program, Self.ids, maxTokens: Self.ids.count) == logits)
    }
  }

  @Test(
    "gives the same bits for chunks of any size",
    .enabled(if: Compilers.gcc != nil, "gcc is not installed"), arguments: ["mamba", "llama"])
  func chunksDoNotMatter(_ architecture: String) throws {
    let graph = try Case(architecture: architecture, formats: .w8a8).graph()
    let gcc = try #require(Compilers.gcc)
    let results = try [1, 7, 512].map { chunk in
      var options = Self.options
      options.chunk = chunk
      let emitted = try EmittedModel(graph, options)
      return try emitted.logits(emitted.compileDriver(gcc, ["-O1"]), Self.ids)
    }
    #expect(results[0] == results[1] && results[0] == results[2])
  }

  @Test(
    "gives the same bits with any number of threads, without a race",
    .enabled(if: Compilers.gcc != nil, "gcc is not installed"),
    arguments: Case.all.filter {
      ["float", "w4a8-static-asymmetric", "w8a8"].contains($0.formats.name)
        || $0.formats.hasCodedCaches
    })
  func threadsDoNotMatter(_ model: Case) throws {
    let graph = try model.graph()
    let gcc = try #require(Compilers.gcc)
    let ids = Array(Self.ids.prefix(27))
    var options = Self.options
    (options.chunk, options.mostThreads) = (11, 5)
    let sanitizers = ["-g", "-O1", "-fno-sanitize-recover=all", "-fuse-ld=bfd"]
    let builds: [(ThreadModel, [String])] = [
      (.none, ["-O1"]), (.pool, sanitizers + ["-fsanitize=thread"]),
      (.pool, sanitizers + ["-fsanitize=address,undefined"]), (.openmp, ["-O1"]),
    ]
    let logits = try builds.map { threads, flags in
      options.threads = threads
      let emitted = try EmittedModel(graph, options)
      // However small the work is, it is shared.
      let program = try emitted.compileDriver(
        gcc, flags + threads.compilerFlags + ["-DIRC_SHARE_NS=0"] + Compilers.strict)
      return try emitted.logits(program, ids, maxTokens: ids.count)
    }
    #expect(logits.allSatisfy { $0 == logits[0] })
  }
}
