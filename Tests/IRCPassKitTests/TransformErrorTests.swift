import IRCPassKit
import IRCTestSupport
import Testing

/// What is no transform, or none of a site, is refused with the reason, and never traps.
@Suite("Transforms that are none")
struct TransformErrorTests {
  private let context = PassContext(
    instance: "test", model: ModelDescription(name: "m", vocabularySize: 16, contextLength: nil),
    target: .portable, services: .none)

  private static let square = Tensor([1, 2, 2], [1.0, 0, 0, 1])

  static let wrong: [(ChannelTransform, String)] = [
    (.permutation([0, 0, 1, 2, 3, 4, 5, 6]), "does not hold each of them once"),
    (.permutation([8, 1, 2, 3, 4, 5, 6, 7]), "does not hold each of them once"),
    (.permutation([-1, 1, 2, 3, 4, 5, 6, 7]), "does not hold each of them once"),
    (.diagonal([1, 1, 0, 1, 1, 1, 1, 1]), "the factor of channel 2 is 0.0"),
    (.diagonal([1, .nan, 1, 1, 1, 1, 1, 1]), "the factor of channel 1 is nan"),
    (.diagonal([1, 1, 1, 1, 1, 1, 1, -.infinity]), "the factor of channel 7 is -inf"),
    (.hadamard(width: 8, block: 0, seed: 1), "blocks of 0 channels"),
    (.hadamard(width: 8, block: -2, seed: 1), "blocks of -2 channels"),
    (.hadamard(width: 8, block: 3, seed: 1), "8 is no multiple"),
    (.hadamard(width: 14, block: 7, seed: 1), "no Hadamard matrix of order 7"),
    (.rotation(Tensor([3, 3], [Double](repeating: 1, count: 9)), width: 8), "shape [3, 3]"),
    (.rotation(Tensor([1, 2, 2], [Float](repeating: 1, count: 4)), width: 8), "of f64"),
    (.rotation(square, width: 7), "of 7 channels"),
    (.general(square, inverse: Tensor([4], [1.0, 0, 0, 1]), width: 8), "shape [1, 2, 2]"),
    (
      .pairs(real: Tensor([1, 2], [1.0, 0]), imaginary: Tensor([1, 2], [1.0, 0]), width: 4),
      "a factor of a pair is zero"
    ),
    (.pairs(real: Tensor([2], [1.0, 1]), imaginary: Tensor([1], [1.0]), width: 4), "two tensors"),
    (
      .hadamard(width: 8, block: 8, seed: 1).then(.hadamard(width: 4, block: 4, seed: 1)),
      "a transform of 4 channels cannot follow one of 8"
    ),
  ]

