import CKernels
import IRCBench
import Testing

@Suite("Rings of weights")
struct RingTests {
  private static let formats: [WeightFormat] = [
    .integer(8, group: 0), .integer(4, group: 32), .integer(3, group: 32),
    .integer(2, group: 128), .mxfp4, .nvfp4, .nf4, .nf4Int8,
  ]

  @Test(
    "Copies differ, and all of their weights are numbers", arguments: formats.indices,
    [IRC_LAYOUT_ROWS, IRC_LAYOUT_PANELS].indices)
  func copies(format: Int, layout: Int) {
    let layout = layout == 0 ? IRC_LAYOUT_ROWS : IRC_LAYOUT_PANELS
    // Rows that fill no panel.
    let ring = WeightRing(Self.formats[format], rows: 18, cols: 96, layout: layout, bytes: 20_000)
    #expect(ring.copies * ring.byteCount >= 20_000)
    let matrices = (0..<ring.copies).map { copy in
      var weights = ring[copy]
      return (0..<18).flatMap { row in
        var numbers = [Float](repeating: 0, count: 96)
        irc_dequantize_row(&numbers, &weights, row)
        return numbers
      }
    }
    #expect(Set(matrices).count == matrices.count)
    let areFinite = matrices.joined().allSatisfy { $0.isFinite }
    #expect(areFinite)
    #expect(matrices.allSatisfy { Set($0).count > 10 })
  }

  @Test("Bytes of a copy are those of codes and scales")
  func bytes() {
    let ring = WeightRing(
      .integer(4, group: 32), rows: 64, cols: 64, layout: IRC_LAYOUT_PANELS, bytes: 1)
    #expect(ring.byteCount == 64 * (32 + 2 * 2))
    #expect(ring.copies == 2)
  }

  @Test("A ring is more than the caches hold, unless memory is short")
  func size() {
    func bytes(_ cache: Int, _ memory: Int) -> Int {
      Machine.Ring(lastLevelCache: cache << 20, freeMemory: memory << 20, asked: nil).byteCount
        >> 20
    }
    #expect(bytes(32, 24_000) == 384)
    #expect(bytes(0, 24_000) == 384)
    #expect(bytes(400, 24_000) == 500)
    #expect(bytes(400, 2400) == 100)
    #expect(Machine.Ring(lastLevelCache: 1, freeMemory: 1, asked: 7).byteCount == 7)
  }
}

@Suite("Threads of a benchmark")
struct ThreadCrewTests {
  @Test("Parts cover everything once", arguments: [1, 2, 3, 5], [0, 1, 64, 65, 200, 2048])
  func parts(count: Int, total: Int) {
    let crew = ThreadCrew(count: count, processors: [])
    let parts = (0..<count).map { crew.part($0, of: total, unit: 64) }
    #expect(parts.flatMap { Array($0) } == Array(0..<total))
    #expect(parts.allSatisfy { $0.isEmpty || $0.lowerBound.isMultiple(of: 64) })
  }

  @Test("Every thread runs every job once, also after sleeping", arguments: [1, 2, 3])
  func jobs(count: Int) {
    let crew = ThreadCrew(count: count, processors: [])
    let sums = Memory(bytes: 8 * count)
    for _ in 0..<3 {
      crew.whileAwake {
        for _ in 0..<50 { crew.run { sums.numbers(Int.self)[$0] += 1 } }
      }
    }
    #expect((0..<count).allSatisfy { sums.numbers(Int.self)[$0] == 150 })
  }

  @Test("The median is the middle, or the mean of the two in the middle")
  func medians() {
    #expect(median([3, 1, 2]) == 2)
    #expect(median([4, 1, 2, 3]) == 2.5)
    #expect(median([]).isNaN)
  }
}
