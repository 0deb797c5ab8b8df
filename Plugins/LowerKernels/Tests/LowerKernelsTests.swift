import IRCExecution
import IRCGraph
import IRCOps
import IRCPassKit
import IRCSupport
import LowerKernels
import Testing

@Suite struct LowerKernelsTests {
  /// Runs the pass on textual IR.
  private func lowered(_ text: String) throws -> (before: Graph, after: Graph, context: PassContext)
  {
    let before = try GraphParser.parse(text, file: "test.irc", registry: .standard)
    #expect(before.verify() == [])
    let context = PassContext(
      instance: "lower-kernels",
      model: ModelDescription(name: "test", vocabularySize: 40, contextLength: nil),
      target: .portable, services: .none)
    var after = before
    try LowerKernels().run(on: &after, in: context)
    #expect(after.verify() == [])
    #expect(after.stage == .kernels)
    return (before, after, context)
  }

  /// A model of two products of one input, in the given formats.
  private func model(
    table: String = weights, weight: String = weights, activation: String?, bias: Bool = false
  ) -> String {
    let zero = weight.contains("symmetric = false") ? ", %wz" : ""
    let codes = "%wq, %ws\(zero)"
    /// One product, with a quantizer of its own for its input.
    func product(_ name: String) -> String {
      var lines = ""
      var input = "%x"
      if let activation {
        let isSymmetric = !activation.contains("symmetric = false")
        let isRow = activation.contains("granularity = row")
        let rows = isRow ? "tokens" : "1"
        let results = isSymmetric ? "%s\(name)" : "%s\(name), %z\(name)"
        let zeroType = isSymmetric ? "" : ", i8[\(rows), 1]"
        let source = isRow ? "%x" : "%range"
        lines += """
            \(results) = quant_params \(source) {\(activation)} : f32[\(rows), 1]\(zeroType)
            %q\(name) = quantize %x, \(results) {\(activation)} : i8[tokens, 40]
            %a\(name) = dequantize %q\(name), \(results) {\(activation)} : f32[tokens, 40]

          """
        input = "%a\(name)"
      }
      return lines
        + "  %y\(name) = linear \(input), %w\(bias ? ", %bias" : "") : f32[tokens, 40]\n"
    }
    let groups = weight.contains("group(") ? 2 : 1
    return """
      irc.graph @"test" {stage = "quantized"} {
        %ids = input "ids" : i32[tokens]
        %t = generated {shape = [40, 40], values = random(1, 1.0)} : f32[40, 40]
        %v = generated {shape = [40, 40], values = random(2, 0.2)} : f32[40, 40]
        %bias = generated {shape = [40], values = random(3, 1.0)} : f32[40]
        %range = generated {shape = [1, 2], values = inline(-3.0, 2.5)} : f32[1, 2]
        %ts = quant_params %t {\(table)} : f32[40, 1]
        %tq = quantize %t, %ts {\(table)} : i8[40, 40]
        %td = dequantize %tq, %ts {\(table)} : f32[40, 40]
        %x = embedding %ids, %td : f32[tokens, 40]
        %ws\(zero) = quant_params %v {\(weight)} : f32[40, \(groups)]\(zero.isEmpty ? "" : ", i8[40, \(groups)]")
        %wq = quantize %v, \(codes.dropFirst(5)) {\(weight)} : i8[40, 40]
        %w = dequantize \(codes) {\(weight)} : f32[40, 40]
      \(product("1"))\(product("2"))  %sum = add %y1, %y2 : f32[tokens, 40]
        output "logits" = %sum
      }
      """
  }

  private static let weights = "format = int8, granularity = row, symmetric = true, scales = f32"
  private var weights: String { Self.weights }

  /// A set of formats and the kernel that the products become.
  struct Case: CustomTestStringConvertible, Sendable {
    let testDescription: String
    var weight = LowerKernelsTests.weights
    var activation: String?
    var bias = false

    static let all = [
      Case(testDescription: "weights only"),
      Case(
        testDescription: "weights only, asymmetric groups",
        weight: "format = int4, granularity = group(32), symmetric = false, scales = f16",
        bias: true),
      Case(
        testDescription: "dynamic activations",
        activation: "format = int8, granularity = row, symmetric = true, scales = f32"),
      Case(
        testDescription: "dynamic asymmetric activations with bias",
        weight: "format = int4, granularity = group(32), symmetric = false, scales = f16",
        activation: "format = int8, granularity = row, symmetric = false, scales = f32", bias: true),
      Case(
        testDescription: "static activations",
        activation: "format = int8, granularity = tensor, symmetric = true, scales = f32"),
      Case(
        testDescription: "static asymmetric activations",
        activation: "format = int4, granularity = tensor, symmetric = false, scales = f32",
        bias: true),
    ]
  }