  @Test(arguments: wrong.indices)
  func refused(index: Int) throws {
    let (transform, reason) = Self.wrong[index]
    #expect(transform.problem?.contains(reason) == true, "\(transform.problem ?? "nothing")")
    #expect(transform.inverse.problem == transform.problem)
    #expect(transform.then(.identity(width: transform.width)).problem == transform.problem)
    #expect(!transform.isIdentity && !transform.isElement(of: .general))
    var graph = try SampleNetworks.graph(SampleNetworks.transformer)
    let before = graph
    let site = try #require(graph.sites(.mixing).first)
    let error = #expect(throws: SiteError.self) {
      try graph.apply(transform, at: site, in: context)
    }
    #expect(error?.description.contains(reason) == true)
    #expect(graph == before)
    #expect(throws: SiteError.self) {
      try transform.applied(to: Tensor(zeros: [1, transform.width], .f64))
    }
  }

  @Test func data() throws {
    let transform = ChannelTransform.hadamard(width: 8, block: 4, seed: nil)
    #expect(throws: SiteError.self) {
      try transform.applied(to: Tensor(zeros: [2, 7], .f64))
    }
    #expect(throws: SiteError.self) {
      try transform.applied(to: Tensor(zeros: [2, 8], .f32))
    }
    #expect(throws: SiteError.self) {
      try transform.transformed(secondMoment: Tensor(zeros: [4, 4], .f64))
    }
    let order = ChannelTransform.permutation([1, 0, 2, 3, 4, 5, 6, 7])
    for shape in [[9, 0, 0], [0, 8, 8], [3, 2, 2]] {
      #expect(throws: SiteError.self) {
        try order.transformed(secondMoment: Tensor(zeros: shape, .f64))
      }
    }
    // Moments of blocks of 2 say nothing of what goes from one to the next.
    #expect(throws: SiteError.self) {
      try transform.transformed(secondMoment: Tensor(zeros: [4, 2, 2], .f64))
    }
  }

  @Test func quantizedGraphs() throws {
    var graph = try SampleNetworks.graph(SampleNetworks.transformer)
    let site = try #require(graph.sites(.mixing).first)
    for stage in [Stage.quantized, .kernels] {
      graph.stage = stage
      let error = #expect(throws: SiteError.self) {
        try graph.apply(.hadamard(width: 8, block: 8, seed: 1), at: site, in: context)
      }
      #expect(error?.description.contains("'\(stage.rawValue)'") == true)
      #expect(error?.hint == "put the pass before 'quantize'")
    }
  }

  @Test("Pairs are of the smallest group that their factors are of")
  func pairs() throws {
    func pairs(_ factors: [(Double, Double)]) -> ChannelTransform {
      .pairs(
        real: Tensor([2, 2], factors.map(\.0)), imaginary: Tensor([2, 2], factors.map(\.1)),
        width: 8)
    }
    let rotations = pairs([(0.6, 0.8), (1, 0), (0, -1), (-0.8, 0.6)])
    let scales = pairs([(2, 0), (0.5, 0), (3, 0), (1, 0)])
    let both = pairs([(2, 0), (0.6, 0.8), (1, 1), (1, 0)])
    func blocks(_ group: TransformGroup) -> TransformGroup { .blocks(of: group, count: 2) }
    #expect(rotations.isElement(of: blocks(.pairRotations)) && rotations.isElement(of: .orthogonal))
    #expect(!rotations.isElement(of: blocks(.pairScales)))
    #expect(scales.isElement(of: blocks(.pairScales)) && scales.isElement(of: .positiveDiagonal))
    #expect(!scales.isElement(of: blocks(.pairRotations)))
    #expect(both.isElement(of: blocks(.complexPairs)))
    #expect(!both.isElement(of: blocks(.pairRotations)) && !both.isElement(of: blocks(.pairScales)))
  }

  /// Queries and keys that are normalised by heads' neighbours too: only rotations of pairs pass the norms.
  @Test func normalisedQueriesAndKeys() throws {
    let before = try SampleNetworks.graph(
      """
      irc.graph @"qk" {stage = "float"} {
        %0 = input "ids" : i32[tokens]
        %1 = state "position" : i32[1]
        %2, %3 = positions %0, %1 : i32[tokens], i32[1]
        %4 = generated {shape = [32, 8], values = random(1, 0.5)} : f32[32, 8]
        %5 = embedding %0, %4 : f32[tokens, 8]
        %6 = generated {shape = [8, 8], values = random(2, 0.5)} : f32[8, 8]
        %7 = generated {shape = [8, 8], values = random(3, 0.5)} : f32[8, 8]
        %8 = linear %5, %6 : f32[tokens, 8]
        %9 = linear %5, %7 : f32[tokens, 8]
        %10 = rms_norm %8 {epsilon = 1e-05} : f32[tokens, 8]
        %11 = rms_norm %9 {epsilon = 1e-05} : f32[tokens, 8]
        %12 = rope %10, %2 {head_dim = 4, theta = 10000.0} : f32[tokens, 8]
        %13 = rope %11, %2 {head_dim = 4, theta = 10000.0} : f32[tokens, 8]
        %20 = generated {shape = [8, 8], values = random(4, 0.5)} : f32[8, 8]
        %21 = linear %5, %20 : f32[tokens, 8]
        %14 = attention %12, %13, %21 {heads = 2, kv_heads = 2, scale = 0.5, window = 0} : f32[tokens, 8]
        %15 = linear %14, %4 : f32[tokens, 32]
        next "position" = %3
        output "logits" = %15
      }
      """)
    let site = try #require(before.sites(.pairing).first)
    #expect(site.group == .blocks(of: .pairRotations, count: 2))
    func pairs(_ re: [Double], _ im: [Double]) -> ChannelTransform {
      .pairs(real: Tensor([2, 2], re), imaginary: Tensor([2, 2], im), width: 8)
    }
    var after = before
    try after.apply(
      pairs([0.6, 0.8, 1, 0], [0.8, 0.6, 0, 1]), at: site, allowsOnline: true, in: context)
    let difference = try FunctionCheck.compare(
      before, after, probe: [3, 1, 4, 1, 5, 9], tolerance: 1, precision: .double
    ).largest
    #expect(difference > 0 && difference < 1e-12)
    #expect(throws: SiteError.self) {
      try after.apply(
        pairs([2, 1, 1, 1], [0, 0, 0, 0]), at: site, allowsOnline: true, in: context)
    }
  }
}
