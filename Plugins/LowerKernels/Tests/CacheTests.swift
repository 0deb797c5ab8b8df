import IRCExecution
import IRCGraph
import IRCOps
import IRCPassKit
import LowerKernels
import Testing

/// Attention over codes becomes one kernel.
@Suite("lower-kernels: attention over codes")
struct CacheTests {
  private static let head = "format = int8, granularity = group(4), symmetric = true, scales = f32"

  /// Attention over a cache of codes; the query is in the given form, or real.
  private func model(query: String? = head, window: Int = 0) -> String {
    let rounded = query.map {
      """
        %qs = quant_params %x {\($0)} : f32[tokens, \($0.contains("group(4)") ? 4 : 1)]
        %qq = quantize %x, %qs {\($0)} : i8[tokens, 16]
        %q = dequantize %qq, %qs {\($0)} : f32[tokens, 16]

      """
    }
    return """
      irc.graph @"test" {stage = "quantized"} {
        %ids = input "ids" : i32[tokens]
        %kc = state "k" : i8[past, 8]
        %ksc = state "k.scales" : f32[past, 2]
        %vc = state "v" : i8[past, 8]
        %vsc = state "v.scales" : f32[past, 2]
        %t = generated {shape = [40, 16], values = random(1, 1.0)} : f32[40, 16]
        %w = generated {shape = [8, 16], values = random(2, 0.3)} : f32[8, 16]
        %u = generated {shape = [8, 16], values = random(3, 0.3)} : f32[8, 16]
        %x = embedding %ids, %t : f32[tokens, 16]
        %k = linear %x, %w : f32[tokens, 8]
        %ks = quant_params %k {\(Self.head)} : f32[tokens, 2]
        %kq = quantize %k, %ks {\(Self.head)} : i8[tokens, 8]
        %kall = append %kc, %kq : i8[past+tokens, 8]
        %ksall = append %ksc, %ks : f32[past+tokens, 2]
        %kr = dequantize %kall, %ksall {\(Self.head)} : f32[past+tokens, 8]
        %v = linear %x, %u : f32[tokens, 8]
        %vs = quant_params %v {\(Self.head)} : f32[tokens, 2]
        %vq = quantize %v, %vs {\(Self.head)} : i8[tokens, 8]
        %vall = append %vc, %vq : i8[past+tokens, 8]
        %vsall = append %vsc, %vs : f32[past+tokens, 2]
        %vr = dequantize %vall, %vsall {\(Self.head)} : f32[past+tokens, 8]
      \(rounded ?? "")  %a = attention \(query == nil ? "%x" : "%q"), %kr, %vr {heads = 4, kv_heads = 2, scale = 0.5, window = \(window)} : f32[tokens, 16]
        %y = linear %a, %t : f32[tokens, 40]
        next "k" = %kall
        next "k.scales" = %ksall
        next "v" = %vall
        next "v.scales" = %vsall
        output "logits" = %y
      }
      """
  }

  private func lowered(_ text: String) throws -> (after: Graph, said: PassLog) {
    let before = try GraphParser.parse(text, file: "test.irc", registry: .standard)
    #expect(before.verify() == [])
    let context = PassContext(
      instance: "lower-kernels",
      model: ModelDescription(name: "test", vocabularySize: 40, contextLength: nil),
      target: .portable, services: .none)
    var after = before
    try LowerKernels().run(on: &after, in: context)
    #expect(after.verify() == [])
    let difference = try FunctionCheck.compare(
      before, after, probe: [0, 39, 5, 5, 7, 21, 14, 2], tolerance: LowerKernels.info.tolerance)
    #expect(difference.firstExceeding == nil, "\(difference.largest)")
    return (after, context.said)
  }

  @Test("reads what the states hold and rounds queries itself", arguments: [0, 3])
  func joins(window: Int) throws {
    let (after, said) = try lowered(model(window: window))
    #expect(after.operations(of: Attention.self).isEmpty)
    let (operation, op) = try #require(after.operations(of: IntegerAttention.self).first)
    #expect(op.attention == Attention(heads: 4, keyValueHeads: 2, scale: 0.5, window: window))
    let states = operation.operands.dropFirst().map { value in
      after.nextStates.first { $0.value == value }?.name
    }
    #expect(states == ["k", "k.scales", "v", "v.scales"])
    #expect(after.definition(of: operation.operands[0], as: Embedding.self) != nil)
    #expect(after.operations(of: Dequantize.self).isEmpty)
    #expect(said.counters["integer-attentions"] == 1)
    #expect(!said.remarks.contains { $0.kind.name == "kept-real-attention" })
  }

  @Test(
    "stays real, with a remark, where the query is not rounded so",
    arguments: [
      nil, "format = int8, granularity = row, symmetric = true, scales = f32",
      "format = int4, granularity = group(4), symmetric = true, scales = f32",
    ] as [String?])
  func leavesOthers(query: String?) throws {
    let (after, said) = try lowered(model(query: query))
    #expect(after.operations(of: Attention.self).count == 1)
    #expect(after.operations(of: IntegerAttention.self).isEmpty)
    #expect(said.counters["integer-attentions"] == 0)
    let remark = try #require(said.remarks.first { $0.kind.name == "kept-real-attention" })
    #expect(remark.hint?.contains("'cache'") == true)
  }

  @Test("Scales that are those of other values stay apart from the kernel")
  func otherScales() throws {
    let other = """
      %two = add %x, %x : f32[tokens, 16]
        %ts = quant_params %two {\(Self.head)} : f32[tokens, 4]
        %qq = quantize %x, %ts
      """
    let (after, _) = try lowered(
      model().replacing("%qq = quantize %x, %qs", with: other)
        .replacing("%q = dequantize %qq, %qs", with: "%q = dequantize %qq, %ts"))
    #expect(after.operations(of: IntegerAttention.self).isEmpty)
  }
}
