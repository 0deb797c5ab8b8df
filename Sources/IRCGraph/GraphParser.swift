public import IRCSupport
import IRCTensor

/// Reads the textual IR that `Graph.text` writes; the grammar is in `docs/ir.md`.
///
/// Values may have any names and are numbered anew; comments run from `//` to the end of the line.
public enum GraphParser {
  /// Parses one graph, which may still be one that `verify()` refuses.
  ///
  /// - Parameters:
  ///   - file: what messages call the text.
  ///   - registry: the operators that may occur.
  /// - Throws: `DiagnosticList` with up to 20 of `ir.syntax`, `ir.unknown-operator`, `ir.undefined-value`,
  ///   `ir.type-mismatch`, `ir.attribute` and `ir.duplicate`, in source order.
  public static func parse(
    _ text: String, file: String, registry: OperatorRegistry
  ) throws(DiagnosticList) -> Graph {
    try parse(TextFile(path: file, text: text), registry: registry)
  }

  /// Parses the graph in a file.
  ///
  /// - Throws: as `parse(_:file:registry:)`.
  public static func parse(
    _ file: TextFile, registry: OperatorRegistry
  ) throws(DiagnosticList) -> Graph {
    var parsing = GraphParsing(file: file, registry: registry)
    parsing.parseFile()
    let problems = parsing.tokens.diagnostics()
    if !problems.isEmpty { throw DiagnosticList(problems) }
    return parsing.graph
  }
}

/// The state of reading one file.
private struct GraphParsing {
  var tokens: TokenReader
  var graph = Graph(name: "")
  private let registry: OperatorRegistry
  /// What each name stands for; nil after an error that leaves its type unknown.
  private var values: [String: ValueID?] = [:]
  private var names: [String] = []

  init(file: TextFile, registry: OperatorRegistry) {
    tokens = TokenReader(file)
    self.registry = registry
  }

  mutating func parseFile() {
    do {
      try parseHeader()
    } catch {
      tokens.recover()
    }
    while !tokens.at("}"), !tokens.atEnd, !tokens.isFull {
      do {
        try parseStatement()
      } catch {
        tokens.recover()
      }
    }
    if tokens.isFull { return }
    if tokens.atEnd {
      tokens.report("ir.syntax", "the graph is not closed", hint: "end it with '}'")
    } else {
      tokens.advance()
      if !tokens.atEnd {
        tokens.report("ir.syntax", "nothing may follow the end of the graph")
      }
    }
  }

  // MARK: - Header

  /// `irc.graph @"name" {stage = "float", facts = ["a"]} {`
  private mutating func parseHeader() throws(SyntaxFailure) {
    try tokens.expect(word: "irc.graph")
    try tokens.expect("@")
    graph.name = try tokens.string("the name of the graph in quotes")
    for attribute in try tokens.attributes() {
      switch (attribute.name, attribute.value) {
      case ("stage", .string(let name)):
        if let stage = Stage(rawValue: name) {
          graph.stage = stage
        } else {
          let stages = Stage.allCases.map { quoted($0.rawValue) }.joined(separator: ", ")
          tokens.report(
            "ir.attribute", "there is no stage \(quoted(name))", at: attribute.range,
            hint: "the stages are \(stages)")
        }
      case ("facts", .list(let items)):
        for item in items {
          if case .string(let name) = item {
            graph.facts.insert(Fact(name))
          } else {
            try tokens.checkRoom()
            tokens.report("ir.attribute", "a fact is a quoted name", at: attribute.range)
          }
        }
      case ("stage", _):
        tokens.report("ir.attribute", "'stage' must be a quoted name", at: attribute.range)
      case ("facts", _):
        tokens.report("ir.attribute", "'facts' must be a list of quoted names", at: attribute.range)
      default:
        tokens.report(
          "ir.attribute", "a graph has no attribute '\(attribute.name)'", at: attribute.range,
          hint: "it has 'stage' and 'facts'")
      }
    }
    try tokens.expect("{")
  }

