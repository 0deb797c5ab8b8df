import IRCSupport

extension Graph {
  /// The textual IR; `parse(text) == graph`. Total and deterministic; grammar in `docs/ir.md`.
  public var text: String {
    var numbers: [ValueID: Int] = [:]
    for value in operations.flatMap(\.results) { numbers[value] = numbers.count }
    func name(_ value: ValueID) -> String { numbers[value].map { "%\($0)" } ?? "%undefined" }

    var header = ["stage = \(quoted(stage.rawValue))"]
    if !facts.isEmpty {
      header.append(
        "facts = [\(facts.sorted().map { quoted($0.description) }.joined(separator: ", "))]")
    }
    var lines = ["irc.graph @\(quoted(self.name)) {\(header.joined(separator: ", "))} {"]
    for operation in operations {
      var attributes = operation.op.attributes
      var line =
        "  \(operation.results.map(name).joined(separator: ", ")) = \(operation.op.operatorName)"
      if let first = attributes.first, first.name == "name", case .string(let symbol) = first.value
      {
        line += " \(quoted(symbol))"
        attributes.removeFirst()
      }
      if !operation.operands.isEmpty {
        line += " " + operation.operands.map(name).joined(separator: ", ")
      }
      if !attributes.isEmpty {
        line +=
          " {" + attributes.map { "\($0.name) = \($0.value.text)" }.joined(separator: ", ") + "}"
      }
      line += " : " + operation.results.map { type(of: $0).description }.joined(separator: ", ")
      if operation.location != .unknown { line += "  loc(\(operation.location.text))" }
      lines.append(line)
    }
    for (state, value) in nextStates { lines.append("  next \(quoted(state)) = \(name(value))") }
    for (output, value) in outputs { lines.append("  output \(quoted(output)) = \(name(value))") }
    lines.append("}")
    return lines.joined(separator: "\n") + "\n"
  }
}

extension Graph: Equatable {
  /// Two graphs are equal when they print alike: identifiers of erased operations do not count.
  public static func == (a: Graph, b: Graph) -> Bool { a.text == b.text }
}

extension Attribute {
  /// As written in the textual IR.
  var text: String {
    switch self {
    case .int(let value): "\(value)"
    case .float(let value): value.description
    case .string(let value): quoted(value)
    case .bool(let value): value ? "true" : "false"
    case .symbol(let word): word
    case .list(let items): "[" + items.map(\.text).joined(separator: ", ") + "]"
    case .call(let word, let items): "\(word)(" + items.map(\.text).joined(separator: ", ") + ")"
    }
  }
}

extension Location {
  /// As written inside `loc(…)` of the textual IR.
  public var text: String {
    switch self {
    case .unknown: "unknown"
    case .checkpoint(let name): "checkpoint(\(quoted(name)))"
    case .text(let place): "\(quoted(place.file)):\(place.line):\(place.column)"
    case .pass(let instance, let from): "pass(\(quoted(instance)), \(from.text))"
    }
  }
}

/// Text in double quotes, with `\`, `"` and control characters escaped as `\\`, `\"`, `\n`, `\u{…}`.
func quoted(_ text: String) -> String {
  var result = "\""
  for scalar in text.unicodeScalars {
    switch scalar {
    case "\"": result += "\\\""
    case "\\": result += "\\\\"
    case "\n": result += "\\n"
    case _ where scalar.value < 0x20 || scalar.value == 0x7F:
      result += "\\u{\(String(scalar.value, radix: 16))}"
    default: result.unicodeScalars.append(scalar)
    }
  }
  return result + "\""
}
