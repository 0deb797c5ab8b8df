import IRCGraph
import IRCOps
import IRCTensor
import Testing

/// An operator that is what its fields say, to break the rules with.
private struct Crooked: Operator, StagedOperator {
  static let name = "crooked"
  var earliestStage = Stage.float
  var result = TensorType(.f32, [4])

  init(_ earliestStage: Stage = .float, result: TensorType = TensorType(.f32, [4])) {
    self.earliestStage = earliestStage
    self.result = result
  }

  init(reading attributes: inout AttributeReader) {}

  func resultTypes(_ operands: [TensorType]) throws(OperatorError) -> [TensorType] { [result] }
  func invariance(_ operands: [TensorType]) -> InvarianceRule { .opaque }

  func evaluate(_ operands: [Tensor], in context: EvaluationContext) throws -> [Tensor] {
    throw OperatorError("has no meaning")
  }
}

@Suite("The verifier")
struct GraphVerificationTests {
  struct Rule: CustomTestStringConvertible, Sendable {
    let testDescription: String
    let message: String
    let make: @Sendable () throws -> Graph

    init(_ name: String, _ message: String, _ make: @escaping @Sendable () throws -> Graph) {
      testDescription = name
      self.message = message
      self.make = make
    }
  }

  private static let four = TensorType(.f32, [4])

  static let rules = [
    Rule("order", "operation 'silu' (checkpoint tensor 'w'): operand 0 is used before it is made") {
      var graph = Graph(name: "order")
      let x = try graph.add(Input(name: "x", type: four))[0]
      let first = try graph.add(SiLU(), [x], at: .checkpoint("w"))[0]
      let second = try graph.add(SiLU(), [x])[0]
      graph.setOperand(0, of: graph.producer(of: first).id, to: second)
      graph.addOutput("y", first)
      return graph
    },
    Rule("result types", "operation 'silu': has results [f32[4]], should have [f32[5]]") {
      var graph = Graph(name: "types")
      let x = try graph.add(Input(name: "x", type: four))[0]
      let longer = try graph.add(Input(name: "longer", type: TensorType(.f32, [5])))[0]
      let y = try graph.add(SiLU(), [x])[0]
      graph.setOperand(0, of: graph.producer(of: y).id, to: longer)
      return graph
    },
    Rule("operand types", "takes 2 operands") {
      var graph = Graph(name: "operands")
      let x = try graph.add(Input(name: "x", type: four))[0]
      let ids = try graph.add(Input(name: "ids", type: TensorType(.i32, [4])))[0]
      let y = try graph.add(Add(), [x, x])[0]
      graph.setOperand(0, of: graph.producer(of: y).id, to: ids)
      return graph
    },
    Rule("inputs once", "operation 'input': 'x' is declared twice") {
      var graph = Graph(name: "inputs")
      try graph.add(Input(name: "x", type: four))
      try graph.add(Input(name: "x", type: four))
      return graph
    },
    Rule("stage", "operation 'crooked': is not allowed in stage 'float'") {
      var graph = Graph(name: "stage")
      try graph.add(Crooked(.quantized))
      return graph
    },
    Rule("outputs", "output 'y' names a value that nothing makes") {
      var (graph, value) = try erased()
      graph.addOutput("y", value)
      return graph
    },
    Rule("next states", "next state 's' names a value that nothing makes") {
      var (graph, value) = try erased()
      try graph.add(State(name: "s", type: four))
      graph.setNextState("s", value)
      return graph
    },
    Rule("next of no state", "next state 's' has no state operation") {
      var graph = Graph(name: "next")
      graph.setNextState("s", try graph.add(Input(name: "s", type: four))[0])
      return graph
    },
    Rule(
      "state type", "operation 'state': state 's' of type f32[4] cannot become f32[5]"
    ) {
      var graph = Graph(name: "state type")
      try graph.add(State(name: "s", type: four))
      graph.setNextState("s", try graph.add(Input(name: "x", type: TensorType(.f32, [5])))[0])
      return graph
    },
    Rule("state without next", "operation 'state': state 's' has no next value") {
      var graph = Graph(name: "no next")
      try graph.add(State(name: "s", type: four))
      return graph
    },
  ]

  /// A graph and a value whose operation was removed from it.
  private static func erased() throws -> (Graph, ValueID) {
    var graph = Graph(name: "erased")
    let x = try graph.add(Input(name: "x", type: four))[0]
    let value = try graph.add(SiLU(), [x])[0]
    graph.removeDeadOperations()
    return (graph, value)
  }

  @Test("Each rule refuses a graph that breaks it", arguments: rules)
  func broken(_ rule: Rule) throws {
    let problems = try rule.make().verify()
    #expect(problems.allSatisfy { $0.id == "ir.invalid" })
    if rule.testDescription == "operand types" {
      // The operator's own words, which its tests pin.
      #expect(problems.count == 1 && problems[0].message.hasPrefix("operation 'add': "))
    } else {
      #expect(problems.map(\.message) == [rule.message])
    }
  }

  @Test(
    "A staged operator is allowed from its stage on",
    arguments: [(Stage.quantized, Stage.quantized), (.quantized, .kernels), (.float, .float)])
  func stages(_ earliest: Stage, _ stage: Stage) throws {
    var graph = Graph(name: "stages")
    graph.stage = stage
    try graph.add(Crooked(earliest))
    #expect(graph.verify() == [])
  }

  @Test(
    "A state may grow along its dynamic extents and in no other way",
    arguments: [
      ("f32[past, 4]", "f32[past, 4]", true), ("f32[past, 4]", "f32[past+tokens, 4]", true),
      ("f32[past, 4]", "f32[tokens, 4]", false), ("f32[past, 4]", "f32[past, 5]", false),
      ("f32[past, 4]", "i32[past, 4]", false), ("f32[past, 4]", "f32[past]", false),
      ("f32[4]", "f32[tokens+4]", false),
    ])
  func growth(_ before: String, _ after: String, _ isAllowed: Bool) throws {
    let graph = try SampleGraphs.parse(
      """
      irc.graph @"growth" {stage = "float"} {
        %0 = state "s" : \(before)
        %1 = input "x" : \(after)
        next "s" = %1
      }
      """)
    #expect(graph.verify().isEmpty == isAllowed)
  }
}
