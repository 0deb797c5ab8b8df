import CIRCPlugin
import IRCGraph
import IRCPassKit
import IRCTensor

extension CPassCall {
  /// Looks for the sites of a family that an option chooses, or all.
  func findSites(_ family: UInt32, _ option: String?) throws -> Int {
    let context = try context
    let families: [UInt32: TransformFamily] = [
      UInt32(IRC_MIXING): .mixing, UInt32(IRC_SCALING): .scaling,
      UInt32(IRC_PERMUTING): .permuting,
    ]
    guard let family = families[family] else {
      throw PassError.misuse("there is no family \(family) of sites")
    }
    let all = graph.sites(family)
    if let option {
      let selection = try SiteSelection(patterns(option), among: all)
      selection.remarkAbsentRoles(in: context)
      sites = selection.sites
    } else {
      sites = all
    }
    transformed = []
    let request = pass.description.measures
    siteMoments = sites.map { site in Result { try SiteMoments(site, in: graph) } }
    siteMeasurements = Measurements(
      siteMoments.map { moments in
        moments.map { moments in
          var group = moments.request
          if request != .secondMoment { group = StatisticGroup(group.values) }
          return group
        }
      }, in: graph)
    return sites.count
  }

  /// A site by its index.
  func site(_ index: Int) throws -> Site {
    guard sites.indices.contains(index) else {
      throw PassError.misuse("there is no site \(index) among the \(sites.count) that were found")
    }
    return sites[index]
  }

  /// What a plugin sees of a site.
  func record(of site: Site) -> irc_site {
    var inner = site.group
    if case .blocks(let group, _) = inner { inner = group }
    let kinds: [(TransformGroup, Int)] = [
      (.permutation, IRC_ADMITS_PERMUTATION),
      (.positiveDiagonal, IRC_ADMITS_POSITIVE_DIAGONAL), (.diagonal, IRC_ADMITS_DIAGONAL),
      (.orthogonal, IRC_ADMITS_ROTATION), (.general, IRC_ADMITS_MATRIX),
    ]
    let admits = kinds.filter { $0.0.isSubgroup(of: inner) }.reduce(0) { $0 | $1.1 }
    return unsafe irc_site(
      struct_size: UInt32(MemoryLayout<irc_site>.size), admits: UInt32(admits),
      name: lend(site.name), role: lend(site.role.rawValue), group: lend("\(site.group)"),
      width: site.width, blocks: site.group.blockCount, online: site.onlineCount)
  }

  /// What was measured at a site.
  func siteStatistics(_ index: Int) throws -> irc_statistics {
    _ = try site(index)
    let statistics = try measured(index, &siteMeasurements)
    let moments = try siteMoments[index].get()
    forgetNumbers()
    var record = unsafe irc_statistics()
    unsafe record.struct_size = unsafe UInt32(MemoryLayout<irc_statistics>.size)
    unsafe record.width = sites[index].width
    unsafe record.rows = statistics.rows
    unsafe record.mean = lend(moments.means(of: statistics))
    unsafe record.mean_square = lend(moments.meanSquares(of: statistics))
    unsafe record.absolute_maximum = lend(moments.absoluteMaxima(of: statistics))
    if statistics.secondMoment != nil {
      let moment = try moments.moment(of: statistics, rowsPerChannel: 0)
      unsafe record.blocks = moment.shape[0]
      unsafe record.second_moment = lend(moment.array(of: Double.self))
    }
    return unsafe record
  }

  /// The statistics of one of the things that were found.
  func measured(
    _ index: Int, _ measurements: inout Measurements?
  ) throws -> ChannelStatistics {
    guard pass.description.measures != nil else {
      throw PassError.misuse(
        "the plugin asks for statistics, and its description has no 'calibration'")
    }
    guard let statistics = try measurements?.statistics(of: index, in: context) else {
      throw PassError.misuse("the plugin asks for statistics of what it has not looked for")
    }
    return statistics
  }

