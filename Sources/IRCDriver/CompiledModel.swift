import Foundation
package import IRCCodegen
package import IRCExecution
import IRCSupport
import IRCTensor

/// An emitted library, compiled and loaded: evaluation and generation run through it as through the interpreter.
///
/// Each session has a context of its own, so sessions may run at the same time.
package final class CompiledModel: LanguageModel {
  package let vocabularySize: Int
  package let contextLength: Int?
  private let library: CompiledLibrary
  private let weights: String
  /// Threads of each session.
  private let threads: Int
  /// Keeps the folder, since each session opens the weights file.
  private let scratch: ScratchFolder?

  /// Compiles the library `names` in `folder`, which may hold others, and loads it.
  ///
  /// - Parameters:
  ///   - cache: where compiled objects are kept.
  ///   - reporter: is told of the files that are compiled.
  ///   - checksWeights: reads the whole weights file first and compares its checksum.
  ///   - scratch: `folder`, if it is to go away with the model.
  /// - Throws: `Diagnostic` when there is no compiler, it fails, or the library or its weights do not load.
  package init(
    folder: String, names: ArtifactNames, target: Target = .native, compiler: CCompiler? = nil,
    cache: ContentCache? = nil, reporter: Reporter? = nil, checksWeights: Bool = true,
    scratch: ScratchFolder? = nil
  ) throws {
    try target.checkRunsHere()
    self.scratch = scratch
    threads = 1
    let compiler = try compiler ?? CCompiler.find()
    let place = FileManager.default.temporaryDirectory.appendingPathComponent(
      "irc-\(ProcessInfo.processInfo.processIdentifier)-\(UUID().uuidString).so"
    ).path
    // Once it is loaded the file is not needed.
    defer { unsafe unlink(place) }
    try compiler.compileSharedObject(
      names, in: folder, target: target, to: place, cache: cache, reporter: reporter)
    library = try CompiledLibrary(path: place, symbol: names.symbol)
    weights = "\(folder)/\(names.weights)"
    vocabularySize = library.vocabulary
    contextLength = library.contextLength == 0 ? nil : library.contextLength
    if checksWeights { try CompiledContext(library, weights).verify() }
  }

  /// The same library with sessions of more threads.
  private init(_ model: CompiledModel, threads: Int) {
    (library, weights, scratch) = (model.library, model.weights, model.scratch)
    (vocabularySize, contextLength) = (model.vocabularySize, model.contextLength)
    self.threads = threads
  }

  /// The library with sessions of `threads` threads each; without a number as many as the machine has processors. A library that has
  /// no room for so many runs with as many as it has.
  package func with(threads: Int?) -> CompiledModel {
    let wanted = threads ?? ProcessInfo.processInfo.activeProcessorCount
    return CompiledModel(self, threads: max(1, min(wanted, library.mostThreads)))
  }

  /// Threads that a session has room for.
  package var mostThreads: Int { library.mostThreads }

  package func makeSession() throws -> any LanguageSession {
    Session(context: try CompiledContext(library, weights, threads: threads))
  }

  /// One sequence.
  private struct Session: LanguageSession {
    let context: CompiledContext

    func read(_ ids: [Int32]) throws -> Tensor { try context.score(ids) }
    func readForNext(_ ids: [Int32]) throws -> Tensor { try context.prefill(ids) }
  }
}

/// A folder for temporary files that is removed with everything in it when nobody holds it any more.
package final class ScratchFolder: Sendable {
  /// Where it is.
  package let path: String

  /// Makes the folder.
  ///
  /// - Throws: `Diagnostic` `file.unwritable`.
  package init() throws {
    let parent = FileManager.default.temporaryDirectory
    path = parent.appendingPathComponent("irc-\(UUID().uuidString)").path
    guard unsafe mkdir(path, 0o700) == 0 else {
      let reason = systemMessage(errno)
      throw Diagnostic(
        "file.unwritable", "cannot make a temporary folder in '\(parent.path)': \(reason)",
        hint: "make room there, or let TMPDIR name another folder")
    }
  }

  deinit {
    try? FileManager.default.removeItem(atPath: path)
  }
}

/// The functions of a loaded library.
///
/// SAFETY: the types are those that the emitted header declares, and the library stays loaded as long as the object lives.
@safe
private final class CompiledLibrary: @unchecked Sendable {
  typealias Status = UInt32
  typealias Create =
    @convention(c) (
      UnsafeMutablePointer<OpaquePointer?>, UnsafeMutableRawPointer, Int, Int, UnsafePointer<CChar>
    ) -> Status
  typealias Prefill =
    @convention(c) (
      OpaquePointer, UnsafePointer<Int32>, Int, UnsafeMutablePointer<UnsafePointer<Float>?>?
    ) -> Status
  typealias Score =
    @convention(c) (
      OpaquePointer, UnsafePointer<Int32>, Int, UnsafeMutablePointer<Float>
    ) -> Status

