import Foundation
import IRCCodegen
import IRCDriver
import IRCExecution
import IRCGraph
import IRCOps
import IRCSupport
import IRCTensor
import IRCTestSupport
import Testing

/// Emitted libraries, compiled and loaded into this process.
@Suite struct CompiledModelTests {
  private static let hasCompiler = (try? CCompiler.find()) != nil

  /// Compiled kernels, which all these tests share.
  private static let objects = Result { try TemporaryFolder.untilExit().path }

  /// One attention layer over a vocabulary of 40.
  private func graph(width: Int = 8) throws -> Graph {
    try GraphParser.parse(
      """
      irc.graph @"test" {stage = "kernels"} {
        %ids = input "ids" : i32[tokens]
        %past = state "k" : f32[past, \(width)]
        %t = generated {shape = [40, \(width)], values = random(1, 1.0)} : f32[40, \(width)]
        %x = embedding %ids, %t : f32[tokens, \(width)]
        %k = append %past, %x : f32[past+tokens, \(width)]
        %a = attention %x, %k, %k {heads = 2, kv_heads = 2, scale = 0.5, window = 0} : f32[tokens, \(width)]
        %y = linear %a, %t : f32[tokens, 40]
        next "k" = %k
        output "logits" = %y
      }
      """, file: "test.irc", registry: .standard)
  }

  private func emitted(
    width: Int = 8, contextLength: Int = 64
  ) throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    let files = OutputFiles(directory: folder.path)
    try CEmitter(.init(name: "tiny", contextLength: contextLength, target: .portable))
      .emit(graph(width: width), to: files)
    try files.commit()
    return folder
  }

  private func load(_ folder: TemporaryFolder) throws -> CompiledModel {
    // The compiler that is found plays no part where the library is missing.
    try CompiledModel(
      folder: folder.path, names: ArtifactNames(model: "tiny"), target: .portable,
      compiler: (try? CCompiler.find()) ?? CCompiler(command: ["/nowhere/cc"]),
      cache: ContentCache(directory: Self.objects.get()))
  }

  private let windows: [[Int32]] = (0..<6).map { window in
    (0..<40).map { Int32(RandomNumbers(seed: 3).integer($0 + 100 * window, below: 40)) }
  }

  @Test(
    "scores windows on several threads and generates as the interpreter does",
    .enabled(if: hasCompiler, "no C compiler is installed"))
  func runsAsLanguageModel() throws {
    let folder = try emitted()
    let compiled = try load(folder)
    let reference = try GraphLanguageModel(try graph())
    #expect(compiled.vocabularySize == 40 && compiled.contextLength == 64)

    let actual = try Perplexity.evaluate(compiled, windows: windows)
    let expected = try Perplexity.evaluate(reference, windows: windows)
    #expect(actual.tokens == expected.tokens)
    #expect(abs(actual.perToken - expected.perToken) < 1e-5)

    var session = try compiled.makeSession()
    var other = try reference.makeSession()
    for piece in [[1, 2, 3], [4], [5, 6]] as [[Int32]] {
      let logits = try session.readForNext(piece).array(of: Float.self)
      let same = try other.readForNext(piece).array(of: Float.self)
      #expect(zip(logits, same).allSatisfy { abs($0 - $1) < 1e-4 })
    }
  }

  @Test(
    "gives the same logits with any number of threads, even more than there is room for",
    .enabled(if: hasCompiler, "no C compiler is installed"))
  func runsOnThreads() throws {
    let folder = try emitted()
    let compiled = try load(folder)
    #expect(compiled.mostThreads == 16)
    // Each session opens the weights file.
    let logits = try withExtendedLifetime(folder) {
      try [1, 3, 1000, nil].map { threads in
        var session = try compiled.with(threads: threads).makeSession()
        return try session.read(windows[0]).array(of: Float.self)
      }
    }
    #expect(logits.allSatisfy { $0 == logits[0] })
  }

  @Test(
    "turns every status into a message", .enabled(if: hasCompiler, "no C compiler is installed"))
  func reportsFailures() throws {
    let folder = try emitted()
    let compiled = try load(folder)
    let session = try compiled.makeSession()
    func message(_ ids: [Int32]) -> String? {
      var session = session
      return #expect(throws: Diagnostic.self) { try session.read(ids) }?.message
    }
    #expect(message([1, 40])?.contains("not in the vocabulary") == true)
    #expect(message([])?.contains("bad argument") == true)
    #expect(message([Int32](repeating: 1, count: 65))?.contains("context is full") == true)

    var bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: folder.file("tiny.weights"))))
    bytes[100] ^= 1
    try folder.write("tiny.weights", bytes)
    let damaged = #expect(throws: Diagnostic.self) {
      try load(folder)
    }
    #expect(damaged?.message.contains("damaged") == true)
  }

  @Test(
    "says that a context does not fit into memory",
    .enabled(if: hasCompiler, "no C compiler is installed"))
  func reportsMissingMemory() throws {
    // 2⁵⁴ bytes, more than a process can address.
    let folder = try emitted(width: 4096, contextLength: 1 << 30)
    let error = #expect(throws: Diagnostic.self) {
      try load(folder)
    }
    #expect(error?.id == "library.no-memory")
    #expect(error?.hint?.contains("passes.emit-c.context") == true)
  }

  @Test("says what is missing: a compiler, a library, or good code")
  func reportsMissingParts() throws {
    #expect(throws: Diagnostic.self) { try CCompiler.find(environment: ["PATH": "/nowhere"]) }
    let named = #expect(throws: Diagnostic.self) {
      try CCompiler.find(environment: ["CC": "no-such-compiler -m64", "PATH": "/usr/bin"])
    }
    #expect(named?.message.contains("'no-such-compiler'") == true)

    let empty = try TemporaryFolder()
    let nothing = #expect(throws: Diagnostic.self) { try load(empty) }
    #expect(nothing?.id == "file.unreadable")
  }

  @Test(
    "shows what the compiler said", .enabled(if: hasCompiler, "no C compiler is installed"))
  func showsCompilerOutput() throws {
    let folder = try emitted()
    try folder.write("tiny.c", "#error this is not C\n")
    let failed = #expect(throws: Diagnostic.self) {
      try load(folder)
    }
    #expect(failed?.id == "cc.failed")
    #expect(failed?.notes.contains { $0.contains("this is not C") } == true)
  }
}