  /// Applies a transform to a site, once.
  func apply(_ transform: ChannelTransform, at index: Int, _ flags: UInt32) throws {
    let site = try site(index)
    guard !pass.description.onlyRounds else {
      throw PassError.misuse("the plugin transforms a site, and its description has 'only_rounds'")
    }
    guard flags & ~UInt32(IRC_ALLOW_ONLINE) == 0 else {
      throw PassError.misuse("the flags \(flags) of a transform are not known")
    }
    guard !transformed.contains(index) else {
      throw PassError.misuse(
        "site '\(site.name)' was transformed already; multiply the two, or find the sites again")
    }
    let change = try graph.apply(
      transform, at: site, allowsOnline: flags & UInt32(IRC_ALLOW_ONLINE) != 0, in: context)
    transformed.insert(index)
    try context.remarkUntied(change)
  }

  /// Takes an array with an entry for each channel of a site.
  func channels<Element>(
    _ elements: UnsafePointer<Element>?, _ count: Int, of index: Int, _ what: String
  ) throws -> [Element] {
    let site = try site(index)
    guard let elements = unsafe elements, count == site.width else {
      throw PassError.misuse(
        "\(what) of \(count) channels cannot be applied to site '\(site.name)', which has \(site.width)"
      )
    }
    return unsafe Array(UnsafeBufferPointer(start: elements, count: count))
  }

  /// Takes dense matrices of a site, and checks that they can be undone.
  ///
  /// - Parameter isRotation: whether their inverses are to be their transposes.
  func matrices(
    _ elements: UnsafePointer<Double>?, _ blocks: Int, _ size: Int, of index: Int,
    isRotation: Bool
  ) throws -> ChannelTransform {
    let site = try site(index)
    let (width, isTooLarge) = blocks.multipliedReportingOverflow(by: size)
    guard let elements = unsafe elements, blocks > 0, size > 0, !isTooLarge, width <= site.width,
      site.width.isMultiple(of: width)
    else {
      throw PassError.misuse(
        "\(blocks) matrices of \(size) × \(size) do not fit site '\(site.name)' of \(site.width) channels"
      )
    }
    let buffer = unsafe UnsafeBufferPointer(start: elements, count: width * size)
    guard unsafe buffer.allSatisfy(\.isFinite) else {
      throw PassError.misuse(
        "the matrices for site '\(site.name)' have entries that are not finite")
    }
    let direct = unsafe Tensor([blocks, size, size], Array(buffer))
    if isRotation {
      guard direct.distanceFromRotation <= 1e-9 else {
        throw PassError.misuse(
          "the matrices for site '\(site.name)' are not orthogonal: an entry of M·Mᵀ is \(Float(direct.distanceFromRotation)) off"
        )
      }
      return .rotation(direct, width: site.width)
    }
    let inverses = try (0..<blocks).map { block in
      let matrix = direct.slice(rows: block..<block + 1).reshaped([size, size])
      guard let result = try? MatrixInverse(of: matrix), result.reciprocalCondition > 1e-10 else {
        throw PassError.misuse(
          "matrix \(block) for site '\(site.name)' has no inverse, or nearly none")
      }
      return result.inverse.array(of: Double.self)
    }
    let inverse = Tensor([blocks, size, size], inverses.flatMap(\.self))
    return .general(direct, inverse: inverse, width: site.width)
  }
}

extension Tensor {
  /// The largest entry of M·Mᵀ − 1 of matrices [count, d, d] of f64.
  fileprivate var distanceFromRotation: Double {
    let (count, size) = (shape[0], shape[1])
    return unsafe withElements(as: Double.self) { source in
      guard let start = source.baseAddress else { return 0 }
      var product = [Double](repeating: 0, count: size * size)
      var most = 0.0
      for block in 0..<count {
        let matrix = unsafe start + block * size * size
        unsafe Double.multiply(
          m: size, n: size, k: size, matrix, lda: size, transposeA: false, matrix, ldb: size,
          transposeB: true, beta: 0, &product, ldc: size)
        for index in 0..<size { product[index * size + index] -= 1 }
        most = product.reduce(most) { max($0, abs($1)) }
      }
      return most
    }
  }
}
