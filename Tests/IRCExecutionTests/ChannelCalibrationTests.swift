import Foundation
import IRCExecution
import IRCGraph
import IRCOps
import IRCSupport
import IRCTensor
import IRCTestSupport
import Synchronization
import Testing

/// What is measured again and what is known.
@Suite struct ChannelCalibrationTests {
  /// Two layers of weights from a source; the values that they read.
  private func network(
    _ values: [Float] = [1, 2, 3, 4], place: Location = .unknown
  ) throws -> (graph: Graph, first: ValueID, second: ValueID) {
    var tensors = NamedTensors()
    tensors.add(random: "table", [8, 2])
    tensors.add("w", [2, 2], values)
    var graph = Graph(name: "layers")
    let ids = try graph.add(Input(name: "ids", type: TensorType(.i32, [.named("tokens")])))[0]
    let table = try graph.add(Parameter(name: "table", shape: [8, 2], stored: .f32), at: place)[0]
    let weight = try graph.add(Parameter(name: "w", shape: [2, 2], stored: .f32))[0]
    let first = try graph.add(Embedding(), [ids, table])[0]
    let second = try graph.add(Linear(), [first, weight], at: place)[0]
    graph.addOutput("logits", try graph.add(Linear(), [second, table])[0])
    graph.parameters = tensors
    return (graph, first, second)
  }

  private let windows: [[Int32]] = [[1, 2, 3], [4, 5], [6, 7, 0, 1]]

  @Test func measuresOnce() throws {
    let runs = Mutex(0)
    let calibration = ChannelCalibration(windows: windows) { _, _ in runs.withLock { $0 += 1 } }
    let (graph, first, second) = try network()
    let both = [StatisticGroup([first], .secondMoment), StatisticGroup([second], .secondMoment)]
    let measured = try calibration.statistics(of: both, in: graph)
    #expect(calibration.passCount == 1 && runs.withLock { $0 } == 3)
    #expect(measured.map(\.rows) == [9, 9])
    let again = try calibration.statistics(of: both.reversed(), in: graph)
    #expect(calibration.passCount == 1 && runs.withLock { $0 } == 3)
    #expect(again.map { $0.serialized() } == measured.reversed().map { $0.serialized() })
    // Another request, another order, fewer values.
    _ = try calibration.statistics(of: [StatisticGroup([first], .quantiles)], in: graph)
    #expect(calibration.passCount == 2)
    _ = try calibration.statistics(of: [StatisticGroup([first, second])], in: graph)
    #expect(calibration.passCount == 3)
    // Two that are the same are measured as one.
    let twins = Array(repeating: StatisticGroup([second, first]), count: 2)
    #expect(try calibration.statistics(of: twins, in: graph).count == 2)
    #expect(calibration.passCount == 4)
  }

  @Test func knowsValuesByTheirContent() throws {
    let calibration = ChannelCalibration(windows: windows)
    func passes(_ network: (graph: Graph, first: ValueID, second: ValueID), _ value: ValueID) throws
      -> Int
    {
      let before = calibration.passCount
      _ = try calibration.statistics(of: [StatisticGroup([value])], in: network.graph)
      return calibration.passCount - before
    }
    let original = try network()
    #expect(try passes(original, original.first) == 1)
    #expect(try passes(original, original.second) == 1)
    // Where operations come from does not matter, nor what a pass did further down.
    let placed = try network(place: .checkpoint("somewhere"))
    #expect(try passes(placed, placed.second) == 0)
    var extended = original
    extended.graph.addOutput("more", try extended.graph.add(SiLU(), [original.second])[0])
    #expect(try passes(extended, extended.second) == 0)
    // Parameters count with their elements: the first value does not depend on this one, the second does.
    let changed = try network([1, 2, 3, 4.5])
    #expect(try passes(changed, changed.first) == 0)
    #expect(try passes(changed, changed.second) == 1)
    // A pass that scales a weight.
    var scaled = original
    let reader = original.graph.producer(of: original.second)
    let factor = try scaled.graph.add(
      Generated(shape: [2], values: .splat(2)), before: reader.id)[0]
    let product = try scaled.graph.add(
      Multiply(), [reader.operands[1], factor], before: reader.id)[0]
    scaled.graph.setOperand(1, of: reader.id, to: product)
    #expect(try passes(scaled, scaled.second) == 1)
    // Other text.
    let other = ChannelCalibration(windows: [[1, 2], [3, 4, 5], [6, 7, 0, 1]])
    _ = try other.statistics(of: [StatisticGroup([original.first])], in: original.graph)
    #expect(other.passCount == 1)
  }

