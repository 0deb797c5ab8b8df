import IRCPassKit
import IRCTestSupport
import QuantizeTensors
import Testing

/// Keys and values that are kept as codes.
@Suite("quantize: caches")
struct CacheTests {
  private static var scheme: QuantizationScheme {
    QuantizationScheme(
      weights: QuantizationSpec(.integer(bits: 8), .row), embeddings: nil, cache: .integer(bits: 8))
  }

  /// The pass with weights left real where they are no matter of the test.
  private func run(
    _ text: String, _ scheme: QuantizationScheme = Self.scheme, exclude: [NamePattern] = []
  ) throws -> (before: Graph, after: Graph, said: PassLog) {
    var graph = try GraphParser.parse(text, file: "test.irc", registry: .standard)
    var tensors = NamedTensors()
    for (_, op) in graph.operations(of: Parameter.self) { tensors.add(random: op.name, op.shape) }
    graph.parameters = tensors
    let before = graph
    let context = PassContext(
      instance: "quantize",
      model: ModelDescription(name: "test", vocabularySize: 16, contextLength: nil),
      target: .portable, services: .none)
    var pass = QuantizeTensors()
    (pass.scheme, pass.exclude) = (scheme, exclude)
    try pass.run(on: &graph, in: context)
    #expect(graph.verify() == [])
    return (before, graph, context.said)
  }

  private func caches(_ said: PassLog) -> [String] {
    said.remarks.filter { $0.kind.name.hasPrefix("cache") }.map(\.message)
  }

  @Test("States hold codes and a scale for each head of a token, and queries are rounded alike")
  func states() throws {
    let (before, after, said) = try run(SampleNetworks.transformer)
    let states = after.operations(of: State.self).map { "\($0.op.name): \($0.op.type)" }
    #expect(
      states.sorted() == [
        "keys.scales: f32[past, 2]", "keys: i8[past, 8]", "position: i32[1]",
        "values.scales: f32[past, 2]", "values: i8[past, 8]",
      ])
    #expect(after.nextStates.count == states.count)
    let (attention, _) = try #require(after.operations(of: Attention.self).first)
    for operand in attention.operands {
      #expect(
        after.definition(of: operand, as: Dequantize.self)?.spec
          == QuantizationSpec(.integer(bits: 8), .group(4)))
    }
    // Keys are rounded before they are appended, queries as they come.
    let parts = attention.operands.map { after.producer(of: $0).operands[0] }
    #expect(after.definition(of: parts[0], as: Quantize.self) != nil)
    #expect(after.definition(of: parts[1], as: Append.self) != nil)
    #expect(said.counters["caches"] == 2)
    #expect(
      caches(said) == [
        "'keys' f32[past, 8] to int8, with a scale for each of 2 heads of a token",
        "'values' f32[past, 8] to int8, with a scale for each of 2 heads of a token",
      ])
    #expect(try GraphParser.parse(after.text, file: "again.irc", registry: .standard) == after)

    // Without it the scheme's weights are the same, so that only the caches differ.
    var plain = Self.scheme
    plain.cache = nil
    let (_, real, _) = try run(SampleNetworks.transformer, plain)
    let difference = try FunctionCheck.compare(
      real, after, probe: [1, 15, 3, 3, 7, 0, 9], tolerance: 0.05)
    #expect(difference.firstExceeding == nil && difference.largest > 0, "\(difference.largest)")
    #expect(before.operations(of: Attention.self).count == 1)
  }

  @Test("A model without attention is told so, and otherwise as without the key")
  func withoutAttention() throws {
    let (_, after, said) = try run(SampleNetworks.stateSpace)
    var plain = Self.scheme
    plain.cache = nil
    let (_, real, _) = try run(SampleNetworks.stateSpace, plain)
    #expect(after == real)
    #expect(said.counters["caches"] == nil)
    #expect(
      caches(said) == [
        "the scheme's 'cache' has no effect: the model has no attention that keeps keys and values"
      ])
  }

  /// Two attentions, of which the second one reads `%ks` as keys and values.
  private func attends(
    to keys: String, _ values: String, output: String = "", next: String = "%ks"
  ) -> String {
    """
    irc.graph @"test" {stage = "float"} {
      %ids = input "ids" : i32[tokens]
      %kc = state "k" : f32[past, 8]
      %vc = state "v" : f32[past, 8]
      %table = param "table" {shape = [16, 8], stored = f32} : f32[16, 8]
      %x = embedding %ids, %table : f32[tokens, 8]
      %ks = append %kc, %x : f32[past+tokens, 8]
      %vs = append %vc, %x : f32[past+tokens, 8]
      %a = attention %x, \(keys), \(values) {heads = 2, kv_heads = 2, scale = 0.5, window = 0} : f32[tokens, 8]
      %b = attention %a, %ks, %ks {heads = 2, kv_heads = 2, scale = 0.5, window = 3} : f32[tokens, 8]
      %y = linear %b, %table : f32[tokens, 16]
      next "k" = \(next)
      next "v" = %vs
      output "logits" = %y
    \(output)}
    """
  }

  @Test("Attentions that share rows share their codes; a state that none reads stays")
  func sharedRows() throws {
    let (_, after, said) = try run(attends(to: "%ks", "%ks"))
    #expect(said.counters["caches"] == 1)
    #expect(after.operations(of: State.self).map(\.op.name).sorted() == ["k", "k.scales", "v"])
    let read = Set(
      after.operations(of: Attention.self).flatMap { $0.operation.operands.dropFirst() })
    #expect(read.count == 1)
  }

  @Test("Rows that something else reads stay real, and so do those of whoever shares them")
  func leftOut() throws {
    func said(_ text: String) throws -> [String] {
      let (_, after, said) = try run(text)
      #expect(said.counters["caches"] == nil)
      #expect(after.operations(of: State.self).map(\.op.type.element) == [.f32, .f32])
      return caches(said)
    }
    let others = "its keys are read by others as well"
    let nothing = "its keys are not what a state becomes when rows are appended to it"
    func observed(_ value: String) -> String { "  output \"all\" = \(value)\n" }
    #expect(try said(attends(to: "%ks", "%ks", output: observed("%ks"))) == [others, others])
    #expect(try said(attends(to: "%ks", "%ks", next: "%kc")) == [nothing, nothing])
    #expect(
      try said(attends(to: "%ks", "%vs", output: observed("%vs"))) == [
        "its values are read by others as well", others,
      ])

    let (_, _, second) = try run(attends(to: "%x", "%x"))
    #expect(caches(second).prefix(1) == [nothing] && second.counters["caches"] == 1)
  }

  @Test("A second pass leaves codes as they are")
  func twice() throws {
    let (_, once, _) = try run(attends(to: "%ks", "%ks"), exclude: [NamePattern("table")])
    var twice = once
    let context = PassContext(
      instance: "quantize#2",
      model: ModelDescription(name: "test", vocabularySize: 16, contextLength: nil),
      target: .portable, services: .none)
    var pass = QuantizeTensors()
    pass.scheme = Self.scheme
    try pass.run(on: &twice, in: context)
    #expect(context.said.counters["caches"] == nil)
    #expect(caches(context.said) == [])
    #expect(twice.operations(of: State.self).map(\.op) == once.operations(of: State.self).map(\.op))
  }
}
