import Foundation
import IRCExecution
import IRCPipeline
import IRCSupport
import IRCTensor
import IRCTokenizer

/// Text or token ids in a file, cut into windows that are read from a fresh state each.
struct TextSource {
  let path: String

  /// The windows that an evaluation predicts.
  ///
  /// `.jsonl` files are documents `{"text": …}`, one a line: each with the start id in front and at most `context` ids predicted.
  /// Other files are text, encoded whole without special tokens and cut into windows of `context` predicted ids, of which
  /// the first `limit` are taken.
  ///
  /// - Parameters:
  ///   - context: nil for `EvaluationText.usualContext`.
  ///   - contextLength: tokens that the model has room for; nil if there is no limit.
  /// - Throws: `Diagnostic` naming the file and line; `eval.no-tokens` when nothing is predicted, `eval.context-too-long` when a
  ///   window has more tokens than there is room for.
  func windows(
    _ tokenizer: Tokenizer, start: Int32?, context: Int?, limit: Int?, contextLength: Int?
  ) throws -> [[Int32]] {
    let windows = try cut(
      tokenizer, start: start, context: context ?? EvaluationText.usualContext, limit: limit)
    // The last id of a window is predicted and not read.
    let longest = windows.reduce(0) { max($0, $1.count - 1) }
    if longest < 1 {
      throw Diagnostic(
        "eval.no-tokens", "the text has no token to predict", at: SourceLocation(file: path),
        hint: "give a text of at least two tokens")
    }
    // What was asked for counts, so that an error does not depend on how long the text is.
    let asked = max(longest, context ?? 0)
    if let contextLength, asked > contextLength {
      throw Diagnostic(
        "eval.context-too-long",
        "windows of \(asked) tokens are asked for, the model takes \(contextLength)",
        hint: "ask for at most --context \(contextLength)")
    }
    return windows
  }

  private func cut(
    _ tokenizer: Tokenizer, start: Int32?, context: Int, limit: Int?
  ) throws -> [[Int32]] {
    if isDocuments {
      let windows = EvaluationWindows.documents(
        try documents(tokenizer), start: try startID(start), context: context)
      return Array(windows.prefix(limit ?? windows.count))
    }
    let ids = try tokenizer.encode(TextFile(reading: path).text, addSpecialTokens: false)
    return EvaluationWindows.text(ids, context: context, limit: limit)
  }

  var isDocuments: Bool { path.hasSuffix(".jsonl") }

  /// The ids of each document.
  func documents(_ tokenizer: Tokenizer) throws -> [[Int32]] {
    let file = try TextFile(reading: path)
    return try file.lines.enumerated().compactMap { index, line in
      if line.allSatisfy(\.isWhitespace) { return nil }
      do {
        let text = try JSONValue(parsing: String(line), path: path)["text"].string()
        return try tokenizer.encode(text, addSpecialTokens: false)
      } catch let problem as Diagnostic {
        throw file.diagnostic(
          "data.document", "line is no document: \(problem.message)", line: index + 1,
          column: problem.location?.column ?? 1, hint: "each line must be an object {\"text\": …}")
      }
    }
  }

  func startID(_ start: Int32?) throws -> Int32 {
    guard let start else {
      throw Diagnostic(
        "data.no-start-id", "documents begin with the start id, and the model has none",
        hint: "give 'bos_token' in tokenizer_config.json, or use a plain text file")
    }
    return start
  }

  /// Token ids written as whole numbers between white space or commas, one sequence a line.
  func sequences() throws -> [[Int32]] {
    let file = try TextFile(reading: path)
    return try file.lines.enumerated().map { index, line in
      try line.split { $0.isWhitespace || $0 == "," }.map { word in
        guard let id = Int32(word), id >= 0 else {
          throw file.diagnostic(
            "data.token-id", "'\(word)' is no token id", line: index + 1,
            column: line.distance(from: line.startIndex, to: word.startIndex) + 1,
            length: word.count)
        }
        return id
      }
    }.filter { !$0.isEmpty }
  }
}

extension ModelFile.Calibration {
  /// The windows to calibrate on: as many as make up `tokens`, chosen with `seed` if there are more; the last one chosen may be
  /// cut. The first `skip` tokens of the text, or as many whole documents as they fill, have no part in it.
  ///
  /// - Throws: `Diagnostic` when a file cannot be read, or has no token behind `skip`.
  func windows(_ tokenizer: () throws -> Tokenizer, start: Int32?) throws -> [[Int32]] {
    let all: [[Int32]]
    switch source {
    case .ids(let path):
      let ids = try TextSource(path: path).sequences()
      all = withoutBeginning(ids).flatMap { $0.chunks(of: window) }
    case .documents(let path):
      let text = TextSource(path: path)
      let first = start.map { [$0] } ?? []
      all = try withoutBeginning(text.documents(tokenizer())).map {
        Array((first + $0).prefix(window))
      }
    case .text(let path):
      let text = try TextFile(reading: path).text
      let ids = try tokenizer().encode(text, addSpecialTokens: false)
      all = Array(ids.dropFirst(skip)).chunks(of: window)
    }
    guard all.contains(where: { !$0.isEmpty }) else {
      throw Diagnostic(
        "calibration.no-tokens",
        skip > 0
          ? "the calibration text has no tokens behind the \(skip) that 'skip' leaves out"
          : "the calibration text has no tokens", at: SourceLocation(file: source.path),
        hint: skip > 0
          ? "lower 'skip', or name a longer text" : "name a longer text under 'calibration'")
    }
    let random = RandomNumbers(seed: UInt64(bitPattern: Int64(seed)))
    let shuffled = all.indices.sorted {
      (random.bits($0), $0) < (random.bits($1), $1)
    }
    var budget = tokens
    var chosen: [Int: [Int32]] = [:]
    for index in shuffled where budget > 0 && !all[index].isEmpty {
      let part = Array(all[index].prefix(budget))
      chosen[index] = part
      budget -= part.count
    }
    return all.indices.compactMap { chosen[$0] }
  }

  /// The sequences after those that the first `skip` tokens fill or touch.
  private func withoutBeginning(_ sequences: [[Int32]]) -> [[Int32]] {
    var passed = 0
    return Array(
      sequences.drop { sequence in
        defer { passed += sequence.count }
        return passed < skip
      })
  }
}

extension Array {
  /// Runs of `count` elements; the last may be shorter.
  fileprivate func chunks(of count: Int) -> [[Element]] {
    stride(from: 0, to: self.count, by: count).map {
      Array(self[$0..<Swift.min($0 + count, self.count)])
    }
  }
}
