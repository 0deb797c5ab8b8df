import EmitC
import Foundation
import IRCGraph
import IRCOps
import IRCPassKit
import IRCSupport
import IRCTestSupport
import Testing

@Suite struct EmitCTests {
  private let text = """
    irc.graph @"test" {stage = "kernels"} {
      %ids = input "ids" : i32[tokens]
      %past = state "k" : f32[past, 8]
      %t = generated {shape = [40, 8], values = random(1, 1.0)} : f32[40, 8]
      %x = embedding %ids, %t : f32[tokens, 8]
      %k = append %past, %x : f32[past+tokens, 8]
      %a = attention %x, %k, %k {heads = 2, kv_heads = 2, scale = 0.5, window = 0} : f32[tokens, 8]
      %y = linear %a, %t : f32[tokens, 40]
      next "k" = %k
      output "logits" = %y
    }
    """

  private func run(
    contextLength: Int?, of text: String? = nil, set: (inout EmitC) -> Void = { _ in }
  ) throws -> (header: String, files: [String], graphs: [Graph], context: PassContext) {
    let graph = try GraphParser.parse(text ?? self.text, file: "test.irc", registry: .standard)
    let folder = try TemporaryFolder()
    let output = folder.file("out")
    let files = OutputFiles(directory: output)
    // The pass runs once, on this thread.
    nonisolated(unsafe) let target = files
    let context = PassContext(
      instance: "emit-c",
      model: ModelDescription(name: "my model", vocabularySize: 40, contextLength: contextLength),
      target: .avx2,
      services: PassServices(
        statistics: { _, _ in [:] }, output: { target }))
    var pass = EmitC()
    set(&pass)
    var after = graph
    try pass.run(on: &after, in: context)
    try files.commit()
    let names = try FileManager.default.contentsOfDirectory(atPath: output).sorted()
    let header = try String(contentsOfFile: output + "/my_model.h", encoding: .utf8)
    return (header, names, [graph, after], context)
  }

  @Test("writes the library and leaves the graph alone")
  func writesFiles() throws {
    let result = try run(contextLength: 512)
    let kernels = result.files.filter { $0.hasPrefix("kernels_") }
    #expect(
      result.files.filter { !$0.hasPrefix("kernels_") } == [
        "irc_kernels.h", "my_model.c", "my_model.h", "my_model.pc", "my_model.weights",
        "my_modelConfig.cmake",
      ])
    #expect(kernels.contains("kernels_linear.c") && !kernels.contains("kernels_hadamard.c"))
    #expect(result.graphs[0] == result.graphs[1])
    #expect(result.header.contains("MY_MODEL_CONTEXT = 512,"))
    #expect(result.header.contains("MY_MODEL_CHUNK = 32,"))
    #expect(result.context.said.counters["tensors"] == 1)
    #expect((result.context.said.counters["weight-bytes"] ?? 0) > 40 * 8 * 4)
  }

  @Test("a remark names what padding makes larger than single precision")
  func remarksLarger() throws {
    /// A network with codes of 8 bits, `columns` in a row.
    func kinds(columns: Int) throws -> [String] {
      let text = """
        irc.graph @"test" {stage = "kernels"} {
          %ids = input "ids" : i32[tokens]
          %t = generated {shape = [40, 64], values = random(1, 1.0)} : f32[40, 64]
          %x = embedding %ids, %t : f32[tokens, 64]
          %w = generated {shape = [COLUMNS, 64], values = random(2, 1.0)} : f32[COLUMNS, 64]
          %z = linear %x, %w : f32[tokens, COLUMNS]
          %n = generated {shape = [40, COLUMNS], values = random(3, 1.0)} : f32[40, COLUMNS]
          %s = quant_params %n {SPEC} : f32[40, 1]
          %c = quantize %n, %s {SPEC} : i8[40, COLUMNS]
          %y = dequantizing_linear %z, %c, %s {weights = quantized(int8, row, true, f32), bias = false} : f32[tokens, 40]
          output "logits" = %y
        }
        """
      let spec = "format = int8, granularity = row, symmetric = true, scales = f32"
      let filled = text.replacing("COLUMNS", with: "\(columns)").replacing("SPEC", with: spec)
      return try run(contextLength: nil, of: filled)
        .context.said.remarks.map(\.kind.name)
    }
    #expect(try kinds(columns: 8) == ["larger"])
    #expect(try kinds(columns: 64) == [])
  }

  @Test("takes the chunk from the options")
  func readsOptions() throws {
    let result = try run(contextLength: nil) { $0.chunk = 7 }
    #expect(result.header.contains("MY_MODEL_CHUNK = 7,"))
  }

  @Test(
    "takes the context from the option, up to the model's limit, else a bearable one",
    arguments: [
      (nil, nil, 2048), (nil, 99, 99), (512, nil, 512), (512, 99, 99), (512, 9999, 512),
      (131_072, nil, 8192), (131_072, 100_000, 100_000),
    ] as [(Int?, Int?, Int)])
  func choosesContext(limit: Int?, option: Int?, expected: Int) throws {
    let result = try run(contextLength: limit) { $0.context = option }
    #expect(result.header.contains("MY_MODEL_CONTEXT = \(expected),"))
  }
}
