import Foundation
import IRCSupport

/// Products of one other library, in a process of their own: Python with the script beside this file, which is told by lines of JSON
/// what to time.
final class PeerFamily {
  /// A peer's ring.
  struct Facts {
    /// Bytes of codes and scales of one copy.
    let byteCount: Int
  }

  /// What the user is told it is.
  let name: String
  private let start: Start
  private var connection: Connection
  /// Peers at which the process ended once: they are not asked again.
  private var broken: [String] = []
  /// What is open, to be opened again.
  private var openRequest: [(key: String, value: JSON)] = []

  /// How a process is started.
  struct Start {
    var python: String
    var family: String
    var threads: Int
    var environment: [String: String] = [:]
  }

  /// Starts the process; `greet` waits until it is there.
  init(name: String, _ start: Start) throws {
    self.name = name
    self.start = start
    connection = try Connection(start)
  }

  /// Waits for the process to have loaded its library.
  ///
  /// - Returns: its version, and what there is to be told of it.
  /// - Throws: `Diagnostic` `bench.no-peer` when there is no Python, or no such library.
  func greet() throws -> (version: String, notes: [String]) {
    let hello = try connection.receive()
    return (try hello["version"].string(), try hello["notes"].array().map { try $0.string() })
  }

  /// Makes rings of weights for all peers of these, in place of those that are there.
  ///
  /// - Returns: the peers, and why others are none.
  func open(
    _ format: WeightFormat, _ shape: MatrixShape, ringBytes: Int
  ) throws -> (peers: [(name: String, facts: Facts)], notes: [String]) {
    openRequest = [
      ("op", "open"), ("weights", .string(format.name)), ("group", .integer(format.group)),
      ("rows", .integer(shape.rows)), ("cols", .integer(shape.cols)),
      ("ring", .integer(ringBytes)),
    ]
    let answer = try ask(openRequest + [("skip", .array(broken.map(JSON.string)))])
    let peers = try answer["peers"].object().map { member in
      (member.key, Facts(byteCount: try member.value["bytes"].int(in: 1...)))
    }
    return (peers, try answer["notes"].array().map { try $0.string() })
  }

  /// Seconds of one product of a peer, over `duration` seconds at least.
  func time(_ peer: String, n: Int, for duration: Double) throws -> Double {
    do {
      let answer = try ask([
        ("op", "time"), ("peer", .string(peer)), ("n", .integer(n)), ("seconds", .real(duration)),
      ])
      return try answer["seconds"].double(in: 0...)
    } catch let problem as Diagnostic where problem.id == "bench.peer-ended" {
      // The others of its family are still wanted.
      broken.append(peer)
      connection = try Connection(start)
      _ = try greet()
      _ = try ask(openRequest + [("skip", .array(broken.map(JSON.string)))])
      throw problem
    }
  }

  private func ask(_ request: [(key: String, value: JSON)]) throws -> JSONValue {
    try connection.send(.object(request))
    return try connection.receive()
  }

  /// A process and its two pipes.
  private final class Connection {
    private let process = Process()
    private let requests = Pipe()
    private let answers = Pipe()
    private let family: String
    private var rest: [UInt8] = []

    init(_ start: Start) throws {
      // Writing to a process that has ended is an error, and not the end of this one.
      signal(SIGPIPE, SIG_IGN)
      family = start.family
      let script = String(decoding: PackageResources.peers_py, as: UTF8.self)
      let words = ["-c", script, start.family, "\(start.threads)"]
      let isPath = start.python.contains("/")
      process.executableURL = URL(fileURLWithPath: isPath ? start.python : "/usr/bin/env")
      process.arguments = isPath ? words : [start.python] + words
      var environment = ProcessInfo.processInfo.environment
      environment["OMP_NUM_THREADS"] = "\(start.threads)"
      environment.merge(start.environment) { $1 }
      process.environment = environment
      process.standardInput = requests
      process.standardOutput = answers
      process.standardError = FileHandle.nullDevice
      do {
        try process.run()
      } catch {
        throw Diagnostic(
          "bench.no-peer", "'\(start.python)' cannot be run: \(error.localizedDescription)")
      }
    }

    deinit {
      // At the end of its input it goes by itself.
      try? requests.fileHandleForWriting.close()
      process.waitUntilExit()
    }

    func send(_ request: JSON) throws {
      do {
        try requests.fileHandleForWriting.write(
          contentsOf: Data((request.serialized() + "\n").utf8))
      } catch {
        throw ended
      }
    }

    func receive() throws -> JSONValue {
      while true {
        if let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
          let line = Array(rest[..<end])
          rest.removeSubrange(...end)
          let answer = try JSONValue(parsing: line, path: "the answer of \(family)")
          if let error = try answer.optional("error") {
            throw Diagnostic("bench.no-peer", "\(family): \(try error.string())")
          }
          return answer
        }
        let data = answers.fileHandleForReading.availableData
        if data.isEmpty { throw ended }
        rest += data
      }
    }

    private var ended: Diagnostic {
      Diagnostic("bench.peer-ended", "the process of \(family) ended")
    }
  }
}
