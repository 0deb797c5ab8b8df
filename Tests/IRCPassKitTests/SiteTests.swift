import IRCPassKit
import IRCTestSupport
import Testing

/// Sites of hand-written networks: what the analysis finds is exact, and more would be wrong.
@Suite("Sites")
struct SiteTests {
  static let networks = [SampleNetworks.transformer, SampleNetworks.stateSpace]

  private let context = PassContext(
    instance: "test", model: ModelDescription(name: "m", vocabularySize: 16, contextLength: nil),
    target: .portable, services: .none)

  private func difference(_ before: Graph, _ after: Graph) throws -> Double {
    try FunctionCheck.compare(
      before, after, probe: [3, 1, 4, 1, 5, 9], tolerance: 1, precision: .double
    ).largest
  }

  // MARK: Random elements

  /// A matrix far from singular with its inverse, or a rotation, both [count, n, n].
  private func matrices(
    _ count: Int, _ size: Int, orthogonal: Bool, seed: Int
  ) throws -> (direct: Tensor, inverse: Tensor) {
    let random = RandomNumbers(seed: UInt64(seed))
    var (direct, inverse): ([Double], [Double]) = ([], [])
    for block in 0..<count {
      let base = block * size * size
      let matrix = (0..<size * size).map { index -> Double in
        let (row, column) = index.quotientAndRemainder(dividingBy: size)
        if orthogonal { return random.normal(base + min(row, column) * size + max(row, column)) }
        return (row == column ? 1 : 0) + 0.8 * (random.uniform(base + index) - 0.5)
      }
      if orthogonal {
        direct += try SymmetricEigen(of: Tensor([size, size], matrix)).vectors.array(
          of: Double.self)
      } else {
        direct += matrix
        inverse += try MatrixInverse(of: Tensor([size, size], matrix)).inverse.array(
          of: Double.self)
      }
    }
    let shape = [count, size, size]
    return (Tensor(shape, direct), orthogonal ? Tensor(shape, direct) : Tensor(shape, inverse))
  }

  /// A random element of a group, on `width` channels.
  private func element(of group: TransformGroup, width: Int, seed: Int) throws -> ChannelTransform {
    let random = RandomNumbers(seed: UInt64(seed))
    let (inner, count) =
      if case .blocks(let inner, let count) = group { (inner, count) } else { (group, 1) }
    let size = width / count
    switch inner {
    case .general:
      let made = try matrices(count, size, orthogonal: false, seed: seed)
      return .general(made.direct, inverse: made.inverse, width: width)
    case .orthogonal:
      return .rotation(try matrices(count, size, orthogonal: true, seed: seed).direct, width: width)
    case .complexPairs:
      func parts(_ offset: Int) -> Tensor {
        Tensor(
          [count, size / 2],
          (0..<width / 2).map { 0.5 + random.uniform($0 + offset) })
      }
      return .pairs(real: parts(0), imaginary: parts(1000), width: width)
    case .diagonal, .positiveDiagonal:
      return .diagonal(
        (0..<width).map { channel in
          let isNegative = inner == .diagonal && random.uniform(channel + 500) < 0.5
          return (isNegative ? -1 : 1) * (0.5 + random.uniform(channel))
        })
    case .permutation:
      return .permutation(
        (0..<count).flatMap { block in
          Array((block * size..<(block + 1) * size).reversed())
        })
    default: throw PassError("no element of \(group)")
    }
  }

  /// A random element, of the kind that can run online where it has to.
  private func element(
    at site: Site, of group: TransformGroup, seed: Int
  ) throws -> ChannelTransform {
    guard !site.isOffline else { return try element(of: group, width: site.width, seed: seed) }
    if case .blocks(_, let count) = group {
      return .hadamard(width: site.width, block: site.width / count, seed: seed)
    }
    return .hadamard(width: site.width, block: site.width, seed: seed)
  }

  // MARK: Tests

