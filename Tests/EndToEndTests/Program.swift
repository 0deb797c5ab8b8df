import Foundation
import IRCSupport
import IRCTestSupport

/// The built program, run as a user runs it.
enum Program {
  /// Where it is: beside the running tests, else where the build puts it.
  static let path: String = {
    let beside = Bundle.main.executableURL?.deletingLastPathComponent().path ?? "."
    let places = ["\(beside)/irc", "\(Workbench.repository)/.build/release/irc"]
    return places.first { FileManager.default.isExecutableFile(atPath: $0) } ?? "irc"
  }()

  /// How long building all of the compiler may take where much else runs; minutes if nothing does.
  static let longest = Duration.seconds(3600)

  /// What a run left.
  struct Outcome {
    /// Exit code; minus the signal when one ended the program.
    let code: Int32
    /// What it wrote to standard output.
    let output: String
    /// What it wrote to standard error.
    let errors: String

    /// Standard output as JSON.
    func json() throws -> JSONValue { try JSONValue(parsing: output, path: "stdout") }
    /// Keys of the JSON object on standard output, in order.
    func keys() throws -> [String] { try json().object().map(\.key) }
  }

  /// Runs `irc`, or another program, with these arguments.
  ///
  /// - Parameters:
  ///   - environment: variables that differ from those of the tests.
  ///   - limit: how long it may take; a test fails rather than hang.
  static func run(
    _ arguments: [String], executable: String = path, environment: [String: String] = [:],
    limit: Duration = .seconds(900)
  ) throws -> Outcome {
    try start(arguments, executable: executable, environment: environment, limit: limit).wait()
  }

  /// A program that runs.
  struct Running {
    fileprivate let process: ChildProcess
    fileprivate let folder: TemporaryFolder
    /// Where it keeps compiled objects for other tests; nil where it keeps nothing, or what it keeps is the test's.
    fileprivate let cache: String?

    /// True until it ends.
    var isRunning: Bool { process.isRunning }

    /// Bytes of memory of its own that it has at present; 0 where the system does not tell.
    var ownBytes: Int {
      let path = "/proc/\(process.id)/status"
      let status = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
      let line = status.split(separator: "\n").first { $0.hasPrefix("RssAnon:") }
      let words = line?.split(whereSeparator: \.isWhitespace) ?? []
      return words.count > 1 ? (Int(words[1]) ?? 0) << 10 : 0
    }

    /// Ends it at once, as the system does when memory runs out.
    func kill() { process.kill() }

    /// What it leaves when it ends.
    func wait() throws -> Outcome {
      let code = try process.wait()
      if let cache { CompiledObjects.collect(from: cache) }
      func text(_ name: String) throws -> String {
        try String(
          decoding: Data(contentsOf: URL(fileURLWithPath: folder.file(name))), as: UTF8.self)
      }
      return try Outcome(code: code, output: text("output"), errors: text("errors"))
    }
  }

  /// Starts a program without waiting for it; see `run`.
  static func start(
    _ arguments: [String], executable: String = path, environment: [String: String] = [:],
    limit: Duration = .seconds(900)
  ) throws -> Running {
    // Files instead of pipes: neither can fill up while the other is read.
    let folder = try TemporaryFolder()
    // Nothing is kept in the user's folder, and nothing taken from there; a test that names a folder tests the cache.
    var keeping: [String: String] = [:]
    var cache: String?
    if environment["IRC_CACHE_DIR"] == nil {
      if executable == path, compiling.contains(arguments.first ?? "") {
        cache = folder.file("cache")
        CompiledObjects.lend(to: folder.file("cache"))
        keeping["IRC_CACHE_DIR"] = cache
      } else {
        keeping["IRC_CACHE_SIZE"] = "0"
      }
    }
    let variables = ProcessInfo.processInfo.environment.merging(keeping) { $1 }
      .merging(environment) { $1 }
    let process = try ChildProcess(
      executable, arguments, environment: variables, output: folder.write("output", ""),
      errors: folder.write("errors", ""), limit: limit)
    return Running(process: process, folder: folder, cache: cache)
  }

  /// Commands that compile what was emitted, and take compiled objects from the cache.
  private static let compiling = ["run", "eval", "bench", "compare"]

  static func run(_ arguments: String...) throws -> Outcome { try run(arguments) }
}

/// Objects that `irc` made of emitted C, which all tests share: compiling the same kernels again would show nothing new. Of what else is
/// in a cache nothing is shared, so that passes run in each test.
enum CompiledObjects {
  /// A cache with the objects that there are.
  static let folder = Result { try TemporaryFolder.untilExit().path }

  /// Fills a test's own cache with the objects.
  static func lend(to cache: String) {
    if let folder = try? folder.get() { link(from: folder, to: cache) }
  }

  /// Takes the objects of a test's own cache.
  static func collect(from cache: String) {
    if let folder = try? folder.get() { link(from: cache, to: folder) }
  }

  private static func link(from source: String, to target: String) {
    let manager = FileManager.default
    for part in (try? manager.contentsOfDirectory(atPath: source)) ?? [] {
      for name in (try? manager.contentsOfDirectory(atPath: "\(source)/\(part)")) ?? [] {
        let (old, new) = ("\(source)/\(part)/\(name)", "\(target)/\(part)/\(name)")
        // Names begin with a dot while they are written.
        if name.hasPrefix(".") || manager.fileExists(atPath: new) || !isObject(old) { continue }
        try? manager.createDirectory(
          atPath: "\(target)/\(part)", withIntermediateDirectories: true)
        // Another test may have been faster.
        try? manager.linkItem(atPath: old, toPath: new)
      }
    }
  }

  /// True for an entry whose first bytes say that it is an object.
  private static func isObject(_ path: String) -> Bool {
    guard let file = FileHandle(forReadingAtPath: path) else { return false }
    defer { try? file.close() }
    return String(decoding: file.readData(ofLength: 64), as: UTF8.self).contains(" c-object ")
  }
}

/// The files of a folder with their contents.
func contents(of folder: String) throws -> [String: Data] {
  var result: [String: Data] = [:]
  for name in try FileManager.default.contentsOfDirectory(atPath: folder) {
    result[name] = try Data(contentsOf: URL(fileURLWithPath: "\(folder)/\(name)"))
  }
  return result
}
