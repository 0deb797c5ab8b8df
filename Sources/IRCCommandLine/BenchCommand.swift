import ArgumentParser
import IRCBench
import IRCCodegen
import IRCDriver
import IRCSupport

/// `irc bench`: kernels beside what the machine can do, and beside other libraries; or a model, compiled.
struct BenchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench",
    abstract:
      "Measure kernels beside the machine's limits and other libraries, or a compiled model.",
    discussion: """
      With a model file: how fast its library, compiled for this processor, reads a prompt and writes.

      With --suite kernels every row is a product, or a transform, on so many threads, each kept to a processor of its own. With one token it is \
      compared with reading memory, with more of them with the peak of integer products, both measured in the same run. Other libraries are those that \
      the Python of --python has: onnxruntime, torch and llama-cpp-python. What is missing is told, and the rest goes on.
      """)

  @Argument(help: "A model file, instead of a suite.")
  var model: String?
  @Option(help: "What to measure: \(KernelSuite.names.joined(separator: ", ")).")
  var suite: String?
  @Option(
    name: .customLong("prompt-tokens"), parsing: .unconditional,
    help: "Tokens that a model reads at once (default: 128).")
  var promptTokens: Int?
  @Option(
    parsing: .unconditional, help: "Tokens that a model reads one by one after that (default: 64).")
  var tokens: Int?
  @Option(parsing: .unconditional, help: "Threads of each product, or of a model.")
  var threads = 1
  @Option(
    help:
      "Only rows with these words, as in 'int4 n=1'; several with commas between them; with * or ? a glob for the whole label, as in 'int4/32 i8 4096x4096 n=512'."
  )
  var only: String?
  @Option(
    help: "Shapes of weights, as in 2048x2048,11008x4096: rows, and columns in multiples of 32.")
  var shapes: String?
  @Option(parsing: .unconditional, help: "Rounds at most, of which medians are taken.")
  var runs = 7
  @Option(
    parsing: .unconditional,
    help: "Seconds after which a row is done, if three rounds of it are (default: 5).")
  var patience: Double?
  @Option(help: "The Python that has the peers (default: python3 on the path).")
  var python: String?
  @Flag(name: .customLong("each-peer"), help: "Show all peers below a row, not the best one only.")
  var listsPeers = false
  @Flag(name: .customLong("no-peers"), help: "Compare with no other library.")
  var leavesPeersOut = false
  @Option(
    name: .customLong("onednn-isa"),
    help:
      "What to hold oneDNN to, each in a process of its own, as in AVX512_CORE_VNNI,AVX2 (default: AVX512_CORE_VNNI where there is AMX, AVX2 with such kernels)."
  )
  var isas: String?
  @Option(
    help:
      "Kernels to measure: \(KernelSets.names.joined(separator: ", ")) (default: \(KernelSets.best))."
  )
  var kernels: String?
  @Option(help: "How weights lie: panels, rows (default: panels).")
  var layout: String?
  @Option(
    name: .customLong("ring"), parsing: .unconditional,
    help: "MiB that copies of weights fill (default: more than the caches hold).")
  var ring: Int?
  @OptionGroup var overrides: Overrides
  @OptionGroup var caching: CacheOptions
  @OptionGroup var common: CommonOptions

  func validate() throws {
    guard (model == nil) != (suite == nil) else {
      throw ValidationError("give a model file or --suite, one of them")
    }
    if let suite, !KernelSuite.names.contains(suite) {
      throw ValidationError(
        "there is no suite '\(suite)'; suites: \(KernelSuite.names.joined(separator: ", "))")
    }
    try checkForeignOptions()
    func check(_ value: Int?, _ name: String, _ range: ClosedRange<Int>) throws {
      if let value, !range.contains(value) {
        throw ValidationError("\(name) must be from \(range.lowerBound) to \(range.upperBound)")
      }
    }
    try check(promptTokens, "--prompt-tokens", 1...1 << 30)
    try check(tokens, "--tokens", 1...1 << 30)
    try check(threads, "--threads", 1...256)
    try check(runs, "--runs", 1...100_000)
    try check(ring, "--ring", 1...1 << 20)
    if let patience, !(patience >= 0 && patience.isFinite) {
      throw ValidationError("--patience must be a number of seconds")
    }
    if leavesPeersOut, python != nil || isas != nil {
      throw ValidationError(
        "--no-peers leaves out what '\(python != nil ? "--python" : "--onednn-isa")' is for")
    }
    if let kernels, !KernelSets.names.contains(kernels) {
      throw ValidationError(
        "there are no kernels '\(kernels)'; there are \(KernelSets.names.joined(separator: ", "))")
    }
    if let layout, !["panels", "rows"].contains(layout) {
      throw ValidationError("--layout must be panels or rows")
    }
    if let shapes { _ = try Self.shapes(shapes) }
  }

  /// What one way of measuring has no use for, the other may: nothing is passed over in silence.
  private func checkForeignOptions() throws {
    let ofModels: KeyValuePairs = [
      "--prompt-tokens": promptTokens != nil, "--tokens": tokens != nil,
      "--set": !overrides.settings.isEmpty,
    ]
    let ofSuites: KeyValuePairs = [
      "--only": only != nil, "--shapes": shapes != nil, "--patience": patience != nil,
      "--python": python != nil, "--each-peer": listsPeers, "--no-peers": leavesPeersOut,
      "--onednn-isa": isas != nil, "--kernels": kernels != nil, "--layout": layout != nil,
      "--ring": ring != nil,
    ]
    let foreign = model == nil ? ofModels : ofSuites
    if let option = foreign.first(where: \.value) {
      throw ValidationError(
        "'\(option.key)' is for \(model == nil ? "a model file" : "--suite kernels") only")
    }
  }

  func run() throws {
    if let model { try measure(model) } else { try measureKernels() }
  }

  /// Lowers a model file into a folder that goes away again, and measures its library.
  private func measure(_ model: String) throws {
    let environment = try common.environment(caching)
    let scratch = try ScratchFolder()
    var weightBytes = 0
    let subject = try Subject(
      compiling: environment.plan(model, settings: overrides.settings, output: scratch.path),
      threads: threads, in: environment, scratch: scratch
    ) { weightBytes = $0.emissions.reduce(0) { $0 + $1.weightBytes } }
    let processors = Processors.pin(threads)
    let speed = try ModelSpeed(
      of: try subject.with(threads: threads).model, prompt: promptTokens ?? 128,
      tokens: tokens ?? 64, rounds: runs)
    let fields: [(key: String, value: JSON)] = [
      ("model", .string(model)), ("weight_bytes", .integer(weightBytes)),
      ("threads", .integer(threads)),
      ("processors", .array(processors.map { .integer(Int($0)) })), ("rounds", .integer(runs)),
    ]
    try common.write(
      .object(fields + speed.json), or: "weights    \(weightBytes) bytes\n" + speed.text)
  }

  private func measureKernels() throws {
    var request = KernelBench.Request()
    request.threads = threads
    request.runs = runs
    request.patience = patience ?? 5
    request.kernels = kernels ?? KernelSets.best
    request.usesPanels = layout != "rows"
    let reporter = common.reporter
    request.python = leavesPeersOut ? nil : try interpreter(reporter)
    request.isas = isas?.split(separator: ",").map(String.init)
    request.ringBytes = ring.map { $0 << 20 }
    request.only = only?.split(separator: ",").map { CasePattern(String($0)) } ?? []
    if let shapes { request.shapes = try Self.shapes(shapes) }
    guard KernelBench.hasCases(request) else {
      throw Diagnostic(
        "bench.nothing", "no row fits '\(only ?? "")'",
        hint: "words are those of labels such as 'int4/32 i8 4096x4096 n=512'")
    }
    let bench = try KernelBench(request) { reporter.note($0) }
    let table = BenchTable(listsPeers: listsPeers)
    if !common.json { try StandardStream.output(bench.machine.text + "\n" + table.head) }
    var rows: [BenchRow] = []
    try bench.run { row in
      rows.append(row)
      if !common.json { try StandardStream.output(table.text(of: row)) }
    }
    if common.json {
      let result = JSON.object([
        ("machine", bench.machine.json(peers: bench.peerVersions)),
        ("rows", .array(rows.map(\.json))),
      ])
      try StandardStream.output(result.serialized(indent: 2) + "\n")
    }
  }

  /// The Python that runs peers. One that is asked for has to be there; without the usual one there are no peers.
  private func interpreter(_ reporter: Reporter) throws -> String? {
    let name = python ?? "python3"
    if CCompiler.locate(name) != nil { return name }
    if python == nil {
      reporter.note("no peers: there is no 'python3' on the path")
      return nil
    }
    throw Diagnostic(
      "bench.no-python", "there is no program '\(name)' to run other libraries with",
      hint: "'.ci/bench-peers DIR' makes DIR/bin/python3; --no-peers compares with no library")
  }

  private static func shapes(_ text: String) throws -> [MatrixShape] {
    try text.split(separator: ",", omittingEmptySubsequences: false).map { word in
      if let shape = MatrixShape(word) { return shape }
      throw ValidationError(
        "'\(word)' in --shapes is no shape: give rows and columns as in 4096x4096, columns in multiples of 32"
      )
    }
  }
}
