package import IRCPassKit
package import IRCSupport

/// One pass that a user asked for, by name and not yet looked up.
package struct PassRequest: Sendable {
  /// The pass's name.
  package var name: String
  /// Where the user asked for it: its name, or that of the shipped pipeline that has it.
  package var nameSpan: SourceSpan
  /// Where it stands in a shipped pipeline, if that is where it comes from.
  package var shippedSpan: SourceSpan?
  /// Where `--set` first changed an option of it.
  package var setSpan: SourceSpan?
  /// The options as written, in order.
  package var options: [OptionValue.Entry]
  /// The exporter that was named, when the name came from a model file's `emit`.
  package var exporter: String?
  /// Name of this instance: the pass's name, with `#2`, `#3` … for later ones.
  package var instance = ""

  package init(
    name: String, nameSpan: SourceSpan, shippedSpan: SourceSpan? = nil,
    options: [OptionValue.Entry] = [], exporter: String? = nil
  ) {
    self.name = name
    self.nameSpan = nameSpan
    self.shippedSpan = shippedSpan
    self.options = options
    self.exporter = exporter
  }

  /// Where an error of the pass as a whole belongs: at what the user wrote, not in a file that comes with the compiler.
  var place: SourceSpan { setSpan ?? nameSpan }

  /// Where else the pass is written.
  var notes: [String] {
    let written = shippedSpan ?? (setSpan == nil ? nil : nameSpan)
    return written.map { ["pass '\(name)' stands at \($0.location)"] } ?? []
  }

  /// An error of the pass as a whole.
  func error(_ id: String, _ message: String, hint: String? = nil) -> Diagnostic {
    place.error(id, message, hint: hint, notes: notes)
  }
}

extension [PassRequest] {
  /// Gives every request its instance name.
  mutating func number() {
    var counts: [String: Int] = [:]
    for index in indices {
      let name = self[index].name
      let count = counts[name, default: 0] + 1
      counts[name] = count
      self[index].instance = count == 1 ? name : "\(name)#\(count)"
    }
  }
}
