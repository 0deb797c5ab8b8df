import CKernels
import Foundation
package import IRCSupport

/// Measures kernels beside what the machine can do at most, and beside other libraries, in rounds: each round measures the probe, ours
/// and every peer once, so that whatever disturbs the machine disturbs all of them.
package final class KernelBench {
  /// What to measure.
  package struct Request {
    package var threads = 1
    package var shapes = MatrixShape.usual
    package var only: [CasePattern] = []
    /// Rounds at most.
    package var runs = 7
    /// Seconds after which a row is done, if it has three rounds.
    package var patience = 5.0
    package var kernels = KernelSets.best
    package var usesPanels = true
    /// The program to run peers with; nil for none.
    package var python: String?
    /// What oneDNN is held to in processes of their own; nil: AVX512_CORE_VNNI where there are tiles, AVX2 with such kernels.
    package var isas: [String]?
    /// Bytes of a ring; nil: more than the caches hold.
    package var ringBytes: Int?

    /// The usual.
    package init() {}
  }

  /// What the machine can do.
  package let machine: Machine
  /// Versions of the peers.
  package var peerVersions: [(key: String, value: JSON)] { peers.versions }
  private let request: Request
  private let setting: KernelSetting
  private let peers: Peers
  private let reading: ReadProbe
  private let tell: (String) -> Void

  /// Measures the machine and starts the peers.
  ///
  /// - Parameter tell: receives lines for the user.
  /// - Throws: `Diagnostic` `bench.kernels` when there are no such kernels.
  package init(_ request: Request, tell: @escaping (String) -> Void) throws {
    self.request = request
    self.tell = tell
    let kernels = try unsafe KernelSets.table(request.kernels)
    let tiles = irc_peak_is_there(IRC_PEAK_INT8_AMX)
    let processors = Processors.pin(request.threads)
    peers = Peers(
      python: request.python, threads: request.threads,
      isas: request.isas ?? Self.isas(tiles: tiles, kernels: request.kernels), tell: tell)
    let cache = Machine.largestCache
    let ring = Machine.Ring(
      lastLevelCache: cache, freeMemory: Machine.freeMemory, asked: request.ringBytes)
    try Self.checkMemory(request, ring)
    let crew = ThreadCrew(count: request.threads, processors: processors)
    setting = unsafe KernelSetting(
      kernels: kernels, crew: crew,
      layout: request.usesPanels ? IRC_LAYOUT_PANELS : IRC_LAYOUT_ROWS, ringBytes: ring.byteCount)
    reading = ReadProbe(bytes: ring.byteCount, crew: crew)
    func peak(_ kind: irc_peak) -> Machine.Peak? {
      PeakProbe.rate(of: kind, crew: crew).map {
        Machine.Peak(name: unsafe String(cString: irc_peak_name(kind)), rate: $0)
      }
    }
    let name = unsafe String(cString: kernels.pointee.name)
    let byKind = [IRC_PEAK_INT8_VNNI, IRC_PEAK_INT8_AVX2, IRC_PEAK_INT8_PORTABLE].map(peak)
    let integers = byKind.compactMap { $0 }
    // Kernels for AVX2 are measured by what AVX2 can do.
    let own = name == "avx2" ? byKind[1] : nil
    guard let integer = own ?? integers.first else {
      throw Diagnostic("bench.kernels", "no integer product could be measured")
    }
    machine = Machine(
      processor: Machine.processorName, threads: request.threads, processors: processors,
      kernels: name, layout: request.usesPanels ? "panels" : "rows", lastLevelCache: cache,
      ring: ring, readRate: median((0..<5).map { [reading] _ in reading.rate(for: 0.05) }),
      scaleRate: Self.scaleRate(of: 2048, setting),
      cacheRate: Self.scaleRate(of: 256, setting), float: peak(IRC_PEAK_FLOAT), integer: integer,
      integers: integers, tiles: peak(IRC_PEAK_INT8_AMX))
  }

  /// What is allocated is touched, so asking for more than there is would end this program, or others.
  ///
  /// - Throws: `Diagnostic` `bench.memory`.
  private static func checkMemory(_ request: Request, _ ring: Machine.Ring) throws {
    // A ring has two copies at least, with numbers that codes were made of; many tokens have inputs and results.
    let ofShapes = request.shapes.map { shape in
      8 * shape.rows * shape.cols + 8 * 512 * (shape.rows + shape.cols)
    }
    let needed = 2 * ring.byteCount + (ofShapes.max() ?? 0)
    let free = Machine.freeMemory
    if needed > free {
      throw Diagnostic(
        "bench.memory",
        "this takes about \(needed >> 20) MiB of memory, and \(free >> 20) MiB are free",
        hint: "ask for smaller --shapes, or a smaller --ring")
    }
  }

  /// What oneDNN is held to besides: where it would use tiles, which ours are not compared with, and where ours use less.
  private static func isas(tiles: Bool, kernels: String) -> [String] {
    (tiles ? ["AVX512_CORE_VNNI"] : []) + (kernels == "avx2" ? ["AVX2"] : [])
  }

  /// True if anything would be measured.
  package static func hasCases(_ request: Request) -> Bool {
    !KernelSuite.sections(request.shapes, only: request.only).isEmpty
  }

  /// Measures everything; rows are given away as they are there.
  package func run(_ show: (BenchRow) throws -> Void) throws {
    for section in KernelSuite.sections(request.shapes, only: request.only) {
      guard let format = section.format else {
        for entry in section.cases { try show(transform(entry)) }
        continue
      }
      let ring = WeightRing(
        format, rows: section.shape.rows, cols: section.shape.cols, layout: setting.layout,
        bytes: setting.ringBytes)
      let compared =
        section.cases.contains(where: \.hasPeers)
        ? peers.open(format, section.shape, ringBytes: setting.ringBytes) : []
      for entry in section.cases {
        try show(product(entry, ring, entry.hasPeers ? compared : []))
      }
    }
  }

  /// Times of the rounds of one participant.
  private struct Rounds {
    var seconds: [Double] = []
    var main: [Double] = []
    var ofLimit: [Double] = []
  }

  private func product(_ entry: KernelCase, _ ring: WeightRing, _ compared: [Peers.Peer])
    -> BenchRow
  {
    var bits: UInt32?
    var rank: Int?
    switch entry.work {
    case .product(let wanted): bits = wanted
    case .branched(let wanted, let size): (bits, rank) = (wanted, size)
    case .hadamard: break
    }
    let work = ProductWork(ring, n: entry.n, bits: bits, rank: rank, in: setting)
    // Of a single token, codes take less than it would take to look at the clock.
    let timesMain = bits != nil && entry.n > 1
    let plain = rank.map { _ in ProductWork(ring, n: entry.n, bits: bits, in: setting) }
    var own = Rounds()
    var baseline = Rounds()
    var others = compared.map { _ in Rounds() }
    var failed: Set<Int> = []
    var readRates: [Double] = []
    let rounds = inRounds {
      let limit: Double
      if entry.isMemoryBound {
        limit = reading.rate(for: Self.slice)
        readRates.append(limit)
      } else {
        limit = machine.integer.rate
      }
      func fraction(_ seconds: Double, _ byteCount: Int) -> Double {
        (entry.isMemoryBound ? Double(byteCount) : entry.operations) / seconds / limit
      }
      let (seconds, main) = measure(work, timesMain: timesMain)
      own.seconds.append(seconds)
      own.main.append(main)
      own.ofLimit.append(fraction(seconds, ring.byteCount))
      if let plain { baseline.seconds.append(measure(plain).seconds) }
      for (index, peer) in compared.enumerated() where !failed.contains(index) {
        guard let seconds = peers.time(peer, n: entry.n, for: Self.slice) else {
          failed.insert(index)
          continue
        }
        others[index].seconds.append(seconds)
        others[index].ofLimit.append(fraction(seconds, peer.byteCount))
      }
    }
    let seconds = median(own.seconds)
    return BenchRow(
      entry: entry, threads: request.threads, seconds: seconds,
      productSeconds: timesMain ? median(own.main) : nil, ofLimit: median(own.ofLimit),
      ofTileLimit: entry.isMemoryBound
        ? nil : machine.tiles.map { entry.operations / seconds / $0.rate },
      byteCount: ring.byteCount,
      limit: entry.isMemoryBound
        ? .init(name: "read", rate: median(readRates))
        : .init(name: machine.integer.name, rate: machine.integer.rate),
      peers: compared.indices.filter { !failed.contains($0) && !others[$0].seconds.isEmpty }.map {
        .init(
          name: compared[$0].name, seconds: median(others[$0].seconds),
          ofLimit: median(others[$0].ofLimit), byteCount: compared[$0].byteCount)
      },
      baseline: plain.map { _ in
        .init(name: "without the branch", seconds: median(baseline.seconds))
      }, rounds: rounds)
  }

  private func transform(_ entry: KernelCase) -> BenchRow {
    var quantizes = false
    if case .hadamard(let wanted) = entry.work { quantizes = wanted }
    let work = HadamardWork(order: entry.cols, quantizes: quantizes, in: setting)
    var own = Rounds()
    var scalings: [Double] = []
    let rounds = inRounds {
      let scaling = median((0..<3).map { _ in setting.crew.whileAwake { work.scaling() } })
      let (seconds, _) = measure(work)
      scalings.append(scaling)
      own.seconds.append(seconds)
      own.ofLimit.append(scaling / seconds)
    }
    let bytes = 4 * entry.n * entry.cols
    return BenchRow(
      entry: entry, threads: request.threads, seconds: median(own.seconds), productSeconds: nil,
      ofLimit: median(own.ofLimit), ofTileLimit: nil, byteCount: bytes,
      limit: .init(name: "scaling in place", rate: Double(bytes) / median(scalings)), peers: [],
      baseline: nil, rounds: rounds)
  }

  /// Seconds that each participant of a round runs for at least.
  private static let slice = 0.04

  /// Runs rounds until there are enough; returns how many there were.
  private func inRounds(_ round: () -> Void) -> Int {
    let clock = ContinuousClock()
    let start = clock.now
    for index in 1...max(1, request.runs) {
      round()
      if index >= 3, (clock.now - start) / .seconds(1) > request.patience { return index }
    }
    return max(1, request.runs)
  }

  /// Seconds of one step, and of the main part of it where that is asked for.
  private func measure(
    _ work: some KernelWork, timesMain: Bool = false
  ) -> (seconds: Double, main: Double) {
    let stopwatch = setting.stopwatch
    return setting.crew.whileAwake {
      var (count, batch, main, elapsed) = (0, 1, 0.0, 0.0)
      let start = stopwatch.now
      repeat {
        for _ in 0..<batch { main += work.step(timesMain: timesMain) }
        count += batch
        elapsed = stopwatch.now - start
        // Looking at the clock takes longer than nothing.
        if elapsed < 1e-3 * Double(count / batch) { batch *= 2 }
      } while elapsed < Self.slice
      return (elapsed / Double(count), main / Double(count))
    }
  }

  /// Bytes a second of scaling a square matrix of so many rows in place.
  private static func scaleRate(of order: Int, _ setting: KernelSetting) -> Double {
    let work = HadamardWork(order: order, quantizes: false, in: setting)
    let seconds = setting.crew.whileAwake { median((0..<64).map { _ in work.scaling() }) }
    return Double(2 * 4 * order * order) / seconds
  }
}
