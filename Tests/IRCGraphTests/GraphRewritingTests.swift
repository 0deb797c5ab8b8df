import IRCGraph
import IRCOps
import IRCTensor
import Testing

@Suite("Rewriting graphs")
struct GraphRewritingTests {
  private let four = TensorType(.f32, [4])

  @Test("Uses move to another value, in operands, outputs and next states, but for the kept ones")
  func replaceUses() throws {
    var graph = try SampleGraphs.parse(
      """
      irc.graph @"uses" {stage = "float"} {
        %x = input "x" : f32[4]
        %s = state "s" : f32[4]
        %a = silu %x : f32[4]
        %b = add %a, %a : f32[4]
        next "s" = %a
        output "y" = %a
        output "z" = %b
      }
      """)
    let x = graph.operations[0].result
    let a = graph.operations[2].result
    let scaled = try graph.add(Negate(), [a], before: graph.operations[3].id)[0]
    graph.replaceUses(of: a, with: scaled, except: [graph.producer(of: scaled).id])
    #expect(
      graph.text == """
        irc.graph @"uses" {stage = "float"} {
          %0 = input "x" : f32[4]
          %1 = state "s" : f32[4]
          %2 = silu %0 : f32[4]
          %3 = neg %2 : f32[4]
          %4 = add %3, %3 : f32[4]
          next "s" = %3
          output "y" = %3
          output "z" = %4
        }

        """)
    #expect(graph.verify() == [])
    #expect(graph.uses()[scaled]?.map(\.operand) == [0, 1])
    #expect(graph.uses()[x]?.count == 1)
  }

  @Test("A state that nothing reads any more goes when it is asked for, not before")
  func remove() throws {
    var graph = try SampleGraphs.parse(
      """
      irc.graph @"states" {stage = "float"} {
        %x = input "x" : f32[4]
        %s = state "s" : f32[4]
        %a = silu %s : f32[4]
        %b = neg %x : f32[4]
        next "s" = %a
        output "y" = %b
      }
      """)
    let old = graph.operations[1]
    let new = try graph.add(State(name: "s", type: four), before: old.id)[0]
    graph.setNextState("s", new)
    graph.removeDeadOperations()
    #expect(graph.verify().map(\.message).contains { $0.contains("'s' is declared twice") })
    graph.remove(old.id)
    #expect(graph.verify() == [])
    #expect(graph.operations.map(\.op.operatorName) == ["input", "state", "neg"])
    #expect(graph.nextStates.map(\.value) == [new])
  }

  @Test("Readers are counted through every kind of change")
  func readerCounts() throws {
    var graph = try SampleGraphs.parse(
      """
      irc.graph @"counts" {stage = "float"} {
        %x = input "x" : f32[4]
        %a = silu %x : f32[4]
        %b = silu %x : f32[4]
        %c = add %a, %b : f32[4]
        %d = add %c, %c : f32[4]
        %e = neg %d : f32[4]
        output "y" = %d
      }
      """)
    let values = graph.operations.map(\.result)
    func check(_ expected: [Int], _ line: Int = #line) {
      let uses = graph.uses()
      #expect(values.map { uses[$0]?.count ?? 0 } == expected, "line \(line)")
      #expect(values.map(graph.readerCount(of:)) == expected, "line \(line)")
    }
    check([2, 1, 1, 2, 1, 0])
    graph.setOperand(1, of: graph.producer(of: values[4]).id, to: values[0])
    check([3, 1, 1, 1, 1, 0])
    graph.removeDeadOperations()
    check([3, 1, 1, 1, 0, 0])
    graph.mergeEqualOperations()
    check([2, 2, 0, 1, 0, 0])
    try graph.replace(graph.producer(of: values[3]).id, with: Negate(), [values[1]])
    check([2, 1, 0, 1, 0, 0])
    graph.replaceUses(of: values[1], with: values[0])
    check([3, 0, 0, 1, 0, 0])
    let part = graph.part(computing: [values[3]])
    #expect(part.readerCount(of: values[0]) == 1 && part.readerCount(of: values[3]) == 0)
  }

  @Test("Dead operations go, with all that fed only them; inputs and states stay")
  func removeDead() throws {
    var graph = try SampleGraphs.parse(
      """
      irc.graph @"dead" {stage = "float"} {
        %x = input "x" : f32[4]
        %unread = input "unread" : f32[4]
        %s = state "s" : f32[4]
        %a = silu %x : f32[4]
        %b = neg %unread : f32[4]
        %c = exp %b : f32[4]
        next "s" = %a
      }
      """)
    #expect(graph.removeDeadOperations() == 2)
    #expect(
      graph.text == """
        irc.graph @"dead" {stage = "float"} {
          %0 = input "x" : f32[4]
          %1 = input "unread" : f32[4]
          %2 = state "s" : f32[4]
          %3 = silu %0 : f32[4]
          next "s" = %3
        }

        """)
    #expect(graph.removeDeadOperations() == 0)
  }

  @Test("Equal computations become one, through chains, and different ones stay")
  func mergeEqual() throws {
    var graph = try SampleGraphs.parse(
      """
      irc.graph @"merge" {stage = "float"} {
        %x = input "x" : f32[4]
        %a1 = silu %x : f32[4]
        %a2 = silu %x : f32[4]
        %b1 = neg %a1 : f32[4]
        %b2 = neg %a2 : f32[4]
        %c = exp %a2 : f32[4]
        %p1 = generated {shape = [4], values = splat(1.0)} : f32[4]
        %p2 = generated {shape = [4], values = splat(2.0)} : f32[4]
        %d = add %b1, %p1 : f32[4]
        %e = add %b2, %p2 : f32[4]
        output "c" = %c
        output "d" = %d
        output "e" = %e
      }
      """)
    #expect(graph.mergeEqualOperations() == 2)
    #expect(
      graph.text == """
        irc.graph @"merge" {stage = "float"} {
          %0 = input "x" : f32[4]
          %1 = silu %0 : f32[4]
          %2 = neg %1 : f32[4]
          %3 = exp %1 : f32[4]
          %4 = generated {shape = [4], values = splat(1.0)} : f32[4]
          %5 = generated {shape = [4], values = splat(2.0)} : f32[4]
          %6 = add %2, %4 : f32[4]
          %7 = add %2, %5 : f32[4]
          output "c" = %3
          output "d" = %6
          output "e" = %7
        }

        """)
    #expect(graph.verify() == [])
    #expect(graph.mergeEqualOperations() == 0)
  }

  @Test("An operator is replaced by one that makes the same types, and by no other")
  func replace() throws {
    var graph = Graph(name: "replace")
    let x = try graph.add(Input(name: "x", type: four))[0]
    let y = try graph.add(SiLU(), [x])[0]
    let id = graph.producer(of: y).id
    try graph.replace(id, with: Add(), [x, x])
    #expect(graph[id].op.operatorName == "add" && graph[id].operands == [x, x])
    #expect(throws: OperatorError.self) {
      try graph.replace(id, with: Concatenate(axis: 0), [x, x])
    }
    #expect(throws: OperatorError.self) { try graph.replace(id, with: Add(), [x]) }
    #expect(graph[id].op.operatorName == "add")
  }

  @Test("A copy is a snapshot")
  func snapshot() throws {
    var graph = try SampleGraphs.parse(SampleGraphs.small)
    let before = graph
    let value = graph.outputs[0].value
    graph.replaceUses(of: value, with: try graph.add(SiLU(), [value])[0])
    #expect(before.text == SampleGraphs.small)
    #expect(graph != before)
  }

  @Test("Values know their makers, kinds, results and whether they are constant")
  func queries() throws {
    let graph = try SampleGraphs.parse(SampleGraphs.float)
    let (positions, _) = try #require(graph.operations(of: Positions.self).first)
    #expect(graph.resultIndex(of: positions.results[1]) == 1)
    #expect(graph.producer(of: positions.results[1]).id == positions.id)
    #expect(graph.definition(of: positions.result, as: Positions.self) != nil)
    #expect(graph.definition(of: positions.result, as: SiLU.self) == nil)
    let constants = graph.constants()
    let names = graph.operations.filter { constants.contains($0.result) }.map(\.op.operatorName)
    #expect(
      names == [
        "param", "generated", "generated", "generated", "generated", "param", "reshape",
        "generated", "transpose", "param", "generated",
      ])
  }

  @Test("A graph that is numbered anew prints alike, and as its text reads")
  func numbersAnew() throws {
    var graph = Graph(name: "g")
    let x = try graph.add(Input(name: "x", type: TensorType(.f32, [.named("n"), 4])))[0]
    try graph.add(Negate(), [x])
    let last = try graph.add(SiLU(), [x])[0]
    graph.addOutput("y", last)
    let negated = try graph.add(Negate(), [x], before: graph.producer(of: last).id)[0]
    graph.setOperand(0, of: graph.producer(of: last).id, to: negated)
    graph.removeDeadOperations()
    #expect(negated > last)
    let text = graph.text
    graph.renumber()
    #expect(graph.text == text && graph.verify().isEmpty)
    let results = graph.operations.flatMap(\.results)
    #expect(results == results.sorted() && results.count == 3)
    #expect(graph.readerCount(of: results[0]) == 1 && graph.readerCount(of: results[2]) == 0)
    #expect(graph.producer(of: results[1]).op is Negate)
    let read = try GraphParser.parse(text, file: "g", registry: .standard)
    #expect(read.operations.map(\.results) == graph.operations.map(\.results))
    #expect(read.operations.map(\.operands) == graph.operations.map(\.operands))
  }
}
