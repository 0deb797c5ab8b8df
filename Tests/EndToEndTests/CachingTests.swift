import Foundation
import IRCSupport
import IRCTestSupport
import Testing

@Suite("irc lower with a cache")
struct CachingTests {
  private let folder: TemporaryFolder
  private let model: String
  /// Passes that take calibration, on little text so that they are quick.
  private static let passes = """
    [fold-norm-gains, smooth-fusion: {sites: [norm]}, quantize: {scheme: w4a8}, gptq, lower-kernels, emit-c]
    """
  private static let costly = ["smooth-fusion", "gptq"]

  init() throws {
    folder = try TemporaryFolder()
    let text = Workbench.modelFile(source: Workbench.example, pipeline: Self.passes)
      .replacing("tokens: 2048", with: "tokens: 1024, window: 64")
    model = try folder.write("model.yaml", text)
  }

  private func lower(
    _ output: String, _ more: String..., cache: String? = "cache"
  ) throws -> Program.Outcome {
    try Program.run(
      ["lower", model, "-o", folder.file(output), "--json", "--quiet"] + more
        + (cache == nil ? ["--no-cache"] : []),
      environment: ["IRC_CACHE_DIR": folder.file(cache ?? "none")])
  }

  /// Instances whose results were taken from earlier runs.
  private func known(_ outcome: Program.Outcome) throws -> [String] {
    #expect(outcome.code == 0, "\(outcome.errors)")
    return try outcome.json()["passes"].array().compactMap {
      try $0.optional("earlier_seconds") == nil ? nil : $0["instance"].string()
    }
  }

  /// What passes told, without times.
  private func told(_ outcome: Program.Outcome) throws -> [String] {
    try outcome.json()["passes"].array().map { pass in
      try JSON.object([
        ("instance", JSON(pass["instance"])), ("statistics", JSON(pass["statistics"])),
        ("remarks", JSON(pass["remarks"])),
      ]).serialized()
    }
  }

