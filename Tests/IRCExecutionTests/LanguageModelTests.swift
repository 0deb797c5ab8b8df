import Foundation
import IRCExecution
import IRCGraph
import IRCOps
import IRCSupport
import IRCTensor
import Synchronization
import Testing

@Suite struct PerplexityTests {
  /// −Σ log p from the logits by the definition.
  static func direct(_ model: GraphLanguageModel, _ ids: [Int32]) throws -> Double {
    guard ids.count > 1 else { return 0 }
    var session = try model.makeSession()
    let logits = try session.read(ids).values
    let size = model.vocabularySize
    return (1..<ids.count).reduce(0.0) { sum, index in
      let row = logits[(index - 1) * size..<index * size]
      let total = row.reduce(0) { $0 + exp($1) }
      return sum - log(exp(row[row.startIndex + Int(ids[index])]) / total)
    }
  }

  @Test func sumsSurprises() throws {
    let model = try GraphLanguageModel(try TestNetwork.llama(), precision: .double)
    let windows = (0..<7).map { TestNetwork.ids(3 + $0, seed: UInt64($0)) } + [[1], []]
    let calls = Mutex<[Int]>([])
    let result = try Perplexity.evaluate(model, windows: windows) { done, total in
      #expect(total == 9)
      calls.withLock { $0.append(done) }
    }
    #expect(calls.withLock { $0 } == Array(1...9))
    let expected = try windows.reduce(0.0) { $0 + (try Self.direct(model, $1)) }
    #expect(abs(result.negativeLogLikelihood / expected - 1) < 1e-12)
    #expect(result.tokens == windows.reduce(0) { $0 + max(0, $1.count - 1) })
    #expect(result.perplexity == exp(result.perToken))
    let single = try Perplexity.evaluate(
      try GraphLanguageModel(try TestNetwork.llama()), windows: windows)
    #expect(abs(single.negativeLogLikelihood / expected - 1) < 1e-5)
  }

  @Test func refusesWhatCannotBeScored() throws {
    let model = try GraphLanguageModel(try TestNetwork.mamba())
    #expect(throws: Diagnostic.self) { try Perplexity.evaluate(model, windows: [[1], []]) }
    for bad: Int32 in [24, -1] {
      #expect(throws: Diagnostic.self) { try Perplexity.evaluate(model, windows: [[1, bad]]) }
      #expect(throws: Diagnostic.self) { try Perplexity.evaluate(model, windows: [[bad, 1]]) }
    }
    #expect(throws: Diagnostic.self) {
      try GraphLanguageModel(try InterpreterTests.parameterGraph(scaled: false))
    }
  }

  @Test func windowsOfDocuments() {
    let windows = EvaluationWindows.documents([[5, 6, 7], [], [8]], start: 1, context: 2)
    #expect(windows == [[1, 5, 6], [1, 8]])
  }

  @Test func windowsOfText() {
    let ids: [Int32] = [0, 1, 2, 3, 4, 5, 6, 7]
    #expect(EvaluationWindows.text(ids, context: 3) == [[0, 1, 2, 3], [3, 4, 5, 6], [6, 7]])
    #expect(EvaluationWindows.text(ids, context: 3, limit: 2) == [[0, 1, 2, 3], [3, 4, 5, 6]])
    #expect(EvaluationWindows.text(ids, context: 7) == [ids])
    #expect(EvaluationWindows.text(ids, context: .max) == [ids])
    #expect(EvaluationWindows.text([1], context: 3).isEmpty)
    #expect(EvaluationWindows.text(ids, context: 0).isEmpty)
    let predicted = EvaluationWindows.text(ids, context: 3).flatMap { $0.dropFirst() }
    #expect(predicted == Array(ids.dropFirst()))
  }
}

/// Everything that runs in parallel gives the same bits on 1 thread and on many. One suite, since the limit is global.
@Suite(.serialized) struct ThreadIndependenceTests {
  private func onThreads<Result>(_ count: Int, _ body: () throws -> Result) rethrows -> Result {
    Parallel.setThreads(count)
    defer { Parallel.setThreads(nil) }
    return try body()
  }

  @Test func largeProducts() throws {
    var builder = try TestNetwork.Builder("wide", width: 700)
    try builder.addToStream(builder.linear(builder.stream, 700))
    let graph = try builder.finished()
    let results = try [1, 2, 5].map { threads in
      try onThreads(threads) {
        try Interpreter(graph, cacheLimit: threads == 2 ? 0 : 1 << 30).run(
          inputs: ["ids": Tensor([4], TestNetwork.ids(4))])["logits"]?.values
      }
    }
    #expect(results[0] == results[1] && results[0] == results[2])
  }

