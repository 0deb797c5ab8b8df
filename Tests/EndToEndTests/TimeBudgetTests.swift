import IRCSupport
import IRCTestSupport
import Testing

/// What `irc bench` measured as a budget of `mixed-precision`, as docs/pipelines.md shows it.
@Suite("Budgets of measured time")
struct TimeBudgetTests {
  /// A folder with a model file and with the times of kernels of one small matrix.
  private func project() throws -> (model: String, times: String, folder: TemporaryFolder) {
    let folder = try TemporaryFolder()
    let model = try folder.write(
      "model.yaml", Workbench.modelFile(source: Workbench.example, pipeline: "float"))
    let measured = try Program.run(
      "bench", "--suite", "kernels", "--threads", "1", "--only", "n=1", "--no-peers", "--json",
      "--shapes", "64x64", "--ring", "1", "--runs", "1")
    #expect(measured.code == 0, "\(measured.errors)")
    return (model, try folder.write("times.json", measured.output), folder)
  }

  /// Lowers with options of the pass, and gives what it told by kind of remark.
  private func lower(_ model: String, _ options: [String]) throws
    -> (outcome: Program.Outcome, remarks: [String: [String]])
  {
    let settings = ["pipeline=mixed-w4.25a8"] + options.map { "passes.mixed-precision.\($0)" }
    let outcome = try Program.run(
      ["lower", model, "--json", "--quiet"] + settings.flatMap { ["--set", $0] })
    guard outcome.code == 0 else { return (outcome, [:]) }
    let pass = try #require(
      outcome.json()["passes"].array().first {
        try $0["instance"].string() == "mixed-precision"
      })
    var remarks: [String: [String]] = [:]
    for remark in try pass["remarks"].array() {
      try remarks[remark["kind"].string(), default: []].append(remark["message"].string())
    }
    return (outcome, remarks)
  }

  /// Microseconds of a token, as the pass tells them.
  private func microseconds(_ remarks: [String: [String]]) throws -> Double {
    let words = try #require(remarks["timed"]?.first).split(separator: " ")
    #expect(words.starts(with: ["one", "token", "takes"]))
    return try #require(Double(words[3]))
  }

  @Test(
    "The commands of the documentation work: formats are left out that nobody measured, and a budget is kept"
  )
  func documented() throws {
    let (model, times, folder) = try project()
    defer { withExtendedLifetime(folder) {} }
    let free = try lower(model, ["kernel_times=\(times)"])
    #expect(free.outcome.code == 0, "\(free.outcome.errors)")
    let left = try #require(free.remarks["unmeasured"]?.first)
    for name in ["'int5'", "'int6'"] { #expect(left.contains(name), "\(left)") }
    for name in ["'int2'", "'int3'", "'int4'"] { #expect(!left.contains(name), "\(left)") }
    // Told to three decimals.
    let limit = try microseconds(free.remarks) + 0.001
    let kept = try lower(model, ["kernel_times=\(times)", "seconds=\(limit * 1e-6)"])
    #expect(kept.outcome.code == 0, "\(kept.outcome.errors)")
    #expect(try microseconds(kept.remarks) <= limit)
    let few = try lower(model, ["kernel_times=\(times)", "seconds=1e-09"])
    #expect(few.outcome.code == 1)
    #expect(
      few.outcome.errors.contains("for one token are too few: the fastest formats take"),
      "\(few.outcome.errors)")
  }

  @Test(
    "Shipped schemes of formats that the benchmark measures have a time, others are told by name")
  func shippedSchemes() throws {
    let (model, times, folder) = try project()
    defer { withExtendedLifetime(folder) {} }
    let measured = "w8a8, w4a8, w3a16, w2a16, mxfp4a8, nvfp4a8, nf4, nf4a8"
    func choose(_ schemes: String) throws -> (
      outcome: Program.Outcome, remarks: [String: [String]]
    ) {
      try lower(
        model,
        ["kernel_times=\(times)", "seconds=1", "metric=weighted-mse", "choices=[\(schemes)]"])
    }
    let known = try choose(measured)
    #expect(known.outcome.code == 0, "\(known.outcome.errors)")
    #expect(known.remarks["unmeasured"] == nil)
    #expect(try microseconds(known.remarks) > 0)
    let unknown = try choose("\(measured), w5a16")
    #expect(unknown.outcome.code == 1)
    #expect(
      unknown.outcome.errors.contains("with weights 'int5' and activations 'i8'"),
      "\(unknown.outcome.errors)")
  }
}
