public import IRCTensor

/// Something that reads token ids and gives the logits of the token after each: the interpreter or a compiled library.
public protocol LanguageModel: Sendable {
  /// Number of token ids, and of logits.
  var vocabularySize: Int { get }
  /// Tokens that a session has room for; nil if there is no limit.
  var contextLength: Int? { get }
  /// Starts a sequence from a fresh state. Sessions of one model may run at the same time.
  func makeSession() throws -> any LanguageSession
}

extension LanguageModel {
  public var contextLength: Int? { nil }
}

/// One sequence that is being read.
public protocol LanguageSession {
  /// Reads tokens that follow those read before.
  ///
  /// - Returns: the logits after each of them, f32 or f64 [ids.count, vocabulary].
  mutating func read(_ ids: [Int32]) throws -> Tensor

  /// Reads tokens and gives the logits after the last one only, [vocabulary].
  mutating func readForNext(_ ids: [Int32]) throws -> Tensor
}

extension LanguageSession {
  public mutating func readForNext(_ ids: [Int32]) throws -> Tensor {
    let logits = try read(ids)
    return logits.slice(rows: ids.count - 1..<ids.count).reshaped([logits.columns])
  }
}

extension LanguageModel {
  /// −Σ log p(ids[i] | ids[..<i]) for i ≥ 1, in nats, from a fresh state.
  ///
  /// The log-softmax is taken in double precision, term by term in the order of the tokens.
  public func negativeLogLikelihood(of ids: [Int32]) throws -> Double {
    guard ids.count > 1 else { return 0 }
    var session = try makeSession()
    let logits = try session.read(ids.dropLast())
    var sum = 0.0
    for (row, target) in ids.dropFirst().enumerated() {
      let scores = logits.slice(rows: row..<row + 1)
      sum += try scores.surprise(of: target)
    }
    return sum
  }
}

extension Tensor {
  /// −log softmax(self)[target] of one row of logits, in double precision.
  func surprise(of target: Int32) throws -> Double {
    switch elementType {
    case .f64: return try surprise(of: target, as: Double.self)
    default: return try surprise(of: target, as: Float.self)
    }
  }

  private func surprise<Scalar: Real>(of target: Int32, as scalar: Scalar.Type) throws -> Double {
    guard target >= 0, Int(target) < count else {
      throw LanguageModels.outsideVocabulary(target, count)
    }
    return unsafe withElements(as: Scalar.self) { logits in
      var largest = -Scalar.infinity
      for index in 0..<count { largest = unsafe max(largest, logits[index]) }
      let shift = Double(largest)
      var sum = 0.0
      for index in 0..<count { sum += unsafe Double.exponential(Double(logits[index]) - shift) }
      return unsafe Double.logarithmOnePlus(sum - 1) + shift - Double(logits[Int(target)])
    }
  }
}