  /// Tensors of a mapped file are read once; their content still counts.
  @Test func mappedParameters() throws {
    let folder = try TemporaryFolder()
    func table(_ name: String, _ values: [Float]) throws -> Tensor {
      let path = folder.path + "/" + name
      try values.withUnsafeBytes { try Data($0).write(to: URL(fileURLWithPath: path)) }
      return Tensor(mapping: try MappedFile(path: path), at: 0, shape: [2, 2], .f32)
    }
    let calibration = ChannelCalibration(windows: [[0, 1]])
    func maximum(_ tensor: Tensor) throws -> [Float] {
      var (graph, value) = try ChannelStatisticsTests.lookup([[0, 0], [0, 0]])
      graph.parameters = ChannelRequestTests.OneTensor(tensor: tensor)
      return try calibration.statistics(of: [StatisticGroup([value])], in: graph)[0].maximum
    }
    let (a, b) = (try table("a", [1, 2, 3, 4]), try table("b", [1, 2, 3, 5]))
    #expect(a.isMapped)
    #expect(try maximum(a) == [3, 4] && maximum(b) == [3, 5] && maximum(a) == [3, 4])
    #expect(calibration.passCount == 2)
    // The same elements in memory are the same content.
    #expect(try maximum(Tensor([2, 2], [Float(1), 2, 3, 5])) == [3, 5])
    #expect(calibration.passCount == 2)
    #expect(throws: Diagnostic.self) {
      var (graph, value) = try ChannelStatisticsTests.lookup([[0, 0]])
      graph.parameters = NamedTensors()
      _ = try calibration.statistics(of: [StatisticGroup([value])], in: graph)
    }
  }

  /// A cache that lives longer than one calibration.
  private final class Shelf: StatisticsCache {
    let entries = Mutex<[String: [UInt8]]>([:])
    func bytes(for key: String) -> [UInt8]? { entries.withLock { $0[key] } }
    func store(_ bytes: [UInt8], for key: String) { entries.withLock { $0[key] = bytes } }
  }

  @Test func cacheOutlivesTheRun() throws {
    let shelf = Shelf()
    let (graph, first, second) = try network()
    let groups = [StatisticGroup([first], .secondMoment), StatisticGroup([second], .quantiles)]
    let calibration = ChannelCalibration(windows: windows, cache: shelf)
    let measured = try calibration.statistics(of: groups, in: graph).map { $0.serialized() }
    let keys = shelf.entries.withLock { $0.keys.sorted() }
    #expect(keys.count == 2 && keys.allSatisfy { $0.count == 64 && $0.allSatisfy(\.isHexDigit) })

    let next = ChannelCalibration(windows: windows, cache: shelf)
    #expect(try next.statistics(of: groups, in: graph).map { $0.serialized() } == measured)
    #expect(next.passCount == 0)

    // A damaged entry is measured again and mended; one of another request is not believed.
    shelf.entries.withLock { entries in
      let swapped = (entries[keys[0]], entries[keys[1]])
      entries[keys[0]] = swapped.0?.dropLast()
      entries[keys[1]] = swapped.0
    }
    let mending = ChannelCalibration(windows: windows, cache: shelf)
    #expect(try mending.statistics(of: groups, in: graph).map { $0.serialized() } == measured)
    #expect(mending.passCount == 1)
    #expect(
      shelf.entries.withLock { $0.values.sorted { $0.count < $1.count } }
        == measured.sorted { $0.count < $1.count })
  }

  /// What does not fit is measured again, and nothing else happens.
  @Test func memoryIsBounded() throws {
    let (graph, first, second) = try network()
    // Each takes 64 bytes.
    let calibration = ChannelCalibration(windows: windows, memoryLimit: 100)
    for (value, passes) in [(first, 1), (first, 1), (second, 2), (second, 2), (first, 3)] {
      #expect(try calibration.statistics(of: [StatisticGroup([value])], in: graph)[0].rows == 9)
      #expect(calibration.passCount == passes)
    }
    let forgetful = ChannelCalibration(windows: windows, memoryLimit: 0)
    for passes in 1...2 {
      _ = try forgetful.statistics(of: [StatisticGroup([first])], in: graph)
      #expect(forgetful.passCount == passes)
    }
  }
}
