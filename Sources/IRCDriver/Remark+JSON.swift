import IRCGraph
import IRCPassKit
import IRCSupport

extension Remark {
  /// All of the remark, to be read again.
  var json: JSON {
    .object([
      ("pass", .string(pass)), ("kind", .string(kind.name)),
      ("outcome", .string(kind.outcome.rawValue)), ("help", .string(kind.help)),
      ("location", .array(location.json)), ("message", .string(message)),
      ("hint", hint.map(JSON.string) ?? .null),
    ])
  }

  /// Reads what `json` wrote.
  ///
  /// - Throws: `Diagnostic` when it is something else.
  init(_ json: JSONValue) throws {
    guard let outcome = RemarkKind.Outcome(rawValue: try json["outcome"].string()) else {
      throw json.diagnostic("cache.remark", "no outcome of a remark")
    }
    self.init(
      pass: try json["pass"].string(),
      kind: RemarkKind(try json["kind"].string(), outcome, try json["help"].string()),
      location: try Location(json["location"].array()[...]),
      message: try json["message"].string(), hint: try json.optional("hint")?.string())
  }
}

extension Location {
  /// The chain from the nearest cause to the farthest.
  fileprivate var json: [JSON] {
    switch self {
    case .unknown: []
    case .checkpoint(let name): [.array(["checkpoint", .string(name)])]
    case .text(let place):
      [.array(["text", .string(place.file), .integer(place.line), .integer(place.column)])]
    case .pass(let instance, let from): [.array(["pass", .string(instance)])] + from.json
    }
  }

  fileprivate init(_ chain: JSONArray.SubSequence) throws {
    guard let first = try chain.first?.array() else {
      self = .unknown
      return
    }
    switch try first[0].string() {
    case "checkpoint": self = .checkpoint(try first[1].string())
    case "text":
      self = .text(
        SourceLocation(
          file: try first[1].string(), line: try first[2].int(), column: try first[3].int()))
    default: self = .pass(try first[1].string(), from: try Location(chain.dropFirst()))
    }
  }
}