  // MARK: - Statements

  private mutating func parseStatement() throws(SyntaxFailure) {
    switch tokens.current.kind {
    case .value: try parseOperation()
    case .word("next"):
      let (name, value) = try parseBinding(isTaken: { graph, name in
        graph.nextStates.contains { $0.name == name }
      })
      if let value { graph.setNextState(name, value) }
    case .word("output"):
      let (name, value) = try parseBinding(isTaken: { graph, name in
        graph.outputs.contains { $0.name == name }
      })
      if let value { graph.addOutput(name, value) }
    default: throw tokens.unexpected("an operation, 'next', 'output' or '}'")
    }
  }

  /// `next "name" = %value` or `output "name" = %value`.
  private mutating func parseBinding(
    isTaken: (Graph, String) -> Bool
  ) throws(SyntaxFailure) -> (String, ValueID?) {
    tokens.advance()
    let place = tokens.current.range
    let name = try tokens.string("a name in quotes")
    if isTaken(graph, name) {
      tokens.report("ir.duplicate", "\(quoted(name)) is bound twice", at: place)
    }
    try tokens.expect("=")
    return (name, try parseUse())
  }

  /// A value that was made before; nil when its maker was in error.
  private mutating func parseUse() throws(SyntaxFailure) -> ValueID? {
    let place = tokens.current.range
    let name = try tokens.valueName()
    if let value = values[name] { return value }
    try tokens.checkRoom()
    tokens.report(
      "ir.undefined-value", "'%\(name)' is not made before this line", at: place,
      hint: suggestion(name, names).map { "did you mean '%\($0)'?" })
    return nil
  }

  /// `%a, %b = operator "symbol" %x, %y {attributes} : type, type  loc(…)`
  private mutating func parseOperation() throws(SyntaxFailure) {
    let results = try parseResults()
    // After an error in this statement, uses of its results are no errors of their own.
    for result in results where values[result.name] == nil {
      values[result.name] = .some(nil)
      names.append(result.name)
    }
    try tokens.expect("=")
    let opPlace = tokens.current.range
    let opName = try tokens.word("the name of an operator")

    var attributes: [ParsedAttribute] = []
    if case .string(let symbol) = tokens.current.kind {
      attributes.append(
        ParsedAttribute(name: "name", value: .string(symbol), range: tokens.current.range))
      tokens.advance()
    }
    var operands: [ValueID?] = []
    if case .value = tokens.current.kind {
      operands.append(try parseUse())
      while tokens.take(",") { operands.append(try parseUse()) }
    }
    attributes = try tokens.attributes(after: attributes)
    try tokens.expect(":")
    let (types, typesPlace) = try parseTypes()
    let location = try parseLocation()

    guard types.count == results.count else {
      tokens.report(
        "ir.type-mismatch", "\(results.count) results are named and \(types.count) have a type",
        at: typesPlace)
      return
    }
    let op = makeOperator(opName, at: opPlace, attributes, types)
    define(
      results.map(\.name), op, operands, declared: types, at: location, opPlace: opPlace,
      typesPlace: typesPlace)
  }

  private mutating func parseResults() throws(SyntaxFailure) -> [(name: String, range: Range<Int>)]
  {
    var results: [(name: String, range: Range<Int>)] = []
    repeat {
      let range = tokens.current.range
      let name = try tokens.valueName()
      if values[name] != nil || results.contains(where: { $0.name == name }) {
        tokens.report("ir.duplicate", "'%\(name)' is made twice", at: range)
      }
      results.append((name, range))
      if results.count > TokenReader.listLimit { throw tokens.unexpected("fewer results") }
    } while tokens.take(",")
    return results
  }

  private mutating func parseTypes() throws(SyntaxFailure) -> ([TensorType], Range<Int>) {
    let start = tokens.current.range.lowerBound
    var types = [try tokens.type()]
    while tokens.take(",") { types.append(try tokens.type()) }
    return (types, start..<max(start, tokens.previousEnd))
  }

