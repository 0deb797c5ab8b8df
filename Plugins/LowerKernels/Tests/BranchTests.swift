import IRCExecution
import IRCGraph
import IRCOps
import IRCPassKit
import LowerKernels
import Testing

/// Branches of low rank join the kernels beside which they lie.
@Suite struct BranchTests {
  private static let weight =
    "format = int4, granularity = group(8), symmetric = true, scales = f32"
  private static let row = "format = int8, granularity = row, symmetric = true, scales = f32"
  private static let asymmetric =
    "format = int4, granularity = row, symmetric = false, scales = f32"
  private static let fixed = "format = int8, granularity = tensor, symmetric = true, scales = f32"

  private func lowered(_ body: String) throws -> (before: Graph, after: Graph, said: PassLog) {
    let text = """
      irc.graph @"test" {stage = "quantized"} {
        %ids = input "ids" : i32[tokens]
        %t = generated {shape = [40, 24], values = random(1, 1.0)} : f32[40, 24]
        %down = generated {shape = [3, 24], values = random(2, 0.3)} : f32[3, 24]
        %up1 = generated {shape = [24, 3], values = random(3, 0.3)} : f32[24, 3]
        %up2 = generated {shape = [24, 3], values = random(4, 0.3)} : f32[24, 3]
        %bias = generated {shape = [24], values = random(5, 1.0)} : f32[24]
        %v1 = generated {shape = [24, 24], values = random(6, 0.2)} : f32[24, 24]
        %v2 = generated {shape = [24, 24], values = random(7, 0.2)} : f32[24, 24]
        %x = embedding %ids, %t : f32[tokens, 24]
      \(quantizedWeight("1"))\(quantizedWeight("2"))\(body)
      }
      """
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
      before, after, probe: [0, 39, 5, 5, 7, 21], tolerance: LowerKernels.info.tolerance)
    #expect(difference.firstExceeding == nil, "\(difference.largest)")
    return (before, after, context.said)
  }

  private func quantizedWeight(_ name: String) -> String {
    """
      %ws\(name) = quant_params %v\(name) {\(Self.weight)} : f32[24, 3]
      %wq\(name) = quantize %v\(name), %ws\(name) {\(Self.weight)} : i8[24, 24]
      %w\(name) = dequantize %wq\(name), %ws\(name) {\(Self.weight)} : f32[24, 24]

    """
  }

  /// x rounded to codes and back, for one product.
  private func activation(_ name: String, _ format: String) -> String {
    let zero = format.contains("symmetric = false") ? ", %az\(name)" : ""
    let parameters = "%as\(name)\(zero)"
    if format == Self.fixed {
      return """
          %as\(name) = generated {shape = [1, 1], values = inline(0.03)} : f32[1, 1]
          %aq\(name) = quantize %x, %as\(name) {\(format)} : i8[tokens, 24]
          %a\(name) = dequantize %aq\(name), %as\(name) {\(format)} : f32[tokens, 24]

        """
    }
    return """
        \(parameters) = quant_params %x {\(format)} : f32[tokens, 1]\(zero.isEmpty ? "" : ", i8[tokens, 1]")
        %aq\(name) = quantize %x, \(parameters) {\(format)} : i8[tokens, 24]
        %a\(name) = dequantize %aq\(name), \(parameters) {\(format)} : f32[tokens, 24]

      """
  }

  private func layer(_ name: String, input: String, bias: String = "") -> String {
    let order = name == "1" ? "%main1, %branch1" : "%branch2, %main2"
    return """
        %main\(name) = linear \(input), %w\(name)\(bias) : f32[tokens, 24]
        %branch\(name) = linear %h, %up\(name) : f32[tokens, 24]
        %y\(name) = add \(order) : f32[tokens, 24]

      """
  }

  private let first = "  %h = linear %x, %down : f32[tokens, 3]\n"
  private let sum = "  %sum = add %y1, %y2 : f32[tokens, 24]\n  output \"logits\" = %sum"

  @Test(
    "layers of one value share a quantizer that makes the first products, and each adds its own second one",
    arguments: [row, asymmetric, fixed])
  func integers(format: String) throws {
    let (_, after, said) = try lowered(
      first + activation("1", format) + activation("2", format)
        + layer("1", input: "%a1", bias: ", %bias") + layer("2", input: "%a2") + sum)
    let quantizers = after.operations(of: BranchingQuantize.self)
    #expect(quantizers.count == 1)
    #expect(quantizers[0].op.isDynamic == (format != Self.fixed))
    let products = after.operations(of: BranchedIntegerLinear.self)
    #expect(products.map(\.op.product.bias) == [true, false])
    let hidden = try #require(quantizers[0].operation.results.last)
    for product in products {
      #expect(product.operation.operands.suffix(2).first == hidden)
      #expect(product.operation.operands[0] == quantizers[0].operation.results[0])
    }
    let constants = after.constants()
    let left = after.operations.filter { !$0.results.allSatisfy(constants.contains) }
    #expect(
      left.map(\.op.operatorName) == [
        "input", "embedding", "branching_quantize", "branched_integer_linear",
        "branched_integer_linear", "add",
      ])
    #expect(said.counters["branches"] == 2 && said.counters["branching-quantizers"] == 1)
    #expect(said.counters["real"] == 1)
  }

  @Test("with real activations the second product joins")
  func realActivations() throws {
    let (_, after, said) = try lowered(
      first + layer("1", input: "%x", bias: ", %bias") + layer("2", input: "%x") + sum)
    #expect(
      after.operations(of: BranchedDequantizingLinear.self).map(\.op.product.bias) == [true, false])
    #expect(after.operations(of: Linear.self).count == 1)
    #expect(said.counters["branches"] == 2 && said.counters["branching-quantizers"] == 0)
  }

  @Test("the same bits as without")
  func sameBits() throws {
    for format in [Self.row, Self.asymmetric] {
      let body =
        first + activation("1", format) + activation("2", format)
        + layer("1", input: "%a1", bias: ", %bias") + layer("2", input: "%a2") + sum
      // A product that is an output as well keeps to itself, and so does its branch.
      let (_, joined, _) = try lowered(body)
      let (_, apart, _) = try lowered(
        body + "\n  output \"m1\" = %main1\n  output \"m2\" = %main2\n  output \"h\" = %h")
      #expect(apart.operations(of: BranchedIntegerLinear.self).isEmpty)
      #expect(apart.operations(of: BranchingQuantize.self).isEmpty)
      let ids = Tensor([5], [3, 39, 0, 17, 3] as [Int32])
      let results = try [joined, apart].map {
        try #require(Interpreter($0).run(inputs: ["ids": ids])["logits"]).array(of: Float.self)
      }
      #expect(results[0].map(\.bitPattern) == results[1].map(\.bitPattern))
    }
  }

  @Test(
    "what others read stays apart: a first product with another reader, a wide one, a sum of two products"
  )
  func leavesOthers() throws {
    // The first product goes on for its other reader; the second ones still join.
    let (_, shared, _) = try lowered(
      first + activation("1", Self.row) + activation("2", Self.row) + layer("1", input: "%a1")
        + layer("2", input: "%a2") + sum + "\n  output \"h\" = %h")
    #expect(shared.operations(of: BranchedIntegerLinear.self).count == 2)
    #expect(shared.operations(of: BranchingQuantize.self).isEmpty)

    let (_, wide, said) = try lowered(
      activation("1", Self.row)
        + """
          %main = linear %a1, %w1 : f32[tokens, 24]
          %other = linear %x, %v2 : f32[tokens, 24]
          %y = add %main, %other : f32[tokens, 24]
          output "logits" = %y
        """)
    #expect(wide.operations(of: BranchedIntegerLinear.self).isEmpty)
    #expect(said.counters["branches"] == 0 && said.counters["real"] == 2)
  }
}