  @Test(
    "replaces products by kernels that compute the same, once for equal ones", arguments: Case.all)
  func lowersProducts(_ example: Case) throws {
    let text = model(weight: example.weight, activation: example.activation, bias: example.bias)
    let (before, after, context) = try lowered(text)
    let integer = after.operations(of: IntegerLinear.self)
    let dequantizing = after.operations(of: DequantizingLinear.self)
    // The two products are the same one, and so are the two quantizers of its input.
    #expect(integer.count == (example.activation == nil ? 0 : 1))
    #expect(dequantizing.count == (example.activation == nil ? 1 : 0))
    #expect((integer.first?.op.bias ?? dequantizing.first?.op.bias) == example.bias)
    #expect(
      after.operations(of: Linear.self).isEmpty && after.operations(of: Embedding.self).isEmpty)
    #expect(after.operations(of: DequantizingEmbedding.self).count == 1)
    #expect(after.operations(of: Dequantize.self).isEmpty)
    #expect(context.said.remarks.isEmpty)
    #expect(context.said.counters["dequantizing-embeddings"] == 1)

    try expectSameFunction(before, after)
  }

  private func expectSameFunction(_ before: Graph, _ after: Graph) throws {
    let difference = try FunctionCheck.compare(
      before, after, probe: [0, 39, 5, 5, 7, 21], tolerance: LowerKernels.info.tolerance)
    #expect(difference.firstExceeding == nil, "\(difference.largest)")
  }

  @Test("tables of levels are multiplied as integers")
  func levels() throws {
    let table = "format = fp4, granularity = group(32), symmetric = true, scales = e8m0"
    let activation = "format = int8, granularity = row, symmetric = true, scales = f32"
    let (before, after, context) = try lowered(model(weight: table, activation: activation))
    #expect(after.operations(of: IntegerLinear.self).count == 1)
    #expect(context.said.remarks.isEmpty)
    try expectSameFunction(before, after)
  }

  @Test("codes of other tables are looked up, and are no integers to multiply")
  func tables() throws {
    let table = "format = nf4, granularity = group(32), symmetric = true, scales = f16"
    let activation = "format = int8, granularity = row, symmetric = true, scales = f32"
    let (before, after, context) = try lowered(model(weight: table, activation: activation))
    #expect(after.operations(of: IntegerLinear.self).isEmpty)
    #expect(after.operations(of: DequantizingLinear.self).count == 1)
    #expect(context.said.remarks.map(\.kind.name) == ["kept-real-activations"])
    #expect(context.said.remarks.first?.message == "codes of nf4 stand for no integers")
    try expectSameFunction(before, after)
  }

  @Test("says whose codes stay in rows, once for each layer, and why")
  func codesInRows() throws {
    let weight = "format = int4, granularity = group(24), symmetric = true, scales = f16"
    let (_, after, context) = try lowered(model(weight: weight, activation: nil))
    #expect(after.operations(of: DequantizingLinear.self).count == 1)
    let remarks = context.said.remarks
    #expect(remarks.map(\.kind.name) == ["codes-in-rows"])
    #expect(
      remarks.first?.message
        == "the weight stays in rows: groups of 24 columns are no multiple of 16")
    #expect(remarks.first?.hint?.contains("multiple of 16") == true)
  }

  @Test("reads codes and scales where the quantizers leave them")
  func printsKernels() throws {
    let activation = "format = int8, granularity = row, symmetric = true, scales = f32"
    let (_, after, _) = try lowered(model(activation: activation))
    let w = "weights = quantized(int8, row, true, f32)"
    let x = "activations = quantized(int8, row, true, f32)"
    #expect(
      after.text
        == """
        irc.graph @"test" {stage = "kernels"} {
          %0 = input "ids" : i32[tokens]
          %1 = generated {shape = [40, 40], values = random(1, 1.0)} : f32[40, 40]
          %2 = generated {shape = [40, 40], values = random(2, 0.2)} : f32[40, 40]
          %3 = quant_params %1 {\(weights)} : f32[40, 1]
          %4 = quantize %1, %3 {\(weights)} : i8[40, 40]
          %5 = dequantizing_embedding %0, %4, %3 {\(w)} : f32[tokens, 40]
          %6 = quant_params %2 {\(weights)} : f32[40, 1]
          %7 = quantize %2, %6 {\(weights)} : i8[40, 40]
          %8 = quant_params %5 {\(activation)} : f32[tokens, 1]
          %9 = quantize %5, %8 {\(activation)} : i8[tokens, 40]
          %10 = integer_linear %9, %8, %7, %6 {\(w), \(x), bias = false} : f32[tokens, 40]
          %11 = add %10, %10 : f32[tokens, 40]
          output "logits" = %11
        }

        """.withLocations(of: after))
  }

  @Test("says what stays real, and why")
  func remarksOnReal() throws {
    let (before, after, context) = try lowered(
      """
      irc.graph @"test" {stage = "quantized"} {
        %ids = input "ids" : i32[tokens]
        %t = param "model.embed.weight" {shape = [40, 40], stored = f32} : f32[40, 40]
        %x = embedding %ids, %t : f32[tokens, 40]
        %s = quant_params %x {format = int8, granularity = tensor, symmetric = true, scales = f32} : f32[1, 1]
        %q = quantize %x, %s {format = int8, granularity = tensor, symmetric = true, scales = f32} : i8[tokens, 40]
        %a = dequantize %q, %s {format = int8, granularity = tensor, symmetric = true, scales = f32} : f32[tokens, 40]
        %y = linear %a, %t : f32[tokens, 40]
        %ws = quant_params %t {\(weights)} : f32[40, 1]
        %wq = quantize %t, %ws {\(weights)} : i8[40, 40]
        %w = dequantize %wq, %ws {\(weights)} : f32[40, 40]
        %z = linear %a, %w : f32[tokens, 40]
        %sum = add %y, %z : f32[tokens, 40]
        output "logits" = %sum
      }
      """)
    #expect(before.operations(of: Linear.self).count == 2)
    // One scale for all tokens that is found as the model runs has no kernel: the activations stay real, the weight does not.
    #expect(after.operations(of: Linear.self).count == 1)
    #expect(after.operations(of: DequantizingLinear.self).count == 1)
    #expect(after.operations(of: Dequantize.self).count == 1)
    let remarks = context.said.remarks
    #expect(
      remarks.map(\.kind.name) == ["kept-real", "kept-real-activations", "kept-real"])
    #expect(remarks[0].message == "'model.embed.weight' is not quantized")
    #expect(remarks[1].message.contains("found as the model runs"))
    #expect(context.said.counters["real"] == 2)
  }

  @Test("an input and a weight that were rotated are no obstacle")
  func rotatedProducts() throws {
    let (before, after, context) = try lowered(
      """
      irc.graph @"test" {stage = "quantized"} {
        %ids = input "ids" : i32[tokens]
        %t = generated {shape = [40, 40], values = random(1, 1.0)} : f32[40, 40]
        %v = generated {shape = [40, 40], values = random(2, 0.2)} : f32[40, 40]
        %x = embedding %ids, %t : f32[tokens, 40]
        %h = hadamard %x {axis = 1, block = 40, seed = 3, transposed = false} : f32[tokens, 40]
        %s = quant_params %h {\(weights)} : f32[tokens, 1]
        %q = quantize %h, %s {\(weights)} : i8[tokens, 40]
        %a = dequantize %q, %s {\(weights)} : f32[tokens, 40]
        %r = hadamard %v {axis = 1, block = 40, seed = 3, transposed = false} : f32[40, 40]
        %ws = quant_params %r {\(weights)} : f32[40, 1]
        %wq = quantize %r, %ws {\(weights)} : i8[40, 40]
        %w = dequantize %wq, %ws {\(weights)} : f32[40, 40]
        %y = linear %a, %w : f32[tokens, 40]
        output "logits" = %y
      }
      """)
    #expect(after.operations(of: IntegerLinear.self).count == 1)
    #expect(after.operations(of: HadamardTransform.self).count == 2)
    #expect(context.said.remarks.map(\.kind.name) == ["kept-real"])
    try expectSameFunction(before, after)
  }

  @Test("leaves a graph of real numbers as it is")
  func keepsFloat() throws {
    let (before, after, _) = try lowered(
      """
      irc.graph @"test" {stage = "float"} {
        %ids = input "ids" : i32[tokens]
        %t = generated {shape = [40, 8], values = random(1, 1.0)} : f32[40, 8]
        %x = embedding %ids, %t : f32[tokens, 8]
        %y = linear %x, %t : f32[tokens, 40]
        output "logits" = %y
      }
      """)
    var expected = before
    expected.stage = .kernels
    #expect(after == expected)
  }
}

extension String {
  /// The text with the locations that a parsed graph has, which the golden text leaves out.
  fileprivate func withLocations(of graph: Graph) -> String {
    var lines = split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    for (index, operation) in graph.operations.enumerated() where operation.location != .unknown {
      lines[index + 1] += "  loc(\(operation.location.text))"
    }
    return lines.joined(separator: "\n")
  }
}