  private mutating func parseLocation() throws(SyntaxFailure) -> Location {
    guard case .word("loc") = tokens.current.kind else { return .unknown }
    tokens.advance()
    try tokens.expect("(")
    let location = try tokens.location()
    try tokens.expect(")")
    return location
  }

  // MARK: - Meaning

  /// The operator with its attributes; nil, reported, when it is none.
  private mutating func makeOperator(
    _ name: String, at place: Range<Int>, _ attributes: [ParsedAttribute], _ types: [TensorType]
  ) -> (any Operator)? {
    guard let kind = registry[name] else {
      tokens.report(
        "ir.unknown-operator", "there is no operator '\(name)'", at: place,
        hint: suggestion(name, registry.names).map { "did you mean '\($0)'?" })
      return nil
    }
    var reader = AttributeReader(attributes.map { ($0.name, $0.value) })
    let op: any Operator
    if let leaf = kind as? any RuntimeLeaf.Type {
      guard types.count == 1 else {
        tokens.report("ir.type-mismatch", "'\(name)' has one result", at: place)
        return nil
      }
      op = leaf.init(name: reader.string("name"), type: types[0])
    } else {
      op = kind.init(reading: &reader)
    }

    for problem in reader.problems where !tokens.isFull {
      let attribute = attributes.first { $0.name == problem.attribute }
      tokens.report("ir.attribute", problem.message, at: attribute?.range ?? place)
    }
    for unused in reader.unused where !tokens.isFull {
      let attribute = attributes.first { $0.name == unused }
      let known = op.attributes.map(\.name)
      tokens.report(
        "ir.attribute", "'\(name)' has no attribute '\(unused)'", at: attribute?.range ?? place,
        hint: suggestion(unused, known).map { "did you mean '\($0)'?" }
          ?? (known.isEmpty ? "it has none" : "it has \(known.joined(separator: ", "))"))
    }
    return reader.problems.isEmpty ? op : nil
  }

  /// Adds the operation to the graph; one that is in error is replaced by something with the declared results.
  private mutating func define(
    _ names: [String], _ op: (any Operator)?, _ operands: [ValueID?], declared: [TensorType],
    at location: Location, opPlace: Range<Int>, typesPlace: Range<Int>
  ) {
    var made: [ValueID]?
    let known = operands.compactMap(\.self)
    if let op, known.count == operands.count {
      do {
        let types = try op.resultTypes(known.map(graph.type(of:)))
        if types == declared {
          made = try graph.add(op, known, at: location)
        } else {
          let should = types.map(\.description).joined(separator: ", ")
          tokens.report(
            "ir.type-mismatch", "'\(op.operatorName)' makes \(should) of these operands",
            at: typesPlace)
        }
      } catch {
        let reason = (error as? OperatorError)?.message ?? "\(error)"
        tokens.report("ir.type-mismatch", "'\(op.operatorName)': \(reason)", at: opPlace)
      }
    }
    let results = made ?? (try? graph.add(StandIn(types: declared), known)) ?? []
    for (name, value) in zip(names, results) { values[name] = value }
  }

  /// The nearest of some names; names of absurd length are not compared.
  private func suggestion(_ name: String, _ candidates: [String]) -> String? {
    guard name.utf8.count <= 64 else { return nil }
    return nearestMatch(to: name, in: candidates.lazy.filter { $0.utf8.count <= 64 })
  }
}

/// Takes the place of an operation that is in error, so that what reads its results can still be checked.
private struct StandIn: Operator {
  static let name = "error"
  var types: [TensorType] = []

  init(types: [TensorType]) {
    self.types = types
  }

  init(reading attributes: inout AttributeReader) {}

  func resultTypes(_ operands: [TensorType]) throws(OperatorError) -> [TensorType] { types }
  func invariance(_ operands: [TensorType]) -> InvarianceRule { .opaque }

  func evaluate(_ operands: [Tensor], in context: EvaluationContext) throws -> [Tensor] {
    throw OperatorError("this operation was in error")
  }
}