  @Test("The sites of a transformer")
  func transformer() throws {
    let graph = try SampleNetworks.graph(SampleNetworks.transformer)
    func names(_ family: TransformFamily) -> [String] {
      graph.sites(family).map { "\($0.name) \($0.group) \($0.width) \($0.onlineCount)" }
    }
    #expect(
      names(.mixing) == [
        "residual/q orthogonal 8 0", "value/o blocks(general, 2) 8 0",
        "score/append blocks(general, 2) 8 2", "product/down general 12 1",
      ])
    #expect(names(.pairing) == ["score/q blocks(complex-pairs, 2) 8 0"])
    #expect(
      names(.scaling) == [
        "norm/q diagonal 8 0", "value/o diagonal 8 0", "norm/gate diagonal 8 0",
        "activation/down diagonal 12 0", "product/down diagonal 12 0", "norm/table diagonal 8 0",
      ])
    #expect(
      names(.permuting) == [
        "residual/q permutation 8 0", "value/o blocks(permutation, 2) 8 0",
        "activation/down permutation 12 0",
      ])
    let value = try #require(graph.sites(.mixing).first { $0.role == .value })
    #expect(value.readers.map(\.element) == [.init(inverse: true, repeats: 2, block: 4)])
    #expect(value.writers.count == 2)
  }

  @Test("The sites of a state space network")
  func stateSpace() throws {
    let graph = try SampleNetworks.graph(SampleNetworks.stateSpace)
    func names(_ family: TransformFamily) -> [String] {
      graph.sites(family).map { "\($0.name) \($0.group) \($0.width) \($0.onlineCount)" }
    }
    #expect(
      names(.mixing) == [
        "residual/in orthogonal 8 0", "activation/x general 12 1", "low-rank/dt general 4 0",
        "product/out general 12 1",
      ])
    #expect(
      names(.scaling) == [
        "norm/in diagonal 8 0", "convolution/in diagonal 12 0", "activation/out diagonal 12 0",
        "scan/x diagonal 12 0", "low-rank/dt diagonal 4 0", "state/x diagonal 4 0",
        "norm/head diagonal 8 0",
      ])
    #expect(
      names(.permuting) == [
        "residual/in permutation 8 0", "scan/x permutation 12 0", "low-rank/dt permutation 4 0",
        "state/x permutation 4 0",
      ])
  }

  @Test(
    "Every element of every site's group leaves the function alone", arguments: networks,
    TransformFamily.allCases)
  func exact(text: String, family: TransformFamily) throws {
    let before = try SampleNetworks.graph(text)
    for site in before.sites(family) {
      var after = before
      let transform = try element(at: site, of: site.group, seed: 11)
      #expect(transform.isElement(of: site.group), "\(site.name)")
      try after.apply(transform, at: site, allowsOnline: true, in: context)
      #expect(after.verify().isEmpty, "\(site.name)")
      #expect(after != before)
      let difference = try difference(before, after)
      #expect(difference < 1e-12, "\(site.name) of \(family): \(difference)")
    }
  }

  @Test("All sites of a family one after another leave the function alone", arguments: networks)
  func together(text: String) throws {
    let before = try SampleNetworks.graph(text)
    var after = before
    for family in [TransformFamily.scaling, .permuting, .pairing, .mixing] {
      for (index, site) in after.sites(family).enumerated() where site.isOffline {
        // Gains that smoothing has filled stop rotations of the stream.
        if family == .scaling, site.role == .norm { continue }
        try after.apply(
          element(of: site.group, width: site.width, seed: index), at: site, in: context)
      }
    }
    #expect(try difference(before, after) < 1e-11)
  }

  @Test("The next larger group changes the function", arguments: networks, TransformFamily.allCases)
  func maximal(text: String, family: TransformFamily) throws {
    let before = try SampleNetworks.graph(text)
    let mixing = before.sites(.mixing).filter(\.isOffline)
    var tried = 0
    for site in before.sites(family) {
      let larger: TransformGroup
      switch (family, site.group) {
      case (.mixing, .orthogonal): larger = .general
      case (.mixing, .blocks): larger = .orthogonal
      case (.pairing, .blocks(_, let count)): larger = .blocks(of: .orthogonal, count: count)
      // What another family finds at the same places admits more, and says so there.
      case (.scaling, _), (.permuting, _):
        if mixing.contains(where: {
          Set($0.absorbers).isSuperset(of: Set(site.absorbers).filter { $0.element == .direct })
            && $0.role == site.role && $0.role != .residual
        }) {
          continue
        }
        larger = family == .scaling ? .orthogonal : .positiveDiagonal
      default: continue
      }
      tried += 1
      var after = before
      let transform = try element(at: site, of: larger, seed: 5)
      #expect(throws: SiteError.self) {
        var refused = before
        try refused.apply(transform, at: site, allowsOnline: true, in: context)
      }
      _ = try after.applyUnchecked(transform, at: site, in: context)
      #expect(try difference(before, after) > 1e-4, "\(site.name) of \(family) admits \(larger)")
    }
    #expect(tried >= (family == .scaling ? 3 : before.sites(family).isEmpty ? 0 : 1))
  }

  @Test("What is applied and inverted folds back to nothing", arguments: networks)
  func inverse(text: String) throws {
    let before = try SampleNetworks.graph(text)
    for family in [TransformFamily.mixing, .scaling] {
      for site in before.sites(family) where site.isOffline {
        let transform = try element(
          of: family == .mixing ? .orthogonal.intersection(site.group) : site.group,
          width: site.width, seed: 3)
        #expect(transform.then(transform.inverse).isIdentity)
        var after = before
        try after.apply(transform, at: site, in: context)
        let site = try #require(after.sites(family).first { $0.name == site.name })
        try after.apply(transform.inverse, at: site, in: context)
        after.foldInverseTransforms()
        #expect(after.operations(of: ChannelMatmul.self).isEmpty, "\(site.name)")
        #expect(after.operations(of: ChannelScale.self).isEmpty, "\(site.name)")
      }
    }
  }

  @Test("A rotation of the stream keeps a tied table one; a factor per channel unties it")
  func ties() throws {
    var graph = try SampleNetworks.graph(SampleNetworks.transformer)
    let stream = try #require(graph.sites(.mixing).first { $0.role == .residual })
    let rotated = try graph.apply(
      .hadamard(width: 8, block: 8, seed: 1), at: stream, in: context)
    #expect(rotated.untied.isEmpty)
    let norm = try #require(graph.sites(.scaling).first { $0.name == "norm/table" })
    let scaled = try graph.apply(.diagonal([1, 2, 3, 4, 5, 6, 7, 8]), at: norm, in: context)
    #expect(scaled.untied.map(\.name) == ["table"])
    #expect(scaled.untied.map(\.elements) == [128])
  }

  @Test("Transforms that do not fit are refused with the reason")
  func misfits() throws {
    var graph = try SampleNetworks.graph(SampleNetworks.transformer)
    let before = graph
    let sites = graph.sites(.mixing)
    func message(_ transform: ChannelTransform, _ site: Site) -> String {
      do {
        try graph.apply(transform, at: site, in: context)
        return ""
      } catch { return "\(error)" }
    }
    #expect(
      message(.hadamard(width: 4, block: 4, seed: nil), sites[0])
        == "a transform of 4 channels does not fit site 'residual/q', which has 8")
    #expect(
      message(.diagonal([1, 2, 3, 4, 5, 6, 7, 8]), sites[0])
        == "site 'residual/q' admits orthogonal, and the transform is not of that group")
    #expect(
      message(.hadamard(width: 12, block: 12, seed: nil), sites[3]).contains("run online"))
    #expect(graph == before)
  }

  @Test("Moments of blocks are those on the diagonal of the whole moment, and are carried on alike")
  func momentsOfBlocks() throws {
    let graph = try SampleNetworks.graph(SampleNetworks.transformer)
    let site = try #require(graph.sites(.mixing).first { $0.role == .value })
    let moments = try SiteMoments(site, in: graph)
    #expect(moments.request.blocks == 4)
    let windows: [[Int32]] = (0..<6).map { seed in (0..<9).map { Int32(($0 * 7 + seed) % 16) } }
    let whole = StatisticGroup(moments.request.values, .secondMoment)
    let measured = try Calibration.collectChannels(
      graph, groups: [moments.request, whole], windows: windows)
    let blocks = try moments.moment(of: measured[0], rowsPerChannel: 8)
    #expect(blocks.shape == [2, 4, 4])
    // 54 rows are enough for blocks of 4 channels, and not for all 8.
    #expect(throws: PassError.self) { try moments.moment(of: measured[0], rowsPerChannel: 14) }
    let full = try #require(measured[1].secondMoment).array(of: Double.self)
    let expected = (0..<32).map { index -> Double in
      let (block, row, column) = (index / 16, index / 4 % 4, index % 4)
      // Two query heads read each value head.
      return (0..<2).reduce(0) { sum, copy in
        let first = (block * 2 + copy) * 4
        return sum + full[(first + row) * 16 + first + column] / 2
      }
    }
    #expect(zip(blocks.array(of: Double.self), expected).allSatisfy { abs($0 - $1) < 1e-12 })

    let transform = try ChannelTransform.rotation(
      matrices(2, 4, orthogonal: true, seed: 1).direct, width: 8
    ).then(.diagonal((1...8).map { Double($0) })).then(.hadamard(width: 8, block: 4, seed: 3))
    let large = unsafe Tensor([8, 8], of: Double.self) { target in
      for (index, value) in expected.enumerated() {
        let (block, row, column) = (index / 16, index / 4 % 4, index % 4)
        unsafe target[(block * 4 + row) * 8 + block * 4 + column] = value
      }
    }
    let carried = try transform.transformed(secondMoment: blocks).array(of: Double.self)
    let reference = try transform.transformed(secondMoment: large).array(of: Double.self)
    for (index, value) in carried.enumerated() {
      let (block, row, column) = (index / 16, index / 4 % 4, index % 4)
      #expect(abs(value - reference[(block * 4 + row) * 8 + block * 4 + column]) < 1e-10)
    }
  }

  @Test("A pattern may match a role unless what precedes its first wildcard excludes it")
  func patterns() {
    let cases: [(String, SiteRole, Bool)] = [
      ("residual", .residual, true), ("residual/layers.0.q", .residual, true),
      ("value", .residual, false), ("value/x", .residual, false), ("resid", .residual, false),
      ("*", .residual, true), ("*layers.0*q_proj", .residual, true), ("res*", .residual, true),
      ("res?dual", .residual, true), ("residual*", .residual, true),
      ("residual/*", .residual, true),
      ("residual/layers.1*", .residual, true), ("value*", .residual, false),
      ("residually*", .residual, false), ("n*", .norm, true), ("no?m/x", .norm, true),
      ("norm/*", .residual, false),
    ]
    for (glob, role, expected) in cases {
      #expect(SiteSelection.mayMatch(NamePattern(glob), role) == expected, "\(glob) \(role)")
    }
  }

  @Test("Sites say where they are, and draw what is random by their own names")
  func places() throws {
    let graph = try SampleNetworks.graph(SampleNetworks.transformer)
    for family in TransformFamily.allCases {
      for site in graph.sites(family) {
        let anchor = site.name.drop { $0 != "/" }.dropFirst()
        #expect(
          site.location == .checkpoint(anchor == "table" ? "table" : "\(anchor).weight")
            || anchor == "append", "\(site.name)")
      }
    }
    let seeds = graph.sites(.mixing).map { $0.seed(from: 3) }
    #expect(Set(seeds).count == seeds.count && seeds.allSatisfy { 0..<1 << 31 ~= $0 })
    #expect(graph.sites(.mixing)[0].seed(from: 4) != seeds[0])
  }

  @Test("Channels of T and of a place with repeated blocks lead to each other")
  func indices() {
    let element = Site.Element(inverse: false, repeats: 3, block: 2)
    #expect((0..<12).map(element.channel) == [0, 1, 0, 1, 0, 1, 2, 3, 2, 3, 2, 3])
    #expect((0..<12).map(element.copy) == [0, 0, 1, 1, 2, 2, 0, 0, 1, 1, 2, 2])
    #expect((0..<4).map(element.offsets) == [[0, 2, 4], [1, 3, 5], [6, 8, 10], [7, 9, 11]])
    #expect(Site.Element.direct.offsets(of: 5) == [5] && Site.Element.direct.channel(at: 5) == 5)
  }

  @Test("A moment is carried through a transform as the data are")
  func moments() throws {
    let random = RandomNumbers(seed: 9)
    let x = Tensor([32, 8], (0..<256).map { random.normal($0) * Double($0 % 8 + 1) })
    func moment(_ x: Tensor) -> Tensor {
      let data = x.array(of: Double.self)
      var sums = [Double](repeating: 0, count: 64)
      for row in 0..<32 {
        for index in 0..<64 {
          sums[index] += data[row * 8 + index / 8] * data[row * 8 + index % 8]
        }
      }
      return Tensor([8, 8], sums)
    }
    let scale = ChannelTransform.diagonal((1...8).map { 1 / Double($0) })
    let chain = try scale.then(
      .rotation(matrices(2, 4, orthogonal: true, seed: 1).direct, width: 8)
    )
    .then(.hadamard(width: 8, block: 4, seed: 7)).then(.permutation([7, 6, 5, 4, 3, 2, 1, 0]))
    let direct = try moment(chain.applied(to: x)).array(of: Double.self)
    let carried = try chain.transformed(secondMoment: moment(x)).array(of: Double.self)
    #expect(zip(direct, carried).allSatisfy { abs($0 - $1) < 1e-10 * (1 + abs($0)) })
    let restored = try chain.inverse.applied(to: chain.applied(to: x)).array(of: Double.self)
    #expect(
      zip(restored, x.array(of: Double.self)).allSatisfy { abs($0 - $1) < 1e-12 * (1 + abs($1)) })
  }
}