  @Test(
    "The same again takes every costly pass from the cache, and all bytes and remarks are those without"
  )
  func again() throws {
    let plain = try lower("plain", cache: nil)
    #expect(!FileManager.default.fileExists(atPath: folder.file("none")))
    let first = try lower("first")
    let second = try lower("second")
    #expect(try known(plain).isEmpty && known(first).isEmpty)
    #expect(try known(second) == Self.costly)
    #expect(try told(plain) == told(first) && told(first) == told(second))
    let expected = try outputs(of: folder.file("plain"))
    #expect(try outputs(of: folder.file("first")) == expected)
    #expect(try outputs(of: folder.file("second")) == expected)
    #expect(
      String(decoding: try #require(expected["manifest.json"]), as: UTF8.self).contains(
        "\"calibration\": {"))
  }

  @Test("Graphs, remarks and notes are printed as without a cache")
  func printing() throws {
    func print(_ arguments: [String], cache: Bool) throws -> Program.Outcome {
      let outcome = try Program.run(
        ["lower", model, "-o", folder.file("printed"), "--quiet"] + arguments
          + (cache ? [] : ["--no-cache"]),
        environment: ["IRC_CACHE_DIR": folder.file("cache")])
      #expect(outcome.code == 0)
      return outcome
    }
    // So that all runs find the same files there.
    _ = try print([], cache: false)
    for arguments in [
      ["--print-ir-after-all", "--remarks"], ["--stop-after", "gptq"],
      ["--print-ir-after", "smooth-fusion", "--stop-after", "quantize"],
    ] {
      let plain = try print(arguments, cache: false)
      for _ in 0..<2 {
        let cached = try print(arguments, cache: true)
        #expect(cached.errors == plain.errors && cached.output == plain.output, "\(arguments)")
      }
    }
    // A window that the model has no room for is told each time.
    let notes = try [false, true, true].map { cache in
      try Program.run(
        ["lower", model, "-o", folder.file("noted"), "--set", "calibration.tokens=100000"]
          + (cache ? [] : ["--no-cache"]),
        environment: ["IRC_CACHE_DIR": folder.file("cache")]
      ).errors.split(separator: "\n").filter { $0.contains("tokens asked for") }
    }
    #expect(notes[0].count == 1 && notes[1] == notes[0] && notes[2] == notes[0])
  }

  @Test("A changed option redoes its pass and what comes behind, and nothing before")
  func changes() throws {
    #expect(try known(lower("out")).isEmpty)
    let cases: [(String, [String])] = [
      ("passes.emit-c.context=64", Self.costly), ("target=native", Self.costly),
      ("passes.gptq.damping=0.02", ["smooth-fusion"]),
      ("passes.quantize.scheme=w3a16", ["smooth-fusion"]),
      ("passes.smooth-fusion.alpha=0.5", []), ("calibration.seed=1", []),
    ]
    for (setting, expected) in cases {
      let changed = try lower("changed", "--set", setting)
      #expect(try known(changed) == expected, "\(setting)")
      let plain = try lower("plain", "--set", setting, cache: nil)
      #expect(try told(changed) == told(plain), "\(setting)")
      #expect(
        try outputs(of: folder.file("changed")) == outputs(of: folder.file("plain")), "\(setting)"
      )
      // All of it is known now.
      #expect(try known(lower("again", "--set", setting)) == Self.costly, "\(setting)")
    }
  }

  @Test("irc opt takes results too, from its own runs and those on the same graph")
  func optimization() throws {
    let printed = try Program.run(
      "lower", model, "--stop-after", "fold-norm-gains", "--quiet", "--no-cache")
    let graph = try folder.write("graph.irc", printed.output)
    func optimize(_ passes: String, _ more: String...) throws -> Program.Outcome {
      try Program.run(
        ["opt", graph, "--weights", Workbench.example, "--passes", passes, "--json"] + more,
        environment: ["IRC_CACHE_DIR": folder.file("cache")])
    }
    let passes = "quantize{scheme: w4a16},clip-search"
    let plain = try optimize(passes, "--no-cache", "--quiet")
    #expect(!FileManager.default.fileExists(atPath: folder.file("cache")))
    let first = try optimize(passes, "--quiet")
    let second = try optimize(passes)
    #expect(try known(plain).isEmpty && known(first).isEmpty)
    #expect(try known(second) == ["clip-search"])
    #expect(second.errors.contains("known from earlier runs: clip-search"))
    #expect(try told(plain) == told(first) && told(first) == told(second))
    for outcome in [first, second] {
      #expect(try outcome.json()["ir"].string() == plain.json()["ir"].string())
    }
    #expect(try known(optimize("quantize{scheme: w4a16},clip-search{norm: 2}")).isEmpty)
    #expect(try known(optimize("quantize{scheme: w3a16},clip-search")).isEmpty)
    #expect(try known(optimize("\(passes),lower-kernels", "--quiet")) == ["clip-search"])
  }

  @Test("Statistics and results of evaluation come from there too")
  func evaluation() throws {
    let text = try folder.write(
      "text.txt", "The old man looked at the sea, and said nothing at all.")
    func evaluate(_ more: String...) throws -> (perplexity: Double, notes: String) {
      let outcome = try Program.run(
        ["eval", model, "--data", text, "--json"] + more,
        environment: ["IRC_CACHE_DIR": folder.file("cache")])
      #expect(outcome.code == 0, "\(outcome.errors)")
      return (try outcome.json()["perplexity"].double(), outcome.errors)
    }
    let plain = try evaluate("--no-cache")
    _ = try lower("out")
    let known = try evaluate()
    #expect(known.perplexity == plain.perplexity)
    #expect(known.notes.contains("known from earlier runs: smooth-fusion, gptq"))
    #expect(!plain.notes.contains("known from"))
  }

  @Test("Damaged and foreign entries are computed again")
  func damage() throws {
    let expected = try lower("plain", cache: nil)
    _ = try lower("out")
    let files = try FileManager.default.subpathsOfDirectory(atPath: folder.file("cache")).filter {
      $0.contains("/")
    }.sorted()
    #expect(files.count > 4)
    for (index, name) in files.enumerated() {
      let url = URL(fileURLWithPath: folder.file("cache/\(name)"))
      var bytes = try [UInt8](Data(contentsOf: url))
      switch index % 4 {
      case 0: bytes.removeLast(bytes.count / 2)
      case 1: bytes[bytes.count / 2] ^= 0x10
      case 2: bytes = []
      default:
        bytes = try [UInt8](
          Data(contentsOf: URL(fileURLWithPath: folder.file("cache/\(files[0])"))))
      }
      try Data(bytes).write(to: url)
    }
    let again = try lower("out")
    #expect(try known(again).isEmpty)
    #expect(try told(again) == told(expected))
    #expect(try outputs(of: folder.file("out")) == outputs(of: folder.file("plain")))
    #expect(try known(lower("out", "--timing")) == Self.costly)
  }

  @Test("A folder that cannot be written to is told, and changes nothing")
  func unwritable() throws {
    let file = try folder.write("file", "no folder")
    let plain = try lower("plain", cache: nil)
    let outcome = try Program.run(
      ["lower", model, "-o", folder.file("out")], environment: ["IRC_CACHE_DIR": file])
    #expect(outcome.code == 0)
    let notes = outcome.errors.split(separator: "\n").filter { $0.contains("not kept") }
    #expect(notes.count == 1, "\(outcome.errors)")
    #expect(plain.code == 0)
    #expect(try outputs(of: folder.file("out")) == outputs(of: folder.file("plain")))
    // Also where no pass is costly, and only a record and objects would be kept.
    for command in [["lower"], ["run", "--tokens", "2"]] {
      let cheap = try Program.run(
        command + [model, "-o", folder.file("cheap"), "--set", "pipeline=rtn-w8a8"],
        environment: ["IRC_CACHE_DIR": file])
      #expect(cheap.code == 0)
      let told = cheap.errors.split(separator: "\n").filter { $0.contains("not kept") }
      #expect(told.count == 1, "\(cheap.errors)")
      #expect(told.first?.contains(file) == true, "\(told)")
    }
    let wrong = try Program.run(
      ["lower", model, "-o", folder.file("out")],
      environment: ["IRC_CACHE_DIR": folder.file("cache"), "IRC_CACHE_SIZE": "much"])
    #expect(wrong.code == 1 && wrong.errors.contains("[cache.size]"))
  }

  @Test("Results larger than the cache are not kept, and those used longest ago make room")
  func limit() throws {
    func lower(_ seed: Int, _ size: String) throws -> Program.Outcome {
      try Program.run(
        [
          "lower", model, "-o", folder.file("out"), "--json", "--quiet", "--timing", "--set",
          "calibration.seed=\(seed)",
        ], environment: ["IRC_CACHE_DIR": folder.file("cache"), "IRC_CACHE_SIZE": size])
    }
    func bytes() throws -> Int {
      try FileManager.default.subpathsOfDirectory(atPath: folder.file("cache")).reduce(0) {
        let path = folder.file("cache/\($1)")
        let attributes = try FileManager.default.attributesOfItem(atPath: path)
        return $0
          + (attributes[.type] as? FileAttributeType == .typeRegular
            ? attributes[.size] as? Int ?? 0 : 0)
      }
    }
    #expect(try known(lower(0, "20K")).isEmpty)
    #expect(try known(lower(0, "20K")).contains("gptq") == false)
    #expect(try bytes() <= 20 << 10)
    for seed in 0..<4 { #expect(try known(lower(seed, "2M")).isEmpty) }
    #expect(try bytes() <= 2 << 20)
    #expect(try known(lower(3, "2M")) == Self.costly)
  }

  @Test("Processes may race for one cache and one output folder")
  func race() throws {
    let plain = try lower("plain", cache: nil)
    #expect(plain.code == 0)
    // An earlier output, of other formats and another name, whose files have to go.
    let earlier = try Program.run([
      "lower", model, "-o", folder.file("out"), "--quiet", "--set", "name=earlier", "--set",
      "pipeline=rtn-w8a8",
    ])
    #expect(earlier.code == 0, "\(earlier.errors)")
    let racers = try (0..<4).map { _ in
      try Program.start(
        ["lower", model, "-o", folder.file("out"), "--quiet"],
        environment: ["IRC_CACHE_DIR": folder.file("cache")])
    }
    let outcomes = try racers.map { try $0.wait() }
    for outcome in outcomes {
      #expect(outcome.code == 0 && outcome.errors.isEmpty, "\(outcome.errors)")
    }
    // Nothing half-written, nothing of the earlier output: dotted names count too.
    #expect(try outputs(of: folder.file("out")) == outputs(of: folder.file("plain")))
    #expect(try Program.run(["verify", folder.file("out")]).code == 0)
    #expect(try known(lower("late")) == Self.costly)
  }

  @Test("irc cache shows and clears")
  func command() throws {
    func cache(_ arguments: String...) throws -> Program.Outcome {
      try Program.run(
        ["cache"] + arguments,
        environment: ["IRC_CACHE_DIR": folder.file("cache"), "IRC_CACHE_SIZE": "3M"])
    }
    let empty = try cache()
    #expect(empty.code == 0)
    #expect(empty.output == "\(folder.file("cache")): 0 entries, 0 B of at most 3.0 MiB\n")
    _ = try lower("out")
    let documentation = try String(
      contentsOfFile: Workbench.repository + "/docs/commands.md", encoding: .utf8)
    let shown = try cache("--json")
    let keys = ["directory", "limit", "entries", "bytes", "kinds"]
    #expect(try shown.keys() == keys)
    let kinds = Array(try shown.json()["kinds"].array())
    let kindKeys = ["kind", "entries", "bytes", "newest_age", "oldest_age"]
    #expect(try kinds.allSatisfy { try $0.object().map(\.key) == kindKeys })
    for key in keys + kindKeys + ["removed", "earlier_seconds"] {
      #expect(documentation.contains("`\(key)`"), "docs/commands.md: \(key)")
    }
    let names = try kinds.map { try $0["kind"].string() }
    #expect(names.contains("pass-result") && names.contains("channel-statistics"))
    for name in names { #expect(documentation.contains("`\(name)`"), "docs/commands.md: \(name)") }
    #expect(try shown.json()["limit"].int() == 3 << 20)
    #expect(try cache().output.contains("pass-result"))
    #expect(try cache("clear", "--older-than", "1h", "--json").json()["removed"].int() == 0)
    let removed = try cache("clear", "--json")
    #expect(try removed.keys() == ["directory", "removed", "bytes"])
    #expect(try removed.json()["removed"].int() == shown.json()["entries"].int())
    #expect(try cache("--json").json()["entries"].int() == 0)
    for wrong in ["7", "d", "7x", "-1d", "99999999999999999w"] {
      #expect(try cache("clear", "--older-than=\(wrong)").code == 64, "\(wrong)")
    }
    let none = try Program.run("cache")
    #expect(none.code == 1 && none.errors.contains("[cache.none]"))
  }

  /// The files of an output folder but for the one that names the folder itself.
  private func outputs(of path: String) throws -> [String: Data] {
    try contents(of: path).filter { !$0.key.hasSuffix(".d") }
  }
}
