import IRCPassKit
import IRCTestSupport
import Testing

/// Sites that meet: at constants that several operations read, and at values that several sites move parts of.
@Suite("Sites that meet")
struct SiteRewritingTests {
  private let context = PassContext(
    instance: "test", model: ModelDescription(name: "m", vocabularySize: 32, contextLength: nil),
    target: .portable, services: .none)

  /// Two layers with the same weights.
  private static let shared = """
    irc.graph @"shared" {stage = "float"} {
      %0 = input "ids" : i32[tokens]
      %1 = generated {shape = [32, 8], values = random(1, 0.5)} : f32[32, 8]
      %2 = embedding %0, %1 : f32[tokens, 8]
      %3 = rms_norm %2 {epsilon = 1e-05} : f32[tokens, 8]
      %4 = generated {shape = [16, 8], values = random(2, 0.5)} : f32[16, 8]
      %5 = generated {shape = [8, 16], values = random(3, 0.5)} : f32[8, 16]
      %6 = linear %3, %4 : f32[tokens, 16]
      %7 = silu %6 : f32[tokens, 16]
      %8 = linear %7, %5 : f32[tokens, 8]
      %9 = add %2, %8 : f32[tokens, 8]
      %10 = rms_norm %9 {epsilon = 1e-05} : f32[tokens, 8]
      %11 = linear %10, %4 : f32[tokens, 16]
      %12 = silu %11 : f32[tokens, 16]
      %13 = linear %12, %5 : f32[tokens, 8]
      %14 = add %9, %13 : f32[tokens, 8]
      %15 = linear %14, %1 : f32[tokens, 32]
      output "logits" = %15
    }
    """

  /// Two readers of different channels of one value that nothing writes.
  private static let entries = """
    irc.graph @"entries" {stage = "float"} {
      %0 = input "ids" : i32[tokens]
      %1 = generated {shape = [32, 8], values = random(1, 0.5)} : f32[32, 8]
      %2 = embedding %0, %1 : f32[tokens, 8]
      %3 = silu %2 : f32[tokens, 8]
      %4 = slice %3 {axis = 1, lower = 0, upper = 4} : f32[tokens, 4]
      %5 = slice %3 {axis = 1, lower = 4, upper = 8} : f32[tokens, 4]
      %6 = generated {shape = [32, 4], values = random(2, 0.5)} : f32[32, 4]
      %7 = generated {shape = [32, 4], values = random(3, 0.5)} : f32[32, 4]
      %8 = linear %4, %6 : f32[tokens, 32]
      %9 = linear %5, %7 : f32[tokens, 32]
      %10 = add %8, %9 : f32[tokens, 32]
      output "logits" = %10
    }
    """

  /// An output that shows two values beside each other.
  private static let outputs = """
    irc.graph @"outputs" {stage = "float"} {
      %0 = input "ids" : i32[tokens]
      %1 = generated {shape = [32, 8], values = random(1, 0.5)} : f32[32, 8]
      %2 = embedding %0, %1 : f32[tokens, 8]
      %3 = generated {shape = [4, 8], values = random(2, 0.5)} : f32[4, 8]
      %4 = generated {shape = [4, 8], values = random(3, 0.5)} : f32[4, 8]
      %5 = linear %2, %3 : f32[tokens, 4]
      %6 = linear %2, %4 : f32[tokens, 4]
      %7 = concat %5, %6 {axis = 1} : f32[tokens, 8]
      %8 = generated {shape = [8, 4], values = random(4, 0.5)} : f32[8, 4]
      %9 = linear %5, %8 : f32[tokens, 8]
      %10 = linear %6, %8 : f32[tokens, 8]
      output "logits" = %7
      output "first" = %9
      output "second" = %10
    }
    """

  /// Keys, values and queries that nothing writes.
  private static let states = """
    irc.graph @"states" {stage = "float"} {
      %0 = input "ids" : i32[tokens]
      %1 = state "keys" : f32[past, 8]
      %2 = generated {shape = [32, 8], values = random(1, 0.5)} : f32[32, 8]
      %3 = embedding %0, %2 : f32[tokens, 8]
      %4 = silu %3 : f32[tokens, 8]
      %5 = append %1, %4 : f32[past+tokens, 8]
      %6 = attention %4, %5, %5 {heads = 2, kv_heads = 2, scale = 0.5, window = 0} : f32[tokens, 8]
      %7 = generated {shape = [32, 8], values = random(3, 0.5)} : f32[32, 8]
      %8 = linear %6, %7 : f32[tokens, 32]
      next "keys" = %5
      output "logits" = %8
    }
    """

  private func difference(_ before: Graph, _ after: Graph) throws -> Double {
    try FunctionCheck.compare(
      before, after, probe: [3, 1, 4, 1, 5, 9], tolerance: 1, precision: .double
    ).largest
  }

