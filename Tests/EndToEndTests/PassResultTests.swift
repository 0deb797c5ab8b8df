import Foundation
import IRCDriver
import IRCPassKit
import IRCPassManager
import IRCPipeline
import IRCSupport
import IRCTestSupport
import Synchronization
import Testing

/// How often passes of this file ran.
private let runs = Mutex<[String: Int]>([:])

/// Counts under a name of the test's own, since tests run at the same time.
private func ran(_ name: String) { runs.withLock { $0[name, default: 0] += 1 } }

/// Attaches a constant, says something and counts; looks at the target if it is told to.
private struct Attach: Pass {
  static let info = PassInfo(
    name: "attach", summary: "Attaches.", preservesFunction: true, statistics: [seen],
    remarks: [told])
  static let seen = Statistic("seen", "Operations seen.")
  static let told = RemarkKind("told", .analysis, "Something was told.")

  @PassOption("Name under which runs are counted.") var test = ""
  @PassOption("An option without any effect.", in: 0...1000) var value = 1
  @PassOption("Looks at the target.") var looks = false
  @PassOption("Negates the output, which it says it does not.") var lies = false

  init() {}
  var isCostly: Bool { true }

  func run(on graph: inout Graph, in context: PassContext) throws {
    ran(test)
    if looks { context.remark(Self.told, at: .unknown, "for \(context.target.rawValue)") }
    let norm = graph.operations(of: RMSNorm.self)[0].operation
    context.remark(Self.told, at: context.derived(from: norm.location), "it was", hint: "look")
    context.count(Self.seen, by: graph.operations.count)
    let width = graph.type(of: norm.result).shape.last?.fixed ?? 1
    let ones = try graph.attach(
      Tensor([width], [Float](repeating: 1, count: width)),
      numberedFrom: "\(context.instance).ones", before: norm.id,
      at: context.derived(from: norm.location))
    let scaled = try graph.add(Multiply(), [norm.operands[0], ones], before: norm.id)
    graph.setOperand(0, of: norm.id, to: scaled[0])
    let output = graph.outputs[0]
    if lies { graph.setOutput(output.name, try graph.add(Negate(), [output.value])[0]) }
  }
}

/// Computes one number through the door of `PassContext`.
private struct Remember: Pass {
  static let info = PassInfo(
    name: "remember", summary: "Remembers.", preservesFunction: true, statistics: [found])
  static let found = Statistic("found", "The number.")

  @PassOption("Name under which computations are counted.") var test = ""
  @PassOption("What the number depends on.", in: 0...1000) var value = 1
  @PassOption("Version of the action.", in: 0...10) var version = 1

  init() {}

  func run(on graph: inout Graph, in context: PassContext) throws {
    let weight = graph.operations(of: Parameter.self)[0].operation.result
    let number = try context.cached(
      "number", version: version,
      inputs: [
        context.fingerprint(of: [weight], in: graph),
        context.fingerprint(of: Tensor([1], [Float(value)])),
      ], options: [test]
    ) {
      ran(test)
      return [Tensor([1], [Int64(value)]), Tensor([0], [Float]())]
    }
    context.count(Self.found, by: Int(number[0].array(of: Int64.self)[0]))
  }
}

@Suite("Results of passes are kept between runs")
struct PassResultTests {
  private let folder: TemporaryFolder
  private let cache: ContentCache
  private let name = UUID().uuidString

  init() throws {
    folder = try TemporaryFolder()
    cache = ContentCache(directory: folder.file("cache"))
  }

  private var count: Int { runs.withLock { $0[name] ?? 0 } }

  private func simulate(
    _ passes: String, target: String = "portable", check: FunctionCheckMode = .never
  ) throws -> Compilation.Result {
    let environment = try CompilerEnvironment(
      plugins: [Attach.self, Remember.self], executable: Workbench.repository + "/irc",
      reporter: Reporter(isQuiet: true), cache: cache)
    let text = Workbench.modelFile(
      source: Workbench.example, pipeline: "[\(passes)]", more: "target: \(target)")
    let plan = try environment.plan(try folder.write("model.yaml", text))
    var options = Compilation.Options()
    options.functionCheck = check
    options.printAfter = []
    return try Compilation(plan, in: environment).simulate(options)
  }

  private func attach(_ more: String = "") -> String { "attach: {test: \"\(name)\"\(more)}" }

