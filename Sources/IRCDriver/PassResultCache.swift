import Foundation
import IRCExecution
import IRCGraph
import IRCOps
import IRCPassKit
import IRCPassManager
import IRCPipeline
import IRCSupport

/// Keeps what the passes of one run leave.
///
/// A result is known by the graph that the pass was given, its options, and those parts of the surroundings that it has looked at: which
/// these are is part of what is kept, so that another target is no reason to calibrate again.
final class PassResultCache: PassResults {
  private let basis: ResultBasis
  private let model: ModelDescription
  private let target: Target
  private let calibration: CalibrationService?
  private let operators: OperatorRegistry

  /// - Parameter calibration: what passes measure with; nil where they cannot.
  init(
    _ basis: ResultBasis, model: ModelDescription, target: Target,
    _ calibration: CalibrationService?, operators: OperatorRegistry
  ) {
    self.operators = operators
    self.basis = basis
    self.model = model
    self.target = target
    self.calibration = calibration
  }

  func find(
    _ instance: PassInstance, on graph: Graph
  ) -> (result: PassResult, kept: KeptResult)? {
    guard let question = question(instance, graph) else { return nil }
    for surroundings in Self.allSurroundings {
      guard let key = key(question, surroundings), let entry = basis.cache.entry(key),
        let bundle = TensorBundle.read(entry), let result = try? restore(bundle, over: graph)
      else { continue }
      return (result, KeptResult(key.digest.description))
    }
    return nil
  }

  func keep(_ result: PassResult, of instance: PassInstance, on graph: Graph) -> KeptResult? {
    guard result.said.emissions.isEmpty, let question = question(instance, graph),
      let key = key(question, result.said.surroundings)
    else { return nil }
    var isKept = false
    basis.keep {
      let items = try newTensors(in: result.graph, since: graph)
      try checkReads(result.graph, of: instance)
      try TensorBundle(note(of: result), items).put(into: basis.cache, for: key)
      isKept = true
    }
    return isKept ? KeptResult(key.digest.description) : nil
  }

  func hasPassed(_ check: String, _ kept: KeptResult) -> Bool {
    basis.cache.entry(key(check, kept)) != nil
  }

  func pass(_ check: String, _ kept: KeptResult) {
    basis.keep { try basis.cache.put([], for: key(check, kept)) }
  }

  // MARK: - Keys

  /// All sets of parts that a pass can have looked at.
  private static let allSurroundings = (0..<8).map { Surroundings(rawValue: $0) }

  /// Everything that a result depends on but its surroundings; nil when the graph cannot be read.
  private func question(_ instance: PassInstance, _ graph: Graph) -> String? {
    guard let content = try? basis.fingerprints.fingerprint(of: graph) else { return nil }
    let options = TextualPasses.text(of: [instance.pass], includingDefaults: true)
    return "\(basis.maker)\n\(instance.id)\n\(options)\n\(content)"
  }

  /// Nil where there is no such part to look at.
  private func key(_ question: String, _ surroundings: Surroundings) -> ContentKey? {
    var seen: [String] = []
    if surroundings.contains(.model) {
      let limit = model.contextLength.map { "\($0)" } ?? "none"
      seen.append("model \(model.vocabularySize) \(limit) \(model.name)")
    }
    if surroundings.contains(.target) { seen.append("target \(target.rawValue)") }
    if surroundings.contains(.calibration) {
      guard let identity = calibration?.identity(knownTo: basis.cache) else { return nil }
      seen.append("calibration \(identity)")
    }
    return ContentKey(
      "pass-result 1",
      ["question": question, "surroundings": JSON.array(seen.map(JSON.string)).serialized()])
  }

  private func key(_ check: String, _ kept: KeptResult) -> ContentKey {
    ContentKey("passed-check 1", ["check": check, "result": kept.name])
  }

  // MARK: - Contents

  /// The parameters of a graph that an earlier one has not, or not with this content.
  private func newTensors(in graph: Graph, since earlier: Graph) throws -> [TensorBundle.Item] {
    let old = Set(earlier.operations(of: Parameter.self).map { Array($0.op.name.utf8) })
    var seen: Set<[UInt8]> = []
    return try graph.operations(of: Parameter.self).compactMap { _, parameter in
      let bytes = Array(parameter.name.utf8)
      guard seen.insert(bytes).inserted else { return nil }
      let tensor = try graph.parameters.tensor(named: parameter.name)
      let fingerprint = try basis.fingerprints.fingerprint(of: tensor)
      if old.contains(bytes),
        try basis.fingerprints.fingerprint(of: earlier.parameters.tensor(named: parameter.name))
          == fingerprint
      {
        return nil
      }
      return TensorBundle.Item(name: parameter.name, tensor: tensor, fingerprint: fingerprint)
    }
  }

  private func note(of result: PassResult) -> JSON {
    .object([
      ("graph", .string(result.graph.text)), ("seconds", .real(result.seconds)),
      ("remarks", .array(result.said.remarks.map(\.json))),
      (
        "counters",
        .object(
          result.said.counters.sorted { $0.key < $1.key }.map { ($0.key, .integer($0.value)) })
      ),
      (
        "calibration",
        result.said.surroundings.contains(.calibration) ? calibration?.record?.json ?? .null : .null
      ),
    ])
  }

  private func parse(_ text: String) throws -> Graph {
    try GraphParser.parse(text, file: "cache", registry: operators)
  }

  /// Complains of a graph whose text does not read back, as where a plugin does not list an operator of its own.
  private func checkReads(_ graph: Graph, of instance: PassInstance) throws {
    var reason = "what is read differs"
    do {
      if try parse(graph.text).text == graph.text { return }
    } catch let problems as DiagnosticList {
      reason = problems.diagnostics.first?.message ?? reason
    }
    throw Diagnostic(
      "cache.graph", "the graph after pass '\(instance.id)' does not read back (\(reason))")
  }

  /// What an entry says that the pass made of `graph`.
  private func restore(
    _ bundle: (note: JSONValue, items: [TensorBundle.Item]), over graph: Graph
  ) throws -> PassResult {
    var result = try parse(bundle.note["graph"].string())
    result.parameters = graph.parameters
    if !bundle.items.isEmpty {
      var derived =
        graph.parameters as? DerivedParameters ?? DerivedParameters(over: graph.parameters)
      for item in bundle.items {
        try derived.add(item.tensor, named: item.name)
        basis.fingerprints.learn(item.fingerprint, of: item.tensor)
      }
      result.parameters = derived
    }
    result.dropUnusedParameters()
    var said = PassLog()
    said.remarks = try bundle.note["remarks"].array().map { try Remark($0) }
    for (name, value) in try bundle.note["counters"].object().map({ ($0.key, try $0.value.int()) })
    {
      said.counters[name] = value
    }
    let seconds = try bundle.note["seconds"].double()
    // Only now is it certain that the result is taken.
    if let record = try bundle.note.optional("calibration") {
      calibration?.adopt(try CalibrationRecord(record))
    }
    return PassResult(graph: result, said: said, seconds: seconds)
  }
}
