import Foundation
import IRCCodegen
import IRCGraph
import IRCSupport
import IRCTestSupport
import Synchronization

/// C compilers of this machine.
enum Compilers {
  static let gcc = find("gcc")
  static let clang = find("clang-14") ?? find("clang")

  /// What a careful user asks for, besides what the emitted file recommends.
  static let strict = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]
  static let sanitizers = [
    "-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all",
    // Gold, which some clangs prefer, warns of the sanitizer's own symbols.
    "-fuse-ld=bfd", "-Wno-unused-command-line-argument",
  ]

  /// Wide vectors, where the processor has them.
  static let vectorFlags =
    Processor.hasAVX2 ? Target.avx2.compilerFlags(.none).filter { $0.hasPrefix("-m") } : []

  static func find(_ name: String) -> String? {
    let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
    return path.split(separator: ":").map { "\($0)/\(name)" }
      .first { FileManager.default.isExecutableFile(atPath: $0) }
  }
}

/// What a program said and how it ended.
struct ProgramResult {
  var status: Int32
  var output: String
}

func runProgram(
  _ path: String, _ arguments: [String], environment: [String: String] = [:]
) throws -> ProgramResult {
  let process = Process()
  process.executableURL = URL(fileURLWithPath: path)
  process.arguments = arguments
  process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
  let pipe = Pipe()
  process.standardOutput = pipe
  process.standardError = pipe
  try process.run()
  let said = pipe.fileHandleForReading.readDataToEndOfFile()
  process.waitUntilExit()
  return ProgramResult(
    status: process.terminationStatus, output: String(decoding: said, as: UTF8.self))
}

/// Runs a compiler with the flags that every emitted file needs.
func compile(_ compiler: String, _ arguments: [String]) throws {
  let result = try runProgram(compiler, ["-std=c11", "-ffp-contract=off"] + arguments)
  guard result.status == 0, result.output.isEmpty else {
    throw Diagnostic("test.compile", "\(compiler) failed:\n\(result.output.prefix(4000))")
  }
}

/// Objects of kernels, each compiled once for all models that have the same file, whatever else they have. Headers of kernels are the same
/// in all of them.
final class KernelObjects: Sendable {
  static let shared = KernelObjects()
  private let made = Mutex<(folder: TemporaryFolder?, objects: [String: Object])>((nil, [:]))

  /// One object; tests run beside each other, and who comes second waits for it.
  private final class Object: Sendable {
    let path: String
    let isCompiled = Mutex(false)

    init(path: String) { self.path = path }
  }

  func objects(of sources: [String], _ compiler: String, _ flags: [String]) throws -> [String] {
    try sources.map { source in
      let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: source)))
      let name = (source as NSString).lastPathComponent
      let key = ([compiler, name, "\(SHA256.hash(bytes))"] + flags).joined(separator: "\n")
      let object = try made.withLock { made in
        if let known = made.objects[key] { return known }
        let folder = try made.folder ?? TemporaryFolder.untilExit()
        let object = Object(path: folder.file("\(made.objects.count).o"))
        made.folder = folder
        made.objects[key] = object
        return object
      }
      try object.isCompiled.withLock { isCompiled in
        if !isCompiled { try compile(compiler, flags + ["-c", "-o", object.path, source]) }
        isCompiled = true
      }
      return object.path
    }
  }
}

/// A graph written as C into a folder of its own.
struct EmittedModel {
  let folder: TemporaryFolder
  let report: EmissionReport

  init(_ graph: Graph, _ options: CEmitter.Options) throws {
    folder = try TemporaryFolder()
    let output = OutputFiles(directory: folder.path)
    report = try CEmitter(options).emit(graph, to: output)
    try output.commit()
  }

  var weights: String { folder.file(report.names.weights) }
  var sources: [String] { report.files.filter { $0.hasSuffix(".c") }.map(folder.file) }
  var kernels: [String] { sources.filter { $0.contains("/kernels_") } }

  func bytes(of name: String) throws -> [UInt8] {
    [UInt8](try Data(contentsOf: URL(fileURLWithPath: folder.file(name))))
  }

  /// Compiles the driver with the library and returns the program's path.
  ///
  /// Kernels that were compiled before with the same flags are used again.
  func compileDriver(_ compiler: String, _ flags: [String]) throws -> String {
    try folder.write("driver.c", driverProgram)
    let program = folder.file("driver-\(UUID().uuidString)")
    let names = report.names
    // The driver is a test, not what is emitted: it is compiled with the same flags all the same.
    let objects = try KernelObjects.shared.objects(of: kernels, compiler, flags)
    try compile(
      compiler,
      flags + [
        "-DMODEL=\(names.symbol)", "-DMACRO=\(names.macro)", "-DHEADER=\"\(names.header)\"",
        "-I\(folder.path)", "-o", program, folder.file("driver.c"), folder.file(names.source),
      ] + objects + ["-lm"])
    return program
  }

  /// Runs the driver and returns the logits of every token, a row each.
  func logits(
    _ program: String, _ ids: [Int32], maxTokens: Int = 0, other: String = "-", expect: Int = 0
  ) throws -> [Float] {
    let place = folder.file("logits.bin")
    let result = try runProgram(
      program, [weights, other, place, "\(maxTokens)"] + ids.map(String.init),
      environment: ["EXPECT": "\(expect)", "CONTEXT_BYTES": "\(report.contextBytes)"])
    guard result.status == 0, result.output.isEmpty else {
      throw Diagnostic("test.driver", "status \(result.status):\n\(result.output.prefix(4000))")
    }
    return try Data(contentsOf: URL(fileURLWithPath: place)).withUnsafeBytes {
      Array($0.bindMemory(to: Float.self))
    }
  }
}