  let vocabulary: Int
  let contextLength: Int
  let contextBytes: @convention(c) (Int) -> Int
  let mostThreads: Int
  let create: Create
  let setThreads: @convention(c) (OpaquePointer, Int) -> Status
  let destroy: @convention(c) (OpaquePointer) -> Void
  let verify: @convention(c) (OpaquePointer) -> Status
  let prefill: Prefill
  let score: Score
  private let statusText: @convention(c) (Status) -> UnsafePointer<CChar>
  private let handle: UnsafeMutableRawPointer

  init(path: String, symbol: String) throws {
    guard let handle = unsafe dlopen(path, RTLD_NOW | RTLD_LOCAL) else {
      throw Diagnostic("library.unloadable", "the compiled library does not load: \(lastError())")
    }
    /// The function of that name as a C function pointer.
    func find<Function>(_ name: String, as type: Function.Type) throws -> Function {
      guard let address = unsafe dlsym(handle, "\(symbol)_\(name)") else {
        throw Diagnostic("library.unloadable", "the compiled library has no '\(symbol)_\(name)'")
      }
      return unsafe unsafeBitCast(address, to: Function.self)
    }
    unsafe self.handle = handle
    vocabulary = try find("vocabulary", as: (@convention(c) () -> Int).self)()
    contextLength = try find("context_length", as: (@convention(c) () -> Int).self)()
    contextBytes = try find("context_bytes", as: (@convention(c) (Int) -> Int).self)
    mostThreads = try find("most_threads", as: (@convention(c) () -> Int).self)()
    unsafe create = try find("create", as: Create.self)
    unsafe setThreads = try find(
      "set_threads", as: (@convention(c) (OpaquePointer, Int) -> Status).self)
    unsafe destroy = try find("destroy", as: (@convention(c) (OpaquePointer) -> Void).self)
    unsafe verify = try find("verify", as: (@convention(c) (OpaquePointer) -> Status).self)
    unsafe prefill = try find("prefill", as: Prefill.self)
    unsafe score = try find("score", as: Score.self)
    unsafe statusText = try find(
      "status_text", as: (@convention(c) (Status) -> UnsafePointer<CChar>).self)
  }

  deinit { _ = unsafe dlclose(handle) }

  /// Turns a status into an error unless it is success.
  func check(_ status: Status, _ what: String) throws {
    if status == 0 { return }
    throw Diagnostic("library.failed", "\(what): \(unsafe String(cString: statusText(status)))")
  }
}

/// The words of the dynamic loader.
private func lastError() -> String {
  guard let text = unsafe dlerror() else { return "unknown reason" }
  return unsafe String(cString: text)
}

/// A context of the library in memory of its own.
///
/// SAFETY: the memory has the size and alignment that the library asks for and outlives the context.
@safe
private final class CompiledContext {
  private let library: CompiledLibrary
  private let memory: UnsafeMutableRawPointer
  private let context: OpaquePointer

  init(_ library: CompiledLibrary, _ weights: String, threads: Int = 1) throws {
    self.library = library
    let bytes = library.contextBytes(0)
    var room: UnsafeMutableRawPointer?
    guard bytes > 0, unsafe posix_memalign(&room, 64, bytes) == 0, let memory = unsafe room else {
      throw Diagnostic(
        "library.no-memory",
        "there is no memory for a context of \(library.contextLength) tokens"
          + (bytes > 0 ? ", \(bytes) bytes" : ""),
        hint: "set a smaller one with --set passes.emit-c.context=N")
    }
    var made: OpaquePointer?
    let status = unsafe library.create(&made, memory, bytes, 0, weights)
    guard status == 0, let context = unsafe made else {
      unsafe free(memory)
      try library.check(status, "'\(weights)'")
      throw Diagnostic("library.failed", "'\(weights)' gives no context")
    }
    unsafe self.memory = memory
    unsafe self.context = context
    try library.check(unsafe library.setThreads(context, threads), "\(threads) threads")
  }

  deinit {
    unsafe library.destroy(context)
    unsafe free(memory)
  }

  func verify() throws {
    try library.check(unsafe library.verify(context), "the weights")
  }

  /// The logits after each token, [ids.count, vocabulary].
  func score(_ ids: [Int32]) throws -> Tensor {
    try Tensor.checkSize([ids.count, library.vocabulary], .f32)
    return try unsafe Tensor([ids.count, library.vocabulary], of: Float.self) { logits in
      guard let start = logits.baseAddress else { return }
      try library.check(
        unsafe library.score(context, ids, ids.count, start), "reading \(ids.count) tokens")
    }
  }

  /// The logits after the last token, [vocabulary].
  func prefill(_ ids: [Int32]) throws -> Tensor {
    var logits: UnsafePointer<Float>?
    try library.check(
      unsafe library.prefill(context, ids, ids.count, &logits), "reading \(ids.count) tokens")
    guard let logits = unsafe logits else { throw Diagnostic("library.failed", "no logits") }
    return unsafe Tensor([library.vocabulary], of: Float.self) { target in
      unsafe _ = target.update(
        from: UnsafeBufferPointer(start: logits, count: library.vocabulary))
    }
  }
}