  @Test(
    "All sites of one analysis one after another leave the function alone",
    arguments: [shared, entries, outputs, states])
  func together(text: String) throws {
    let before = try SampleNetworks.graph(text)
    for family in [TransformFamily.mixing, .scaling, .permuting] {
      var after = before
      for site in before.sites(family) {
        let size = site.width / site.group.blockCount
        let transform: ChannelTransform =
          switch family {
          case .mixing: .hadamard(width: site.width, block: size, seed: 7)
          case .scaling: .diagonal((0..<site.width).map { 0.5 + Double($0) })
          default:
            .permutation((0..<site.width).map { $0 / size * size + size - 1 - $0 % size })
          }
        try after.apply(transform, at: site, allowsOnline: true, in: context)
        #expect(after.verify().isEmpty, "\(site.name)")
        #expect(try difference(before, after) < 1e-12, "\(site.name)")
      }
    }
  }

  @Test("The sites that meet are there, and each of them is moved")
  func meeting() throws {
    for text in [Self.entries, Self.outputs] {
      var graph = try SampleNetworks.graph(text)
      let sites = graph.sites(.mixing).filter { !$0.isOffline && $0.role != .residual }
      #expect(sites.count == 2, "\(sites.map(\.name))")
      var count = 0
      for (index, site) in sites.enumerated() {
        count += try graph.apply(
          .hadamard(width: site.width, block: site.width, seed: index), at: site,
          allowsOnline: true, in: context
        ).onlineCount
      }
      let constants = graph.constants()
      graph.removeDeadOperations()
      let online = graph.operations(of: HadamardTransform.self).filter {
        !constants.contains($0.operation.result)
      }
      #expect(online.count == count)
    }
  }

  @Test("A state whose next value is made outside of several sites follows all of them")
  func nextStates() throws {
    let before = try SampleNetworks.graph(
      """
      irc.graph @"state" {stage = "float"} {
        %0 = input "ids" : i32[tokens]
        %1 = state "s" : f32[2, 8]
        %2 = generated {shape = [2, 8], values = random(1, 1.0)} : f32[2, 8]
        %3 = add %1, %2 : f32[2, 8]
        %4 = silu %3 : f32[2, 8]
        %5 = slice %4 {axis = 1, lower = 0, upper = 4} : f32[2, 4]
        %6 = slice %4 {axis = 1, lower = 4, upper = 8} : f32[2, 4]
        %7 = generated {shape = [3, 4], values = random(2, 0.5)} : f32[3, 4]
        %8 = linear %5, %7 : f32[2, 3]
        %9 = linear %6, %7 : f32[2, 3]
        %10 = generated {shape = [3, 8], values = random(3, 0.5)} : f32[3, 8]
        %11 = linear %1, %10 : f32[2, 3]
        %12 = generated {shape = [32, 8], values = random(4, 0.5)} : f32[32, 8]
        %13 = embedding %0, %12 : f32[tokens, 8]
        next "s" = %4
        output "logits" = %13
        output "a" = %8
        output "b" = %9
        output "c" = %11
      }
      """)
    func outputs(_ graph: Graph) throws -> [Float] {
      let interpreter = try Interpreter(graph)
      var states = interpreter.initialStates()
      return try (0..<3).flatMap { _ in
        let found = try interpreter.run(
          inputs: ["ids": Tensor([1], [Int32(3)])], states: &states)
        return try ["a", "b", "c"].flatMap { try #require(found[$0]).array(of: Float.self) }
      }
    }
    // The two rows of the state could be mixed as well.
    let sites = before.sites(.mixing).filter { site in
      site.width == 4
        && site.frontier.contains { edge in
          if case .entry(_, _, let states) = edge { states == ["s"] } else { false }
        }
    }
    #expect(sites.count == 2)
    var after = before
    for site in sites {
      try after.apply(
        .hadamard(width: 4, block: 4, seed: 5), at: site, allowsOnline: true, in: context)
    }
    #expect(after.verify().isEmpty)
    #expect(after.nextStates[0].value != before.nextStates[0].value)
    let (expected, found) = try (outputs(before), outputs(after))
    #expect(expected.contains { $0 != 0 })
    #expect(zip(expected, found).allSatisfy { abs($0 - $1) < 1e-5 })
  }

  @Test("Weights that layers share stay shared where both take up the same")
  func sharing() throws {
    var graph = try SampleNetworks.graph(Self.shared)
    let stream = try #require(graph.sites(.mixing).first { $0.role == .residual })
    let change = try graph.apply(.hadamard(width: 8, block: 8, seed: 1), at: stream, in: context)
    #expect(change.untied.isEmpty)
    let weights = graph.operations(of: Linear.self).map { $0.operation.operands[1] }
    #expect(weights.count == 5 && Set(weights).count == 3)
  }

  @Test("Of a constant, only what reads it at run time counts as another reader")
  func copies() throws {
    var graph = try SampleNetworks.graph(SampleNetworks.transformer)
    let head = try #require(graph.operations(of: Linear.self).last).operation
    let table = head.operands[1]
    let gain = try graph.add(
      Generated(shape: [8], values: .random(seed: 3, scale: 1)), before: head.id)[0]
    let scaled = try graph.add(Multiply(), [table, gain], before: head.id)[0]
    graph.setOperand(1, of: head.id, to: scaled)
    let stream = try #require(graph.sites(.mixing).first { $0.role == .residual })
    let change = try graph.apply(.hadamard(width: 8, block: 8, seed: 1), at: stream, in: context)
    #expect(change.untied.isEmpty, "\(change.untied)")
  }
}
