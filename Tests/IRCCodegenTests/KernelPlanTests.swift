import Foundation
import IRCCodegen
import IRCGraph
import IRCOps
import Testing

/// The plan of kernels says what the emitted text does.
@Suite("Plan of kernels")
struct KernelPlanTests {
  private static let options = CEmitter.Options(name: "tiny-model", chunk: 16, contextLength: 128)
  private static let withoutThreads = CEmitter.Options(
    name: "tiny-model", chunk: 16, contextLength: 128, threads: .none)

  /// The functions of layers in the emitted file.
  private func layers(of emitted: EmittedModel) throws -> String {
    let text = String(decoding: try emitted.bytes(of: emitted.report.names.source), as: UTF8.self)
    let start = try #require(text.firstRange(of: /static void (run|rows)_/))
    let end = try #require(text.range(of: "// All tokens of a chunk"))
    return String(text[start.lowerBound..<end.lowerBound])
  }

  /// The kernels that `text` calls, in its order; what threads share is called by the kernel's name behind `share_`.
  private func calls(in text: String) -> [String] {
    let calls = text.matches(
      of:
        /(?:IRC_NAME\((?:share_)?(\w+)\)|m->kernels->(\w+)|\b(copy_rows|copy_codes|positions|dequantize))\(/
    )
    return calls.map { String($0.1 ?? $0.2 ?? $0.3 ?? "") }
  }

  private static let models = ["mamba", "llama"].flatMap { architecture in
    [Formats.w8a8, .float].map { EmittedModelTests.Case(architecture: architecture, formats: $0) }
  }

  @Test("Kernels are those of the emitted file, in its order", arguments: models)
  func order(_ model: EmittedModelTests.Case) throws {
    let emitted = try EmittedModel(try model.graph(), Self.withoutThreads)
    let text = try layers(of: emitted)
    #expect(calls(in: text) == emitted.report.kernels.steps.map(\.kernel))
    let loops = text.matches(of: /for \(size_t t = 0; t < tokens; t\+\+\) \{/).count
    #expect(loops == Set(emitted.report.kernels.steps.compactMap(\.loop)).count)
    #expect(loops > 0)
  }

  @Test("Threads call the same kernels, as often", arguments: models)
  func threads(_ model: EmittedModelTests.Case) throws {
    let emitted = try EmittedModel(try model.graph(), Self.options)
    let called = calls(in: try layers(of: emitted))
    #expect(called.sorted() == emitted.report.kernels.steps.map(\.kernel).sorted())
  }

  @Test("A prompt reads each tensor of the file once, but for tables", arguments: models)
  func weights(_ model: EmittedModelTests.Case) throws {
    let emitted = try EmittedModel(try model.graph(), Self.options)
    let plan = emitted.report.kernels
    var stored = emitted.report.tensors
    let call = KernelPlan.Call(tokens: 5)
    for step in plan.steps {
      for weight in step.weights {
        if let index = stored.firstIndex(where: {
          ($0.name, $0.shape, $0.format, $0.bytes)
            == (weight.name, weight.shape, weight.format, weight.bytes)
        }) {
          stored.remove(at: index)
        }
      }
      let isTable = step.kernel.hasPrefix("embedding")
      let all = step.weights.reduce(0) { $0 + $1.bytes }
      // Of a table a row for each token.
      let rows = step.weights.first?.shape[0] ?? 1
      let expected = isTable ? 5 * ((all + rows - 1) / rows) : all
      #expect(step.weightBytes.total(of: call) == expected)
    }
    #expect(stored.map(\.name) == [])
  }

  @Test("Products count their multiplications, of codes or of real numbers")
  func products() throws {
    for formats in [Formats.w8a8, .float] {
      let plan = try CEmitter(Self.options).plan(try TestModels.llama(formats)).kernels
      let linear = plan.steps.filter { $0.kernel.hasPrefix("linear_") }
      #expect(linear.count > 10)
      for step in linear {
        let macs = 3 * step.shape[0] * step.shape[1]
        let call = KernelPlan.Call(tokens: 3)
        #expect(step.integerProducts.total(of: call) == (formats.isReal ? 0 : macs))
        #expect(step.realProducts.total(of: call) == (formats.isReal ? macs : 0))
        // Panels of sixteen rows, unless they would be padding for the most part.
        let packing = step.shape[0] == 24 ? "rows" : "panels"
        #expect(step.weights[0].packing == (formats.isReal ? nil : packing))
        #expect(step.activations == (formats.isReal ? "f32" : "int8 row"))
      }
    }
  }

  @Test("Attention reads every position and multiplies each query with those that it sees")
  func attention() throws {
    let graph = try TestModels.llama(.float, window: 7)
    let plan = try CEmitter(Self.options).plan(graph).kernels
    let step = try #require(plan.steps.first { $0.kernel == "attention_f32" })
    let attention = try #require(graph.operations(of: Attention.self).first)
    let width = try #require(graph.type(of: attention.operation.operands[0]).shape[1].fixed)
    // Three queries behind five positions: the last of them no longer sees the first.
    let call = KernelPlan.Call(tokens: 3, past: 5)
    #expect(step.realProducts.total(of: call) == 2 * width * (6 + 7 + 7))
    let keys = try #require(graph.type(of: attention.operation.operands[1]).shape[1].fixed)
    #expect(step.readBytes.total(of: call) == 4 * (3 * width + 8 * 2 * keys))
  }

  @Test("Attention over codes reads a byte for a channel, and multiplies queries with codes")
  func attentionOverCodes() throws {
    let plan = try CEmitter(Self.options).plan(TestModels.llama(.w8a8kv8, window: 7)).kernels
    let real = try CEmitter(Self.options).plan(TestModels.llama(.w8a8, window: 7))
    let step = try #require(plan.steps.first { $0.kernel == "attention_i8" })
    #expect(step.operation == "integer_attention" && step.activations == "int8 head")
    let call = KernelPlan.Call(tokens: 3, past: 5)
    // Four heads of twelve channels, two of keys.
    let (width, keys, keyHeads) = (48, 24, 2)
    #expect(step.integerProducts.total(of: call) == width * (6 + 7 + 7))
    #expect(step.realProducts.total(of: call) == width * (6 + 7 + 7))
    #expect(step.readBytes.total(of: call) == 4 * 3 * width + 8 * 2 * (keys + 4 * keyHeads))
    let coded = try CEmitter(Self.options).plan(TestModels.llama(.w8a8kv8, window: 7))
    // Two layers with keys and values each.
    #expect(real.tokenBytes == 2 * 2 * 4 * keys)
    #expect(coded.tokenBytes == 2 * 2 * (keys + 4 * keyHeads))
    #expect(coded.contextBytes < real.contextBytes)
  }

  @Test("Loops and results in place make the arena smaller", arguments: models)
  func arena(_ model: EmittedModelTests.Case) throws {
    // With threads, what a loop holds for one token it holds for each thread, which is more than a tiny chunk has.
    let report = try CEmitter(Self.withoutThreads).plan(try model.graph())
    let arena = report.kernels.arena
    #expect(arena.bytes == report.arenaBytes)
    #expect(arena.bytes < arena.bytesApart)
    #expect(arena.bytesApart < arena.bytesWithoutReuse)
    #expect(arena.largestLive <= arena.bytes)
  }

  @Test("A gate and what it multiplies share a loop, and its activation has one row")
  func gate() throws {
    let plan = try CEmitter(Self.options).plan(try TestModels.llama(.w8a8)).kernels
    let silu = try #require(plan.steps.firstIndex { $0.kernel == "silu_rows_f32" })
    let names = plan.steps[silu...].prefix(3)
    #expect(names.map(\.kernel) == ["silu_rows_f32", "mul_rows_f32", "quantize_tokens_i8"])
    #expect(Set(names.map(\.loop)).count == 1 && names[silu].loop != nil)
    #expect(plan.steps[silu].writtenBytes.total(of: KernelPlan.Call(tokens: 4)) == 0)
  }

  @Test("A time is that of what takes longer, moving or multiplying")
  func roofline() throws {
    let plan = try CEmitter(Self.options).plan(try TestModels.llama(.w8a8)).kernels
    let step = try #require(plan.steps.first { $0.kernel == "linear_q_i8" })
    let (out, columns) = (step.shape[0], step.shape[1])
    var machine = Roofline(
      readRate: 10, cacheRate: 1000, integerRate: 2e30, realRate: 1, source: "a test")
    let call = KernelPlan.Call(tokens: 16)
    let slow = machine.prediction(of: step, for: call)
    let weights = Double(step.weights.reduce(0) { $0 + $1.bytes })
    // Codes and one scale for each token, and the result.
    let values = Double(16 * (columns + 4 + 4 * out))
    #expect(abs(slow.seconds - (weights / 10 + values / 1000)) < 1e-9 * slow.seconds)
    #expect(slow.bound == .memory)
    machine.integerRate = 1
    let products = machine.prediction(of: step, for: call)
    #expect(products.seconds == Double(2 * 16 * out * columns))
    #expect(products.bound == .multiplications)
    #expect(machine.seconds(of: plan, for: call) > products.seconds)
  }
}