  @Test func perplexityAndCalibration() throws {
    let graph = try TestNetwork.mamba()
    let windows = (0..<9).map { TestNetwork.ids(12 + $0, seed: UInt64($0)) }
    let values = Set(graph.operations(of: SiLU.self).map(\.operation.result))
    let results = try [1, 2, 7].map { threads in
      try onThreads(threads) {
        (
          try Perplexity.evaluate(try GraphLanguageModel(graph), windows: windows),
          try Calibration.collect(graph, values: values, windows: windows)
        )
      }
    }
    #expect(results.allSatisfy { $0.0 == results[0].0 && $0.1 == results[0].1 })
  }
}

@Suite struct GeneratorTests {
  /// Predicts the successor of the last token, with what it has read as its state.
  struct Counter: LanguageModel {
    let vocabularySize = 10
    var contextLength: Int?
    struct Session: LanguageSession {
      let room: Int
      var read: [Int32] = []
      mutating func read(_ ids: [Int32]) throws -> Tensor {
        read += ids
        if read.count > room { throw Diagnostic("test.full", "the context is full") }
        let logits = ids.flatMap { id in (0..<10).map { Float($0 == (Int(id) + 1) % 10 ? 3 : 0) } }
        return Tensor([ids.count, 10], logits)
      }
    }
    func makeSession() throws -> any LanguageSession { Session(room: contextLength ?? .max) }
  }

  @Test func greedy() throws {
    let generator = TokenGenerator(Counter())
    var seen: [Int32] = []
    let text = try generator.generate(after: [1, 7], limit: 5) { seen.append($0) }
    #expect(text == [8, 9, 0, 1, 2])
    #expect(seen == text)
    #expect(try generator.generate(after: [7], limit: 5, stop: [0]) == [8, 9])
    #expect(try generator.generate(after: [7], limit: 0).isEmpty)
    #expect(throws: Diagnostic.self) { try generator.generate(after: [], limit: 1) }
  }

  @Test("Generation ends where the context is full, after the token that follows the last one read")
  func fullContext() throws {
    let generator = TokenGenerator(Counter(contextLength: 4))
    #expect(try generator.generate(after: [1, 7], limit: 9) == [8, 9, 0])
    #expect(try generator.generate(after: [1, 7], limit: 2) == [8, 9])
    #expect(try generator.generate(after: [1, 2, 3, 4], limit: 9) == [5])
    let error = #expect(throws: Diagnostic.self) {
      try generator.generate(after: [1, 2, 3, 4, 5], limit: 1)
    }
    #expect(error?.id == "run.prompt-too-long")
    #expect(try TokenGenerator(Counter()).room(after: [1]) == nil)
  }

  @Test func greedyByWholePrefixes() throws {
    for graph in [try TestNetwork.llama(), try TestNetwork.mamba()] {
      let model = try GraphLanguageModel(graph, precision: .double)
      let text = try TokenGenerator(model).generate(after: [3, 1], limit: 6)
      var ids: [Int32] = [3, 1]
      for token in text {
        var session = try model.makeSession()
        let row = try session.read(ids).values.suffix(model.vocabularySize)
        let best = row.enumerated().max { $0.element < $1.element }?.offset
        #expect(best == Int(token))
        ids.append(token)
      }
    }
  }

  @Test func ties() {
    let choose = TokenGenerator.Sampling.greedy.choose
    #expect(choose(Tensor([3], [Float(1), 2, 2]), 0) == 1)
    #expect(choose(Tensor([3], [Float.nan, 2, 3]), 0) == 2)
    #expect(choose(Tensor([2], [Float.nan, .nan]), 0) < 2)
  }

  @Test func randomFollowsTheDistribution() {
    let logits = Tensor([3], [Float(log(0.2)), Float(log(0.5)), Float(log(0.3))])
    var counts = [0, 0, 0]
    for step in 0..<20_000 {
      counts[
        Int(
          TokenGenerator.Sampling.random(temperature: 1, seed: 3).choose(from: logits, step: step))] +=
        1
    }
    for (count, share) in zip(counts, [0.2, 0.5, 0.3]) {
      #expect(abs(Double(count) / 20_000 - share) < 0.02)
    }
    let cold = TokenGenerator.Sampling.random(temperature: 1e-3, seed: 3)
    #expect((0..<100).allSatisfy { cold.choose(from: logits, step: $0) == 1 })
    #expect(
      TokenGenerator.Sampling.random(temperature: 0, seed: 3).choose(from: logits, step: 0) == 1)
  }
}
