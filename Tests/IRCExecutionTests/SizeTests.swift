import IRCExecution
import IRCGraph
import IRCOps
import IRCSupport
import IRCTensor
import Testing

/// Sizes that a file or a command line can ask for and no memory can hold: a message, and no allocation that ends the process.
@Suite("Sizes beyond the memory")
struct SizeTests {
  private func graph(_ body: String) throws -> Graph {
    try GraphParser.parse(
      "irc.graph @\"large\" {stage = \"float\"} {\n\(body)\n}", file: "large.irc",
      registry: .standard)
  }

  @Test("A state")
  func state() throws {
    let graph = try graph(
      """
        %0 = state "s" : f32[1048576, 268435456]
        next "s" = %0
        output "y" = %0
      """)
    let error = #expect(throws: Diagnostic.self) { try Interpreter(graph) }
    #expect(error?.id == "tensor.too-large")
    #expect(error?.message.contains("f32[1048576, 268435456]") == true)
  }

  @Test("A constant")
  func constant() throws {
    let graph = try graph(
      """
        %0 = generated {shape = [1048576, 1048576], values = splat(0.0)} : f32[1048576, 1048576]
        output "y" = %0
      """)
    let interpreter = try Interpreter(graph)
    let error = #expect(throws: Diagnostic.self) { try interpreter.run(inputs: [:]) }
    #expect(error?.id == "tensor.too-large")
    #expect(error?.notes.contains { $0.contains("'generated'") } == true)
  }

  @Test("A result, whose size the number of tokens decides")
  func result() throws {
    let graph = try graph(
      """
        %0 = input "ids" : i32[tokens]
        %1 = generated {shape = [40, 1], values = splat(1.0)} : f32[40, 1]
        %2 = embedding %0, %1 : f32[tokens, 1]
        %3 = generated {shape = [134217728, 1], values = splat(0.0)} : f32[134217728, 1]
        %4 = linear %2, %3 : f32[tokens, 134217728]
        output "logits" = %4
      """)
    let interpreter = try Interpreter(graph)
    let ids = [Int32](repeating: 1, count: 1 << 20)
    let error = #expect(throws: Diagnostic.self) {
      try interpreter.run(inputs: ["ids": Tensor([ids.count], ids)])
    }
    #expect(error?.id == "tensor.too-large")
    #expect(error?.message.contains("[1048576, 134217728]") == true)
    #expect(error?.notes.contains { $0.contains("'linear'") } == true)
  }

  @Test("Products that overflow, and products with a zero in them")
  func products() throws {
    #expect(throws: Diagnostic.self) { try Tensor.checkSize([1 << 40, 1 << 40], .f32) }
    try Tensor.checkSize([1 << 40, 1 << 40, 0], .f64)
    try Tensor.checkSize([], .f64)
    try Tensor.checkSize([1000, 1000], .f32)
  }
}