  @Test("A pass does not run twice on the same, and leaves the same")
  func again() throws {
    let first = try simulate(attach())
    let second = try simulate(attach())
    #expect(count == 1)
    #expect(first.graph == second.graph && first.dumps == second.dumps)
    #expect(first.runs[0].earlierSeconds == nil && second.runs[0].earlierSeconds != nil)
    #expect(first.runs[0].counters.map(\.value) == second.runs[0].counters.map(\.value))
    #expect(first.runs[0].operations == second.runs[0].operations)
    let remarks = [first, second].map { $0.runs[0].remarks.map(Facts.init) }
    #expect(remarks[0] == remarks[1] && remarks[0].count == 1)
    #expect(remarks[0][0].location.text.hasPrefix("pass(\"attach\", checkpoint("))
    let attached = try [first, second].map {
      try $0.graph.parameters.tensor(named: "attach.ones").array(of: Float.self)
    }
    #expect(attached[0] == attached[1])
    // What comes behind it goes on from there, in the same way.
    let longer = try simulate("\(attach()), \(attach(", value: 2"))")
    #expect(count == 2)
    #expect(longer.runs.map { $0.earlierSeconds != nil } == [true, false])
    #expect(try simulate("\(attach()), \(attach(", value: 2"))").graph == longer.graph)
    #expect(count == 2)
  }

  private struct Facts: Equatable {
    let (pass, kind, location, message, hint): (String, RemarkKind, Location, String, String?)
    init(_ remark: Remark) {
      pass = remark.pass
      kind = remark.kind
      location = remark.location
      message = remark.message
      hint = remark.hint
    }
  }

  @Test("Another option, another graph before it and a damaged entry are reasons to run")
  func misses() throws {
    _ = try simulate(attach())
    _ = try simulate(attach(", value: 2"))
    #expect(count == 2)
    let other = UUID().uuidString
    _ = try simulate("attach: {test: \"\(other)\"}, \(attach())")
    #expect(count == 3)
    for file in cache.files() {
      let content = try Data(contentsOf: URL(fileURLWithPath: file.path))
      try content.dropLast(1).write(to: URL(fileURLWithPath: file.path))
    }
    let repaired = try simulate(attach())
    #expect(count == 4)
    #expect(try simulate(attach()).graph == repaired.graph)
    #expect(count == 4)
  }

  @Test("Another target matters to a pass that looks at it, and to no other")
  func surroundings() throws {
    _ = try simulate(attach())
    _ = try simulate(attach(), target: "native")
    #expect(count == 1)
    _ = try simulate(attach(", looks: true"))
    let native = try simulate(attach(", looks: true"), target: "native")
    #expect(count == 3)
    #expect(native.runs[0].remarks.map(\.message) == ["for native", "it was"])
    let portable = try simulate(attach(", looks: true"))
    #expect(count == 3)
    #expect(portable.runs[0].remarks.map(\.message) == ["for portable", "it was"])
  }

  @Test("A result that was not checked is checked when that is asked for")
  func checks() throws {
    _ = try simulate(attach(", lies: true"))
    for _ in 0..<2 {
      let error = #expect(throws: DiagnosticList.self) {
        try simulate(attach(", lies: true"), check: .always)
      }
      #expect(error.map { "\($0)" }?.contains("changed the function") == true)
    }
    #expect(count == 1)
    // What a check refuses is not kept.
    #expect(throws: DiagnosticList.self) {
      try simulate(attach(", lies: true, value: 2"), check: .always)
    }
    #expect(count == 2)
    #expect(throws: DiagnosticList.self) {
      try simulate(attach(", lies: true, value: 2"), check: .always)
    }
    #expect(count == 3)
    _ = try simulate(attach(), check: .always)
    _ = try simulate(attach(), check: .always)
    #expect(count == 4)
    let kinds = CacheReport(of: cache).text
    #expect(kinds.contains("passed-check"), "\(kinds)")
  }

  @Test("Parts of passes are kept by what they name")
  func actions() throws {
    func found(_ more: String = "") throws -> Int {
      try simulate("remember: {test: \"\(name)\"\(more)}").runs[0].counters[0].value
    }
    #expect(try found() == 1 && found() == 1)
    #expect(count == 1)
    #expect(try found(", value: 2") == 2 && found(", value: 2") == 2)
    #expect(count == 2)
    #expect(try found(", version: 2") == 1)
    #expect(count == 3)
    _ = cache.clear()
    #expect(try found() == 1)
    #expect(count == 4)
  }
}
