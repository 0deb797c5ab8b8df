import IRCGraph
import IRCOps
import IRCSupport
import IRCTensor
import IRCTestSupport
import Testing

@Suite struct DerivedConstantTests {
  /// A graph over a checkpoint with one tensor `w`, f32 [4, 4].
  private func graph() -> Graph {
    var tensors = NamedTensors()
    tensors.add(random: "w", [4, 4])
    var graph = Graph(name: "derived")
    graph.parameters = tensors
    return graph
  }

  private func value(_ id: ValueID, _ graph: Graph, _ precision: Precision) throws -> Tensor {
    let context = EvaluationContext(precision: precision, parameters: graph.parameters)
    return try graph.producer(of: id).op.evaluate([], in: context)[0]
  }

  @Test(
    "Codes stay whole numbers, scales in half precision are widened, and large tensors lie in files"
  )
  func attachCodes() throws {
    var graph = graph()
    let numbers = (0..<2 << 20).map { Int8(truncatingIfNeeded: $0 &* 7) }
    let codes = try graph.attach(Tensor([2, 1 << 20], numbers), named: "w.codes")
    let scales = try graph.attach(
      unsafe [UInt16(0x3C00), 0x3800].withUnsafeBytes {
        unsafe Tensor(copying: $0, shape: [2, 1], .f16)
      }, named: "w.scales")
    #expect(graph.type(of: codes) == TensorType(.i8, [2, 1048576]))
    #expect(graph.type(of: scales) == f32(2, 1))
    let stored = try value(codes, graph, .single)
    #expect(stored.isMapped && stored.array(of: Int8.self) == numbers)
    #expect(try value(codes, graph, .double).elementType == .i8)
    #expect(try value(scales, graph, .single).array(of: Float.self) == [1, 0.5])
    let text = graph.text
    #expect(try GraphParser.parse(text, file: "g", registry: .standard).text == text)
  }

  @Test("Attached tensors are found beside those of the checkpoint, in the type of the run")
  func attach() throws {
    var graph = graph()
    let w = try graph.add(Parameter(name: "w", shape: [4, 4], stored: .f32))[0]
    let anchor = graph.producer(of: w).id
    let factors = try graph.attach(
      Tensor([2], [0.1, 0.2] as [Double]), named: "pass.factors", before: anchor,
      at: .pass("pass", from: .unknown))
    let order = try graph.attach(Tensor([3], [2, 0, 1] as [Int32]), named: "pass.order")
    #expect(graph.operations.map(\.result) == [factors, w, order])
    #expect(graph.type(of: factors) == f32(2))
    #expect(graph.type(of: order) == TensorType(.i32, [3]))
    #expect(try value(factors, graph, .double).array(of: Double.self) == [0.1, 0.2])
    #expect(try value(factors, graph, .single).array(of: Float.self) == [0.1, 0.2])
    #expect(try value(order, graph, .single).array(of: Int32.self) == [2, 0, 1])
    #expect(try value(w, graph, .single).shape == [4, 4])
    #expect(graph.verify() == [])
  }

