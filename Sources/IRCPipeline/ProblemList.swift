package import IRCSupport

/// Collects what is wrong with several files, to be reported at once in the order in which one would read them, equal ones once.
package struct ProblemList {
  private var problems: [Diagnostic] = []

  /// Number of problems that are shown.
  static let limit = 20

  package init() {}

  package mutating func add(_ more: [Diagnostic]) { problems += more }

  /// - Throws: `DiagnosticList` when there is something to report: by file in the order of `files`, then by place.
  package func report(files: [String]) throws {
    if problems.isEmpty { return }
    func rank(_ problem: Diagnostic) -> (Int, Int, Int) {
      guard let place = problem.location else { return (files.count + 1, 0, 0) }
      let file = files.firstIndex(of: place.file) ?? files.count
      return (file, place.line, place.column)
    }
    var seen: Set<Diagnostic> = []
    let ranked = problems.filter { seen.insert($0).inserted }.enumerated()
      .map { (rank: rank($0.element), order: $0.offset, problem: $0.element) }
      .sorted {
        ($0.rank.0, $0.rank.1, $0.rank.2, $0.order) < ($1.rank.0, $1.rank.1, $1.rank.2, $1.order)
      }
    var shown = ranked.prefix(Self.limit).map(\.problem)
    if ranked.count > Self.limit {
      shown.append(Diagnostic("errors.more", "and \(ranked.count - Self.limit) more"))
    }
    throw DiagnosticList(shown)
  }
}
