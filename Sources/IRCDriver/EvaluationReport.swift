import Foundation
package import IRCExecution
package import IRCSupport

/// What one evaluation measured.
package struct EvaluationReport {
  /// What was evaluated.
  package let kind: Subject.Kind
  /// The text.
  package let data: String
  /// Ids predicted of each window at most.
  package let context: Int
  /// Number of windows.
  package let windows: Int
  /// The figure.
  package let result: Perplexity
  /// Wall time of the forward passes.
  package let seconds: Double

  /// Keys are documented in `docs/commands.md`.
  package var json: JSON {
    .object([
      ("evaluated", .string(kind.rawValue)),
      ("data", .string(data)),
      ("perplexity", .real(result.perplexity)),
      ("nll_per_token", .real(result.perToken)),
      ("tokens", .integer(result.tokens)),
      ("windows", .integer(windows)),
      ("context", .integer(context)),
      ("seconds", .real(seconds)),
    ])
  }

  /// One line for people.
  package var text: String {
    "perplexity \(fixed(result.perplexity, 4))  (nll/token \(fixed(result.perToken, 6)), "
      + "\(result.tokens) tokens in \(windows) windows, \(kind.rawValue), \(fixed(seconds, 1)) s)"
  }
}

/// A number with `digits` digits after the point.
package func fixed(_ value: Double, _ digits: Int) -> String {
  guard value.isFinite, value.magnitude < 1e15 else { return "\(value)" }
  var scale = 1.0
  for _ in 0..<digits { scale *= 10 }
  let rounded = (value.magnitude * scale).rounded(.toNearestOrEven)
  guard rounded < 9e15 else { return "\(value)" }
  let whole = Int(rounded)
  let sign = value < 0 && whole > 0 ? "-" : ""
  if digits == 0 { return "\(sign)\(whole)" }
  let text = String(whole)
  let padded = String(repeating: "0", count: max(0, digits + 1 - text.count)) + text
  return "\(sign)\(padded.dropLast(digits)).\(padded.suffix(digits))"
}

/// Two digits and a power of ten; 0 as it is.
package func short(_ value: Double) -> String {
  value == 0 ? "0" : String(format: "%.1e", value)
}