  @Test("A name means one content")
  func duplicates() throws {
    var graph = graph()
    let tensor = Tensor([1], [1] as [Double])
    _ = try graph.attach(tensor, named: "a")
    _ = try graph.attach(Tensor([1], [1] as [Double]), named: "a")
    // The same text in two spellings: two names, since bytes count.
    _ = try graph.attach(tensor, named: "\u{E9}")
    _ = try graph.attach(Tensor([1], [2] as [Double]), named: "e\u{301}")
    for (other, name) in [
      (Tensor([1], [2] as [Double]), "a"), (Tensor([1], [1] as [Float]), "a"),
      (Tensor([1, 1], [1] as [Double]), "a"), (tensor, "w"),
    ] {
      let error = #expect(throws: Diagnostic.self) { try graph.attach(other, named: name) }
      #expect(error?.id == "parameters.duplicate")
      #expect(error?.message.contains("'\(name)'") == true)
    }
    for bad in [Tensor([2], [1, Double.nan]), Tensor([2], [1, Float.infinity])] {
      let error = #expect(throws: Diagnostic.self) { try graph.attach(bad, named: "bad") }
      #expect(error?.id == "parameters.non-finite")
      #expect(error?.message.contains("element 1 of the derived tensor 'bad'") == true)
    }
    #expect(throws: OperatorError.self) {
      try graph.attach(Tensor([1], [1] as [UInt8]), named: "codes")
    }
    #expect(graph.operations.count == 4)
  }

  @Test("A transform and what undoes it fall out, however many lie inside each other")
  func inverses() throws {
    var graph = graph()
    let x = try graph.add(Input(name: "x", type: TensorType(.f32, [.named("tokens"), 4])))[0]
    let w = try graph.add(Parameter(name: "w", shape: [4, 4], stored: .f32))[0]
    let again = try graph.add(Parameter(name: "w", shape: [4, 4], stored: .f32))[0]
    let factors = try graph.attach(Tensor([4], [1, 2, 3, 4] as [Double]), named: "f")
    let matrices = try graph.add(Reshape(shape: [1, 4, 4]), [w])[0]
    let rotation = ChannelMatmul(axis: 1, isOrthogonal: true)
    let back = ChannelMatmul(axis: 1, isTransposed: true, isOrthogonal: true)
    let hadamard = HadamardTransform(axis: 1, block: 4, seed: 3)
    var value = x
    for (op, operands) in [
      (ChannelScale(axis: 1), [factors]), (rotation, [matrices]), (hadamard, []),
      (hadamard.inverse, []), (back, [matrices]),
      (ChannelScale(axis: 1, isInverse: true), [factors]),
    ] as [(any Operator, [ValueID])] {
      value = try graph.add(op, [value] + operands)[0]
    }
    let y = try graph.add(Linear(), [value, again])[0]
    graph.addOutput("y", y)
    #expect(graph.foldInverseTransforms() == 3)
    #expect(graph.producer(of: y).operands == [x, again])
    #expect(graph.operations.map(\.op.operatorName) == ["input", "param", "linear"])
    #expect(graph.foldInverseTransforms() == 0)
  }

  @Test("Equal constants that are two operations count as one")
  func equalConstants() throws {
    var graph = graph()
    let x = try graph.add(Input(name: "x", type: f32(2, 4)))[0]
    let factors = try (0..<2).map { _ in
      try graph.attach(Tensor([4], [1, 2, 3, 4] as [Double]), named: "f")
    }
    let scaled = try graph.add(ChannelScale(axis: 1), [x, factors[0]])[0]
    graph.addOutput(
      "y", try graph.add(ChannelScale(axis: 1, isInverse: true), [scaled, factors[1]])[0])
    #expect(graph.foldInverseTransforms() == 1)
    #expect(graph.outputs[0].value == x)
  }

  @Test("What is not undone stays")
  func others() throws {
    let hadamard = HadamardTransform(axis: 1, block: 4, seed: 3)
    let general = ChannelMatmul(axis: 1, isOrthogonal: false)
    let cases: [(any Operator, any Operator, isSame: Bool)] = [
      (ChannelScale(axis: 1), ChannelScale(axis: 1), true),
      (ChannelScale(axis: 1), ChannelScale(axis: 0, isInverse: true), true),
      (ChannelScale(axis: 1), ChannelScale(axis: 1, isInverse: true), false),
      (hadamard, hadamard, true),
      (hadamard, HadamardTransform(axis: 1, block: 4, seed: 2, isTransposed: true), true),
      (hadamard, HadamardTransform(axis: 0, block: 4, seed: 3, isTransposed: true), true),
      (hadamard, HadamardTransform(axis: 1, block: 2, seed: 3, isTransposed: true), true),
      (general, ChannelMatmul(axis: 1, isTransposed: true), true),
      (general, ChannelMatmul(axis: 1, isTransposed: true, isOrthogonal: true), true),
    ]
    for (first, second, isSame) in cases {
      var graph = graph()
      let x = try graph.add(Input(name: "x", type: f32(4, 4)))[0]
      let constants = try ["a", "b"].map { name in
        first is HadamardTransform
          ? []
          : [
            try graph.attach(
              Tensor(
                first is ChannelScale ? [4] : [1, 4, 4],
                random([first is ChannelScale ? 4 : 16], seed: name == "a" ? 1 : 2).values),
              named: name)
          ]
      }
      let middle = try graph.add(first, [x] + constants[0])[0]
      let last = try graph.add(second, [middle] + constants[isSame ? 0 : 1])[0]
      graph.addOutput("y", last)
      #expect(graph.foldInverseTransforms() == 0, "\(first) \(second)")
      #expect(graph.outputs[0].value == last)
    }
  }
}
