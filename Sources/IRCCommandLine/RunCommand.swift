import ArgumentParser
import IRCCodegen
import IRCDriver
import IRCExecution
import IRCPassKit
import IRCPipeline
import IRCSupport

/// `irc run`: compiles a model file and lets the result write text.
struct RunCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run", abstract: "Compile a model file and generate text with the result.",
    discussion: """
      Prints size and, with --data, perplexity before and after, then the text and its speed. A Hugging Face folder generates \
      with the float model, interpreted.
      """)

  @Argument(help: "A model file, or a Hugging Face folder.")
  var model: String
  @Option(name: .shortAndLong, help: "Output folder, instead of the model file's.")
  var output: String?
  @Option(help: "Text to continue.")
  var prompt = ""
  @Option(parsing: .unconditional, help: "Tokens to add at most.")
  var tokens = 200
  @Option(
    parsing: .unconditional,
    help: "Draw tokens with this temperature instead of taking the likeliest.")
  var temperature: Double?
  @Option(
    parsing: .unconditional,
    help:
      "Threads that write the text; as many as there are processors and room in the library unless given. The text is the same."
  )
  var threads: Int?
  @Option(help: "Seed of the draw; equal seeds give equal texts.")
  var seed: UInt64 = 0
  @Option(help: "Text for perplexity before and after.")
  var data: String?
  @OptionGroup var evaluation: EvaluationOptions
  @OptionGroup var overrides: Overrides
  @OptionGroup var caching: CacheOptions
  @OptionGroup var common: CommonOptions

  func validate() throws {
    if tokens < 1 { throw ValidationError("--tokens must be at least 1") }
    if let threads, threads < 1 { throw ValidationError("--threads must be at least 1") }
    if let temperature, !(temperature > 0 && temperature.isFinite) {
      throw ValidationError("--temperature must be a number > 0")
    }
  }

  func run() throws {
    let environment = try common.environment(caching)
    var fields: [(key: String, value: JSON)] = []
    let subject: Subject
    if isDirectory(model) {
      if !overrides.settings.isEmpty || output != nil || threads != nil {
        throw Diagnostic(
          "run.needs-model-file",
          "'\(model)' is a folder, which is not compiled: --set, -o and --threads are for what a model file asks for",
          hint: "leave them out, or give a model.yaml whose 'source' is that folder")
      }
      subject = try Subject(folder: model)
      if let data { fields += try measure(subject, data, "float", environment.reporter) }
    } else {
      subject = try compile(environment, &fields)
    }
    let sampling = temperature.map { TokenGenerator.Sampling.random(temperature: $0, seed: seed) }
    let showsText = !common.json
    if showsText { try StandardStream.output("\n") }
    let generation = try Generation(
      of: try subject.with(threads: threads), prompt: prompt, limit: tokens,
      sampling: sampling ?? .greedy
    ) { if showsText { try StandardStream.output($0) } }
    if let context = generation.fullContext {
      environment.reporter.note(
        "the text ends since the context of \(context) tokens is full; up to the model's limit, --set passes.emit-c.context=N makes room for more"
      )
    }
    let speed = generation.tokensPerSecond.map { "\(fixed($0, 0)) tokens/s" } ?? "no speed"
    try common.write(
      .object(fields + generation.json),
      or: "\n\n\(generation.tokens) tokens, \(speed), \(subject.kind.rawValue)\n")
  }

  /// Lowers and loads the model file, telling size and perplexity on the way.
  private func compile(
    _ environment: CompilerEnvironment, _ fields: inout [(key: String, value: JSON)]
  ) throws -> Subject {
    let plan = try environment.plan(model, settings: overrides.settings, output: output)
    var sizes: (before: Int, after: Int) = (0, 0)
    let subject = try Subject(
      compiling: plan, reading: data.map(evaluation.text), prompt: prompt, threads: threads,
      in: environment
    ) { result in
      sizes = (result.sourceBytes, result.emissions.reduce(0) { $0 + $1.weightBytes })
    }
    fields += [
      ("source_bytes", .integer(sizes.before)), ("weight_bytes", .integer(sizes.after)),
      ("output", .string(plan.model.output)),
    ]
    let pipeline = plan.model.pipeline.isEmpty ? "written out" : plan.model.pipeline
    try tell("\(plan.model.name), pipeline \(pipeline), written to \(plan.model.output)")
    try tell("size        \(sizes.before) -> \(sizes.after) bytes (\(Self.ratio(sizes)))")
    if let data {
      let before = try measure(
        Subject(folder: plan.model.source), data, "before", environment.reporter)
      let after = try measure(subject, data, "after", environment.reporter)
      if case .real(let a)? = before.first?.value, case .real(let b)? = after.first?.value {
        try tell(
          "perplexity  \(fixed(a, 4)) -> \(fixed(b, 4)) (\(fixed((b / a - 1) * 100, 2)) %) on \(data)"
        )
      }
      fields += before + after
    }
    return subject
  }

  private func measure(
    _ subject: Subject, _ data: String, _ when: String, _ reporter: Reporter
  ) throws -> [(key: String, value: JSON)] {
    let report = try subject.perplexity(of: evaluation.text(data), reporter)
    return [("perplexity_\(when)", .real(report.result.perplexity))]
  }

  /// How many times smaller it has become, or larger.
  private static func ratio(_ sizes: (before: Int, after: Int)) -> String {
    let (before, after) = (Double(max(1, sizes.before)), Double(max(1, sizes.after)))
    return after > before
      ? "\(fixed(after / before, 2))x larger" : "\(fixed(before / after, 2))x smaller"
  }

  private func tell(_ line: String) throws {
    if !common.json { try StandardStream.output(line + "\n") }
  }
}
