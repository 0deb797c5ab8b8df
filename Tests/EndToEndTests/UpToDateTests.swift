import Foundation
import IRCDriver
import IRCSupport
import IRCTestSupport
import Testing

@Suite("irc lower when nothing has changed")
struct UpToDateTests {
  private let folder: TemporaryFolder
  private let model: String

  init() throws {
    folder = try TemporaryFolder()
    let files = FileManager.default
    try files.createDirectory(atPath: folder.file("network"), withIntermediateDirectories: true)
    for name in ["config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors"] {
      try files.copyItem(
        atPath: "\(Workbench.example)/\(name)", toPath: folder.file("network/\(name)"))
    }
    try folder.write("own.yaml", Self.scheme("int8"))
    model = try folder.write(
      "model.yaml",
      """
      irc: 1
      name: tested
      source: network
      pipeline: [fold-norm-gains, quantize: {scheme: own.yaml}, lower-kernels, emit-c]
      """)
  }

  private static func scheme(_ format: String) -> String {
    "irc: 1\nweights: {format: \(format), granularity: channel}\nactivations: none\n"
  }

  private func lower(_ more: String..., using irc: String = Program.path) throws -> Program.Outcome
  {
    // What changes while the program starts is not remembered.
    Thread.sleep(forTimeInterval: 0.1)
    return try Program.run(
      ["lower", model, "-o", folder.file("out"), "--quiet"] + more, executable: irc,
      environment: ["IRC_CACHE_DIR": folder.file("cache")])
  }

  /// True if nothing ran.
  private func isKnown(_ outcome: Program.Outcome) throws -> Bool {
    #expect(outcome.code == 0, "\(outcome.errors)")
    let passes = Array(try outcome.json()["passes"].array())
    let known = try passes.filter {
      try $0.optional("earlier_seconds") != nil && $0["seconds"].double() == 0
    }
    #expect(known.isEmpty || known.count == passes.count)
    return !known.isEmpty
  }

  private func append(_ text: String, to name: String) throws {
    let path = folder.file(name)
    let content = try Data(contentsOf: URL(fileURLWithPath: path))
    try (content + Data(text.utf8)).write(to: URL(fileURLWithPath: path))
  }

  private func touch(_ name: String) throws {
    try FileManager.default.setAttributes(
      [.modificationDate: Date()], ofItemAtPath: folder.file(name))
  }

  @Test("The second run finds that out without running a pass, and says what the first said")
  func again() throws {
    let first = try lower("--json")
    #expect(try !isKnown(first))
    let written = try contents(of: folder.file("out"))
    let second = try lower("--json")
    #expect(try isKnown(second))
    #expect(try second.keys() == first.keys())
    #expect(try Array(second.json()["changed"].array()).isEmpty)
    #expect(try second.json()["weight_bytes"].int() == first.json()["weight_bytes"].int())
    func told(_ outcome: Program.Outcome) throws -> [String] {
      try outcome.json()["passes"].array().map {
        try JSON.array([
          JSON($0["instance"]), JSON($0["statistics"]), JSON($0["remarks"]),
        ]).serialized()
      }
    }
    #expect(try told(second) == told(first))
    let plain = try lower()
    #expect(
      plain.output.hasSuffix(" bytes of weights, up to date\n") && plain.errors.isEmpty,
      "\(plain.output)")
    // Nothing of it lies in the output folder, whose bytes are those of a run that keeps nothing.
    _ = try Program.run(["lower", model, "-o", folder.file("plain"), "--no-cache", "--quiet"])
    func bytes(_ files: [String: Data]) -> [String: Data] {
      files.filter { !$0.key.hasSuffix(".d") }
    }
    #expect(try bytes(contents(of: folder.file("plain"))) == bytes(written))
    #expect(try contents(of: folder.file("out")) == written)
  }

  @Test("A file that was touched is compared, once")
  func touched() throws {
    _ = try lower()
    for name in ["model.yaml", "network/model.safetensors", "out/tested.weights"] {
      try touch(name)
      #expect(try isKnown(lower("--json")), "\(name)")
    }
  }

  @Test(
    "Whatever a run reads or writes is a reason to run again when it changes",
    arguments: [
      "model.yaml", "own.yaml", "network/config.json", "network/tokenizer_config.json",
      "out/tested.c",
      "out/manifest.json",
    ])
  func changed(name: String) throws {
    _ = try lower()
    let written = try contents(of: folder.file("out"))
    #expect(try isKnown(lower("--json")))
    try append("\n", to: name)
    #expect(try !isKnown(lower("--json")))
    if name.hasPrefix("out/") { #expect(try contents(of: folder.file("out")) == written) }
    #expect(try isKnown(lower("--json")))
  }

  @Test("Weights and schemes that change give other outputs")
  func otherContent() throws {
    _ = try lower()
    try folder.write("own.yaml", Self.scheme("int4"))
    let scheme = try lower("--json")
    #expect(try !isKnown(scheme))
    #expect(try scheme.json()["changed"].array().contains { try $0.string() == "tested.weights" })
    // The last weight of the file becomes another number.
    let weights = URL(fileURLWithPath: folder.file("network/model.safetensors"))
    var bytes = try Data(contentsOf: weights)
    bytes[bytes.count - 2] ^= 1
    try bytes.write(to: weights)
    #expect(try !isKnown(lower("--json")))
  }

  @Test("Outputs that are gone, and files that come, are reasons too")
  func presence() throws {
    _ = try lower()
    let written = try contents(of: folder.file("out"))
    for name in ["tested.weights", "tested.d", "manifest.json"] {
      try FileManager.default.removeItem(atPath: folder.file("out/\(name)"))
      #expect(try !isKnown(lower("--json")), "\(name)")
      #expect(try contents(of: folder.file("out")) == written)
    }
    // It is not read, but a file of another name would be.
    try folder.write("network/notes.txt", "none of ours")
    #expect(try !isKnown(lower("--json")))
    #expect(try isKnown(lower("--json")))
  }

  @Test("Other options are other runs, and what has to run to be seen runs")
  func options() throws {
    _ = try lower()
    for more in [
      ["--set", "target=native"], ["--set", "passes.emit-c.chunk=16"],
      ["--function-check", "always"],
    ] {
      #expect(try !isKnown(lower("--json", more[0], more[1])), "\(more)")
    }
    // The last of these left the bytes that the first run wrote.
    #expect(try isKnown(lower("--json")))
    for more in ["--remarks", "--timing", "--print-ir-after-all", "--no-cache"] {
      #expect(try !isKnown(lower("--json", more)), "\(more)")
    }
    #expect(try lower("--stop-after", "quantize").output.contains("irc.graph"))
    #expect(try isKnown(lower("--json")))
  }

  @Test("A plugin of other bytes is a reason to run")
  func plugins() throws {
    let installed = try Installation.shared.get()
    let plugin = folder.file("mine.so")
    try FileManager.default.copyItem(atPath: installed.probes, toPath: plugin)
    let arguments = ["--json", "--plugin", plugin]
    func lower() throws -> Program.Outcome {
      try self.lower(arguments[0], arguments[1], arguments[2], using: installed.irc)
    }
    #expect(try !isKnown(lower()))
    #expect(try isKnown(lower()))
    try append("\0", to: "mine.so")
    #expect(try !isKnown(lower()))
  }

  @Test("What has changed since a run began is not vouched for")
  func start() throws {
    let path = try folder.write("new.txt", "a")
    #expect(!StartOfRun().follows(changesOf: path))
    Thread.sleep(forTimeInterval: 0.1)
    let start = StartOfRun()
    #expect(start.follows(changesOf: path))
    try folder.write("new.txt", "b")
    #expect(!start.follows(changesOf: path))
    #expect(!start.follows(changesOf: folder.file("none")))
  }
}
